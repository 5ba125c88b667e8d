//! What both OpenAI APIs (Chat Completions and Responses) share.
//!
//! - `failure`: `{"error": {message, type, param, code}}`, status, type and code for each class of failure.
//! - `models`: the model list and card, with the catalogue that Codex reads from the same answer.
//! - `media`: image URLs and files; `freeform`: tools that take a text instead of JSON; `effort`: how hard to think;
//!   `arguments`: tool calls of earlier turns; `session`: which session a request belongs to.

pub(crate) mod arguments;
pub(crate) mod effort;
pub(crate) mod failure;
pub(crate) mod freeform;
pub(crate) mod media;
pub(crate) mod models;
pub(crate) mod session;
