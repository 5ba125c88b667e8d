//! What both OpenAI APIs (Chat Completions and Responses) share: the error envelope and the model list.
//!
//! - `failure`: `{"error": {message, type, param, code}}`, status, type and code for each class of failure.
//! - `models`: the model list and card, with the catalogue that Codex reads from the same answer.

pub(crate) mod failure;
pub(crate) mod models;
