//! An answer is thousands of small events: encoding one must not ask the allocator for more than its own text needs.

#[path = "support/cost.rs"]
mod cost;

use allocation_counter::measure;
use cost::Stream;
use kiro_protocol::anthropic::AnthropicMessages;
use kiro_protocol::codec::Protocol;
use kiro_protocol::gemini::Gemini;
use kiro_protocol::openai_chat::{OpenAiChat, OpenAiCompletions};
use kiro_protocol::openai_responses::OpenAiResponses;

/// Allocations for `EVENTS` text events, beside the ones by which the output buffer and the collected text grow.
fn allocations<P: Protocol>() -> u64 {
    let mut stream = Stream::<P>::new();
    let counted = measure(|| {
        for _ in 0..EVENTS {
            stream.text();
        }
    });
    assert!(stream.sent() > 10 * EVENTS, "nothing was encoded");
    counted.count_total.saturating_sub(GROWTH)
}

const EVENTS: usize = 1_000;
/// A buffer that doubles from nothing reaches a gigabyte in so many steps; there are two of them.
const GROWTH: u64 = 2 * 24;

#[test]
fn a_text_event_costs_at_most_one_allocation_beyond_the_buffer() {
    let found = [
        ("anthropic", allocations::<AnthropicMessages>()),
        ("gemini", allocations::<Gemini>()),
        ("openai chat", allocations::<OpenAiChat>()),
        ("openai completions", allocations::<OpenAiCompletions>()),
        ("openai responses", allocations::<OpenAiResponses>()),
    ];
    for (name, count) in found {
        println!("{name}: {count} allocations for {EVENTS} text events");
        assert!(count <= EVENTS as u64, "{name}: {count} allocations for {EVENTS} text events");
    }
}

#[test]
fn the_counter_counts() {
    let counted = measure(|| drop(std::hint::black_box(Box::new(7_u64))));
    assert_eq!(counted.count_total, 1);
}
