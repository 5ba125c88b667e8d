//! The upstream edge: the only place that knows Kiro's own words.
