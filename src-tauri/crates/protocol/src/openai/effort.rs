//! `reasoning_effort` and `reasoning.effort`.

use crate::conversation::{Conversation, Effort, Thinking};
use crate::reading::notes::Notes;

/// Takes an effort level over. Whoever names one wants a model that thinks, except with `none`; models that know only the
/// one or only the other get what they know.
pub(crate) fn apply(level: &str, path: &str, into: &mut Conversation, notes: &mut Notes) {
    let effort = match level {
        "none" => {
            into.thinking = Thinking::Off;
            into.sampling.effort = None;
            return;
        }
        "auto" | "default" => return,
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        _ => {
            notes.add("unknown_value", path, "this effort level is not known and was ignored");
            return;
        }
    };
    into.sampling.effort = Some(effort);
    into.thinking = Thinking::Adaptive;
}
