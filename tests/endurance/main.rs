//! What only many repetitions show: the real program, killed a thousand times while it rotates tokens, and two processes that
//! share one login. Minutes long, so a step of its own; the figures go into `docs/reliability.md`.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub,
    reason = "tests start tasks, plant files, wait for real time and print their figures; nobody outside uses this program"
)]

#[allow(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/harness.rs"]
mod harness;
mod kills;
mod owner;
mod program;
mod shared_login;
