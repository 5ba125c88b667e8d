//! Where the service is told to cache the beginning of a conversation (kiro-upstream §3.7).
//!
//! Tools come first, then the system text with the first turn, then the other turns; a point caches everything before it.
//! Clients of a protocol without marks get points where their conversation repeats: after the tools, after the system text,
//! and after the last two turns of the user, one to read what the last request wrote and one to write for the next.

use super::BuildContext;
use super::ledger::{AssistantTurn, Turn, UserTurn};
use super::notices::Notices;
use super::size::{self, rough_tokens};
use super::specs::Specs;
use crate::kiro::wire;

/// Keeps the marks that the model takes. Returns whether any are sent.
pub(super) fn place(turns: &mut [Turn], specs: &mut Specs, context: &BuildContext, notices: &mut Notices) -> bool {
    let marked = specs.cache_marks > 0 || turns.iter_mut().any(|turn| *mark(turn));
    if context.cache_points > 0 && context.cache_unmarked && !marked {
        choose(turns, specs);
    }
    drop_early(turns, specs, context);
    keep_newest(turns, specs.cache_marks, context, notices);
    context.cache_points > 0
}

fn choose(turns: &mut [Turn], specs: &mut Specs) {
    if !specs.tools.is_empty() {
        specs.tools.push(wire::Tool::CachePoint(wire::CachePoint::default()));
        specs.cache_marks = 1;
    }
    if let Some(first) = turns.first_mut() {
        *mark(first) = true;
    }
    for turn in turns.iter_mut().rev().filter(|turn| matches!(turn, Turn::User(_))).take(2) {
        *mark(turn) = true;
    }
}

/// A point after too little caches nothing and takes the place of one that does.
fn drop_early(turns: &mut [Turn], specs: &mut Specs, context: &BuildContext) {
    if context.cache_points == 0 || context.cache_minimum == 0 {
        return;
    }
    let mut before = 0;
    let mut dropped = 0;
    specs.tools.retain(|tool| {
        before += size::tool(tool, &mut rough_tokens);
        let early = matches!(tool, wire::Tool::CachePoint(_)) && before < context.cache_minimum;
        dropped += usize::from(early);
        !early
    });
    specs.cache_marks -= dropped;
    for turn in turns {
        before += cost(turn);
        if before < context.cache_minimum {
            *mark(turn) = false;
        }
    }
}

/// Clears the oldest marks above what the model takes.
fn keep_newest(turns: &mut [Turn], on_tools: usize, context: &BuildContext, notices: &mut Notices) {
    let mut room = context.cache_points.saturating_sub(on_tools);
    let mut dropped = on_tools.saturating_sub(context.cache_points);
    for turn in turns.iter_mut().rev() {
        let mark = mark(turn);
        if *mark && room == 0 {
            *mark = false;
            dropped += 1;
        } else if *mark {
            room -= 1;
        }
    }
    if dropped > 0 {
        notices.add(
            "cache_marks_dropped",
            "",
            format!("{dropped} cache mark(s) not sent; the service caches on its own"),
        );
    }
}

fn mark(turn: &mut Turn) -> &mut bool {
    match turn {
        Turn::User(turn) => &mut turn.cache,
        Turn::Assistant(turn) => &mut turn.cache,
    }
}

/// About the tokens of one turn.
fn cost(turn: &Turn) -> u64 {
    match turn {
        Turn::User(UserTurn { text, results, images, documents, .. }) => {
            let results = results.iter().flat_map(|result| &result.texts).map(|text| rough_tokens(text)).sum::<u64>();
            let media = images.iter().map(size::image).sum::<u64>() + documents.iter().map(size::document).sum::<u64>();
            rough_tokens(text) + results + media
        }
        Turn::Assistant(AssistantTurn { text, calls, reasoning, .. }) => {
            let calls =
                calls.iter().map(|call| serde_json::to_string(&call.input).map_or(0, |json| rough_tokens(&json)));
            let reasoning = match reasoning {
                Some(wire::ReasoningContent::ReasoningText(reasoning)) => rough_tokens(&reasoning.text),
                Some(wire::ReasoningContent::RedactedContent(_)) | None => 0,
            };
            rough_tokens(text) + calls.sum::<u64>() + reasoning
        }
    }
}
