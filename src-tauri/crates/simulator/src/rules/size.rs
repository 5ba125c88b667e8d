//! How much fits: V16, V17, V18 (V19, the number of turns, has no proven limit).
//!
//! Lenient where sources differ: 600,000 characters of user text and 800,000 of a tool result; about four bytes per
//! token; the byte limit of 615 KB holds for windows below one million tokens and grows with larger ones; images and
//! documents count for neither.

use super::request::Request;
use super::{Findings, at_turn, media};
use crate::models::Model;
use crate::refusal::Refusal;

const MAX_USER_TEXT: usize = 600_000;
const MAX_RESULT_TEXT: usize = 800_000;
const MAX_BODY: usize = 615_000;
const BYTES_PER_TOKEN: u64 = 4;

pub(super) fn check(request: &Request, body_bytes: usize, model: Option<&Model>, found: &mut Findings) {
    let state = &request.conversation_state;
    let turns = state.history.iter().enumerate().map(|(n, turn)| (at_turn(n), turn));
    for (place, turn) in turns.chain([("current message".to_owned(), &state.current_message)]) {
        let Some(user) = &turn.user_input_message else { continue };
        if user.content.chars().count() > MAX_USER_TEXT {
            found.refuse(too_long("V17", format!("{place}: text longer than {MAX_USER_TEXT} characters")));
        }
        for result in user.results() {
            let lengths = result.content.iter().map(|part| {
                part.text.as_ref().map_or(0, |t| t.chars().count())
                    + part.json.as_ref().map_or(0, |j| j.to_string().chars().count())
            });
            if lengths.max().unwrap_or(0) > MAX_RESULT_TEXT {
                found.refuse(too_long("V17", format!("{place}: tool result longer than {MAX_RESULT_TEXT} characters")));
            }
        }
    }
    let text_bytes = body_bytes.saturating_sub(media::media_bytes(request));
    let window = model.map_or(200_000, |m| m.window);
    let tokens = text_bytes as u64 / BYTES_PER_TOKEN;
    if tokens > window {
        found.refuse(too_long("V18", format!("about {tokens} tokens in a window of {window}")));
    }
    let limit = if window >= 1_000_000 { MAX_BODY * 5 } else { MAX_BODY };
    if text_bytes > limit {
        found.refuse(Refusal::malformed("V16", format!("{text_bytes} bytes of at most {limit}")));
    }
}

fn too_long(rule: &'static str, detail: String) -> Refusal {
    Refusal::malformed(rule, detail).reason("CONTENT_LENGTH_EXCEEDS_THRESHOLD").message("Input is too long.")
}
