//! Translation between client protocols and the Kiro upstream.
//!
//! Pure: bytes and values in, values out. No IO, no clock, no randomness, no async. Ids and times that an answer
//! repeats are handed in with the [`codec::RequestHead`].
//!
//! - [`conversation`]: the one representation every client protocol decodes into.
//! - [`event`]: the one stream every client protocol is encoded from; [`event::Reply`] is that stream folded.
//! - [`failure`]: what can go wrong, in twelve classes; each protocol has its own table of shapes.
//! - [`codec`]: the traits a client protocol implements. No module knows two client protocols.
//! - [`stop`], [`limit`]: limits the upstream does not know (stop sequences, output tokens), applied to the event stream.
//! - [`anthropic`]: Anthropic Messages. [`openai_chat`]: OpenAI Chat Completions and legacy completions.
//!   [`openai_responses`]: OpenAI Responses. [`gemini`]: Gemini generateContent.
//! - [`kiro`]: the upstream edge.

#![warn(missing_docs)]

pub mod anthropic;
pub mod codec;
pub mod conversation;
pub mod event;
pub mod failure;
pub mod gemini;
pub mod kiro;
pub mod limit;
mod openai;
pub mod openai_chat;
pub mod openai_responses;
mod reading;
pub mod sse;
pub mod stop;
