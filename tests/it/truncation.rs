//! The promise that leads this product: a truncated or corrupt upstream answer is never reported as complete.

use http::StatusCode;
use kiro_simulator::{Answer, Cut, End, Faults, Flip, Script, Target};
use serde_json::json;

use crate::harness::{Plan, World, ask};

const TEXT: &str = "The quick brown fox jumps over the lazy dog and then has a long rest in the shade of a tree";

fn script(faults: Faults) -> Script {
    Script { answer: Answer::Text(TEXT.to_owned()), faults, ..Script::default() }
}

async fn world() -> World {
    // Many broken answers in a row must not park the account that the next case needs.
    let store = crate::refresh::vault_key();
    Plan::default().set("limits.retries", 0).options(move |options| options.store = store).start().await
}

/// Forgets that the account failed often.
async fn heal(world: &mut World) {
    world.restart(|_| {}).await.expect("opens again");
    world.listen().await;
}

/// How many bytes the whole answer has.
async fn length(world: &World) -> u64 {
    world.control.enqueue(Target::Any, script(Faults::default()));
    let stream = world.stream(&ask("go")).await;
    assert!(stream.complete() && stream.text() == TEXT, "the untouched answer is complete: {}", stream.body);
    let entry = world.control.journal().into_iter().rfind(|entry| entry.operation == "GenerateAssistantResponse");
    entry.expect("a chat request").stream_bytes
}

async fn assert_incomplete(world: &World, faults: Faults, what: &str) {
    world.control.enqueue(Target::Any, script(faults.clone()));
    let stream = world.stream(&ask("go")).await;
    assert!(!stream.complete(), "{what}: reported as complete: {}", stream.body);
    assert!(stream.stop_reason().is_none(), "{what}: a stop reason was given: {}", stream.body);
    assert!(stream.error().is_some() || !stream.status.is_success(), "{what}: no error: {}", stream.body);

    world.control.enqueue(Target::Any, script(faults));
    let (status, reply) = world.send(&ask("go")).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{what}: {reply}");
    assert_eq!(reply["type"], "error", "{what}: {reply}");
    assert!(reply.get("content").is_none(), "{what}: {reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_at_any_offset_before_the_metering_is_never_a_complete_answer() {
    let mut world = world().await;
    let length = i64::try_from(length(&world).await).unwrap();
    // The trailing context and metering events may be whole: what follows the metering is not needed for completeness.
    let text_ends = length - 320;
    assert!(text_ends > 400);
    for at in (0..text_ends).step_by(29) {
        let faults = Faults { cut: Some(Cut { at, end: End::Reset }), ..Faults::default() };
        assert_incomplete(&world, faults, &format!("reset after {at} of {length} bytes")).await;
        heal(&mut world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_end_inside_a_frame_is_never_a_complete_answer() {
    let mut world = world().await;
    let length = i64::try_from(length(&world).await).unwrap();
    // Every frame is longer than 40 bytes, so that one of two neighbouring offsets at least is inside a frame.
    for at in [1, 3, 11, 12, 15, 16, 40, length / 3, length / 2, length - 330] {
        for at in [at, at + 1] {
            let faults = Faults { cut: Some(Cut { at, end: End::Eof }), ..Faults::default() };
            world.control.enqueue(Target::Any, script(faults));
            let stream = world.stream(&ask("go")).await;
            let inside = stream.error().is_some() || !stream.status.is_success();
            assert!(inside || stream.complete(), "neither failed nor complete: {}", stream.body);
            if stream.complete() {
                // Only a cut between two frames may look like an end, and then nothing that was sent is missing.
                assert!(TEXT.starts_with(&stream.text()) && at > 40, "cut after {at} bytes passed: {}", stream.body);
            }
        }
        heal(&mut world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_anywhere_is_never_a_complete_answer() {
    let mut world = world().await;
    let length = i64::try_from(length(&world).await).unwrap();
    for (n, at) in (0..length).step_by(37).enumerate() {
        let faults = Faults { flip: vec![Flip { at, bit: u8::try_from(n % 8).unwrap() }], ..Faults::default() };
        assert_incomplete(&world, faults, &format!("bit {} of byte {at} of {length}", n % 8)).await;
        heal(&mut world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cuts_are_found_also_in_writes_of_seven_bytes() {
    let store = crate::refresh::vault_key();
    let mut world =
        Plan::default().set("limits.retries", 0).chunk(7).options(move |options| options.store = store).start().await;
    for at in [5, 100, 333, 700] {
        let faults = Faults { cut: Some(Cut { at, end: End::Reset }), ..Faults::default() };
        assert_incomplete(&world, faults, &format!("reset after {at} bytes")).await;
        heal(&mut world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_call_cut_off_in_its_input_is_never_a_call_with_a_complete_answer() {
    let mut world = world().await;
    for scenario in ["tool-call-fragments", "two-tool-calls", "tool-call-single-event"] {
        for at in [150, 300, 450] {
            let faults = Faults { cut: Some(Cut { at, end: End::Reset }), ..Faults::default() };
            world.control.enqueue(
                Target::Any,
                Script { answer: Answer::Scenario(scenario.into()), faults, ..Script::default() },
            );
            let mut body = ask("go");
            body["tools"] = json!([{"name": "Read", "description": "reads", "input_schema": {"type": "object"}}, {"name": "Bash", "description": "runs", "input_schema": {"type": "object"}}]);
            let stream = world.stream(&body).await;
            let whole = world.control.journal().last().map_or(0, |entry| entry.stream_bytes);
            assert!(!stream.complete() || whole < at.unsigned_abs(), "{scenario} cut after {at}: {}", stream.body);
            heal(&mut world).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_inside_an_answer_is_an_error_and_not_an_end() {
    let world = Plan::default().set("limits.retries", 0).set("limits.idleSeconds", 10).start().await;
    world
        .control
        .enqueue(Target::Any, script(Faults { cut: Some(Cut { at: 400, end: End::Hang }), ..Faults::default() }));
    let stream = world.stream(&ask("go")).await;
    assert!(!stream.complete(), "{}", stream.body);
    assert!(stream.error().is_some(), "{}", stream.body);
    world.control.release();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_broke_before_anything_was_delivered_is_asked_again() {
    let world = World::start().await;
    world
        .control
        .enqueue(Target::Any, script(Faults { cut: Some(Cut { at: 10, end: End::Reset }), ..Faults::default() }));
    world.control.enqueue(Target::Any, script(Faults::default()));
    let stream = world.stream(&ask("go")).await;
    assert!(stream.complete(), "{}", stream.body);
    assert_eq!(stream.text(), TEXT, "nothing is doubled or spliced");
    assert_eq!(world.upstream_calls(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_broke_after_delivery_is_never_spliced() {
    let world = World::start().await;
    world
        .control
        .enqueue(Target::Any, script(Faults { cut: Some(Cut { at: 700, end: End::Reset }), ..Faults::default() }));
    let stream = world.stream(&ask("go")).await;
    assert!(!stream.complete(), "{}", stream.body);
    assert!(!stream.text().is_empty() && TEXT.starts_with(&stream.text()), "{}", stream.body);
    assert_eq!(world.upstream_calls(), 1);
}
