//! The service we talk to.

mod host;
pub mod http;
pub mod identity;
