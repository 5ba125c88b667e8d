//! The stand-in seen from outside, over real sockets.
#![allow(clippy::disallowed_methods, reason = "tests")]

mod faults;
mod headers;
mod identity;
mod rules;
mod support;
mod task;
