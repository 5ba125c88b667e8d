//! What translation costs: a text event in each protocol, and a large body from client to upstream.
//!
//! `cargo bench -p kiro-protocol`. At the end the ratio that has an aim: the way of a 600 KB body through the translation, against
//! serde_json parsing the same bytes into a `Value`, both measured by turns in one run.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(clippy::print_stdout, reason = "a measurement prints its figures")]

#[path = "../tests/support/cost.rs"]
mod cost;

use cost::{Stream, claude_code_body, translate};
use divan::{AllocProfiler, Bencher, black_box};
use kiro_protocol::anthropic::AnthropicMessages;
use kiro_protocol::codec::{Protocol, RequestHead};
use kiro_protocol::gemini::Gemini;
use kiro_protocol::openai_chat::{OpenAiChat, OpenAiCompletions};
use kiro_protocol::openai_responses::OpenAiResponses;
use serde_json::Value;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const BODY: usize = 600_000;
/// Text events per measured call; the figure for one is a thousandth.
const EVENTS: usize = 1_000;

fn main() {
    divan::main();
    ratio();
}

#[divan::bench(types = [AnthropicMessages, Gemini, OpenAiChat, OpenAiCompletions, OpenAiResponses])]
fn a_thousand_text_events<P: Protocol>(bencher: Bencher<'_, '_>) {
    bencher.counter(divan::counter::ItemsCount::new(EVENTS)).with_inputs(Stream::<P>::new).bench_local_refs(|stream| {
        for _ in 0..EVENTS {
            stream.text();
        }
        stream.sent()
    });
}

#[divan::bench]
fn body_as_value(bencher: Bencher<'_, '_>) {
    let body = claude_code_body(BODY);
    bencher
        .counter(divan::counter::BytesCount::new(body.len()))
        .bench_local(|| serde_json::from_slice::<Value>(black_box(&body)));
}

#[divan::bench]
fn body_decoded(bencher: Bencher<'_, '_>) {
    let body = claude_code_body(BODY);
    let head = RequestHead::default();
    bencher
        .counter(divan::counter::BytesCount::new(body.len()))
        .bench_local(|| AnthropicMessages::decode(&head, black_box(&body)));
}

#[divan::bench]
fn body_decoded_built_written(bencher: Bencher<'_, '_>) {
    let body = claude_code_body(BODY);
    let head = RequestHead::default();
    bencher
        .counter(divan::counter::BytesCount::new(body.len()))
        .bench_local(|| translate::<AnthropicMessages>(&head, black_box(&body)));
}

/// Medians of alternating measurements.
fn ratio() {
    let body = claude_code_body(BODY);
    let head = RequestHead::default();
    let time = |work: &dyn Fn()| {
        let begin = Instant::now();
        work();
        begin.elapsed()
    };
    let (mut parse, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        parse.push(time(&|| drop(black_box(serde_json::from_slice::<Value>(black_box(&body))))));
        whole.push(time(&|| drop(black_box(translate::<AnthropicMessages>(&head, black_box(&body))))));
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2].as_secs_f64() * 1e6
    };
    let (parse, whole) = (median(&mut parse), median(&mut whole));
    println!(
        "\n{} KB: parse into a Value {parse:.0} µs; decode, build and write {whole:.0} µs; ratio {:.2} (aim: ≤ 3)",
        body.len() / 1000,
        whole / parse
    );
}
