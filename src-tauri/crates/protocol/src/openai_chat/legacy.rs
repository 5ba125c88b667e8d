//! `/v1/completions`: a prompt in, its continuation out.
//!
//! The models behind this gateway only hold conversations, so the prompt is what the user says, word for word, and the
//! text of the answer is the continuation. What cannot be had that way is refused: an answer that ignored a suffix would
//! not fit its place.

mod decode;
mod encode;

pub(super) use decode::decode;
pub use encode::CompletionEncoder;
pub(super) use encode::completion;
