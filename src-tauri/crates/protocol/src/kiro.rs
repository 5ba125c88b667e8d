//! The upstream edge: the only place that knows Kiro's own words.
//!
//! - [`request`]: a conversation becomes a request body; every repair the upstream needs happens there and is noticed.
//! - [`wire`]: the shape of that body.
//! - [`tools`]: tool names and property names that the upstream refuses, renamed there and restored here.
//! - [`frame`]: bytes of the answer at any split become frames.
//! - [`event`]: frames become [`crate::event::Event`]s. [`thinking`]: thinking that older models write as tagged text.

pub mod event;
pub mod frame;
pub mod request;
mod schema;
pub mod thinking;
pub mod tools;
pub mod wire;
