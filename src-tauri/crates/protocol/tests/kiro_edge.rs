//! The upstream edge against the recorded shapes of the upstream: golden frames and streams, refused requests, properties.
#![expect(
    clippy::disallowed_methods,
    reason = "golden files are rewritten on request: UPDATE_GOLDEN is read and files are written by the test itself"
)]

mod kiro {
    mod frames;
    mod golden;
    mod mirror;
    mod refused;
    mod requests;
    mod rules;
    mod scenarios;
    mod support;
}
