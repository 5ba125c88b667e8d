//! What the tests of all client protocols share.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::disallowed_methods, reason = "tests read and rewrite fixtures")]

pub(crate) mod anthropic;
pub(crate) mod encoded;
pub(crate) mod gemini;
pub(crate) mod generate;
pub(crate) mod golden;
pub(crate) mod openai_chat;
pub(crate) mod openai_responses;
pub(crate) mod view;
