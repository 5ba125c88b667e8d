//! Whole answers: every recorded scenario, at several splits, and the rules that no recording covers.

use super::support::{Outcome, decode, decode_named, encode_frame, event_frame, sample};
use kiro_protocol::conversation::{Conversation, ToolSpec};
use kiro_protocol::event::{Event, ReplyBuilder, StopReason, Usage, UsageSource, parse_tool_input};
use kiro_protocol::kiro::event::{DecodeOptions, Ending, StreamFailureKind};
use kiro_protocol::kiro::request::{BuildContext, build};
use proptest::prelude::*;
use serde_json::{Value, json};

fn encode_message(message: &Value) -> Vec<u8> {
    let payload = if message["payload"].is_null() { Vec::new() } else { message["payload"].to_string().into_bytes() };
    let text = |key: &str| message[key].as_str().expect("a string");
    match text("message_type") {
        "event" => event_frame(text("event_type"), &message["payload"]),
        "exception" => {
            encode_frame(&[(":message-type", "exception"), (":exception-type", text("exception_type"))], &payload)
        }
        "error" => encode_frame(
            &[
                (":message-type", "error"),
                (":error-code", text("error_code")),
                (":error-message", text("error_message")),
            ],
            &payload,
        ),
        other => panic!("unknown message type {other}"),
    }
}

fn encode_scenario(scenario: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut cut = 0;
    for message in scenario["messages"].as_array().expect("messages") {
        if let Some(count) = message["cut_last_frame_bytes"].as_u64() {
            cut = usize::try_from(count).expect("small");
        } else if message["pause_ms"].is_null() {
            let frame = encode_message(message);
            bytes.extend_from_slice(&frame[..frame.len() - std::mem::take(&mut cut)]);
        }
    }
    bytes
}

fn tool_calls(outcome: &Outcome) -> Vec<Value> {
    let mut calls = Vec::new();
    let mut open: Option<(String, String, String)> = None;
    for event in &outcome.events {
        match event {
            Event::ToolUseStart { id, name } => {
                assert!(open.is_none(), "calls never interleave");
                open = Some((id.clone(), name.clone(), String::new()));
            }
            Event::ToolInput(piece) => open.as_mut().expect("a started call").2.push_str(piece),
            Event::ToolUseEnd => {
                let (id, name, input) = open.take().expect("a started call");
                let input = parse_tool_input(&input).expect("the input of an ended call is an object");
                calls.push(json!({ "id": id, "name": name, "input": input }));
            }
            Event::Text(_) | Event::Thinking(_) | Event::ThinkingSignature(_) | Event::RedactedThinking(_) => {
                assert!(open.is_none(), "nothing stands inside a call");
            }
            Event::ToolUseCut | Event::SearchStart { .. } | Event::SearchDone { .. } => {
                panic!("the upstream edge makes no such event");
            }
            Event::Usage(_) | Event::Stop(_) => {}
        }
    }
    calls
}

fn stop_name(outcome: &Outcome) -> Value {
    match outcome.events.last() {
        Some(Event::Stop(StopReason::EndTurn)) => json!("end_turn"),
        Some(Event::Stop(StopReason::ToolUse)) => json!("tool_use"),
        Some(Event::Stop(StopReason::MaxTokens)) => json!("max_tokens"),
        Some(Event::Stop(StopReason::ContextWindow)) => json!("model_context_window_exceeded"),
        Some(Event::Stop(StopReason::Refusal)) => json!("refusal"),
        _ => Value::Null,
    }
}

fn usage(outcome: &Outcome) -> Usage {
    let mut usage = Usage::default();
    for event in &outcome.events {
        if let Event::Usage(part) = event {
            usage.merge(part);
        }
    }
    usage
}

fn reasoning(outcome: &Outcome) -> Value {
    let mut found = serde_json::Map::new();
    for event in &outcome.events {
        let (key, piece) = match event {
            Event::Thinking(piece) => ("text", piece),
            Event::ThinkingSignature(piece) => ("signature", piece),
            Event::RedactedThinking(piece) => ("redacted", piece),
            _ => continue,
        };
        let joined = format!("{}{piece}", found.get(key).and_then(Value::as_str).unwrap_or_default());
        found.insert(key.to_owned(), json!(joined));
    }
    Value::Object(found)
}

/// What the failure is called in the recordings.
fn failure_kind(outcome: &Outcome) -> Option<(&'static str, String)> {
    let failure = outcome.result.as_ref().err()?;
    Some(match &failure.kind {
        StreamFailureKind::Truncated => ("truncated", String::new()),
        StreamFailureKind::Corrupt => ("corrupt", String::new()),
        StreamFailureKind::Exception { name, .. } => ("exception", name.clone()),
        StreamFailureKind::OpenToolCall { id, .. } => ("open_tool_call", id.clone()),
        StreamFailureKind::InvalidToolInput { id, .. } => ("invalid_tool_input", id.clone()),
    })
}

fn check(name: &str, expected: &Value, outcome: &Outcome) {
    // Calls written as text are not rescued: that would make text executable. They stay text.
    if name == "tool-call-as-text" {
        assert!(outcome.text().starts_with("<function_calls>") && outcome.is_complete(), "{name}");
        return;
    }
    assert_eq!(json!(outcome.text()), expected["text"], "{name}: text");
    assert_eq!(json!(tool_calls(outcome)), expected["tool_calls"], "{name}: calls");
    assert_eq!(json!(outcome.is_complete()), expected["complete"], "{name}: complete");
    if outcome.is_complete() {
        assert_eq!(stop_name(outcome), expected["stop_reason"], "{name}: stop reason");
        let mut builder = ReplyBuilder::default();
        for event in &outcome.events {
            builder.push(event).expect("complete events fold");
        }
        builder.finish().expect("a complete answer folds");
    }
    let usage = usage(outcome);
    for (key, got) in [("context_usage_percentage", usage.context_percentage), ("credits", usage.credits)] {
        if let Some(value) = expected[key].as_f64() {
            assert_eq!(got, Some(value), "{name}: {key}");
        }
    }
    if expected["usage"].is_object() {
        for (key, got) in [
            ("input_tokens", usage.input_tokens),
            ("output_tokens", usage.output_tokens),
            ("cache_read_input_tokens", usage.cache_read_tokens),
            ("cache_creation_input_tokens", usage.cache_write_tokens),
        ] {
            assert_eq!(json!(got), expected["usage"][key], "{name}: {key}");
        }
        assert_eq!(usage.input_source, UsageSource::Upstream, "{name}");
    }
    if expected["usage_source"] == "contextUsageEvent" {
        assert_eq!((usage.input_tokens, usage.output_tokens), (None, None), "{name}: counts of zero are no counts");
    }
    if expected["reasoning"].is_object() {
        assert_eq!(reasoning(outcome), expected["reasoning"], "{name}: reasoning");
    }
    let failure = failure_kind(outcome);
    match expected["error"]["kind"].as_str() {
        Some("empty_response") => assert!(outcome.empty, "{name}"),
        Some("transport" | "truncated_frame") => {
            assert_eq!(failure, Some(("truncated", String::new())), "{name}");
        }
        Some(exception) => assert_eq!(failure, Some(("exception", exception.to_owned())), "{name}"),
        None => {}
    }
    for (key, kind) in [("truncated_tool", "open_tool_call"), ("invalid_tool", "invalid_tool_input")] {
        if let Some(id) = expected[key]["id"].as_str() {
            assert_eq!(failure, Some((kind, id.to_owned())), "{name}");
        }
    }
}

#[test]
fn every_recorded_scenario_gives_what_is_expected_at_any_split() {
    let sample = sample("stream-scenarios.json");
    let scenarios = sample["scenarios"].as_array().expect("scenarios");
    assert_eq!(scenarios.len(), 38);
    for scenario in scenarios {
        let name = scenario["name"].as_str().expect("name");
        let ending = match scenario["end"].as_str() {
            Some("eof") => Ending::Clean,
            Some("hang") => Ending::Idle,
            Some("reset") => Ending::Reset,
            other => panic!("unknown end {other:?}"),
        };
        let options = DecodeOptions {
            inline_thinking: name.starts_with("inline-"),
            drop_referenced_code: name.starts_with("code-reference"),
        };
        let bytes = encode_scenario(scenario);
        let whole = decode([bytes.as_slice()], ending, options);
        check(name, &scenario["expected"], &whole);
        for chunk in [1, 7] {
            assert_eq!(decode(bytes.chunks(chunk), ending, options), whole, "{name} in pieces of {chunk}");
        }
        for at in 0..bytes.len() {
            let (left, right) = bytes.split_at(at);
            assert_eq!(decode([left, right], ending, options), whole, "{name} split at {at}");
        }
    }
}

fn run(messages: &[Value], ending: Ending) -> Outcome {
    run_with(messages, ending, DecodeOptions::default())
}

fn run_with(messages: &[Value], ending: Ending, options: DecodeOptions) -> Outcome {
    let bytes: Vec<u8> = messages.iter().flat_map(encode_event).collect();
    decode([bytes.as_slice()], ending, options)
}

/// `{"eventType": payload}` as a frame.
fn encode_event(message: &Value) -> Vec<u8> {
    let (kind, payload) = message.as_object().and_then(|map| map.iter().next()).expect("one event");
    event_frame(kind, payload)
}

fn text(content: &str) -> Value {
    json!({ "assistantResponseEvent": { "content": content } })
}

fn call(id: &str, input: &Value, stop: bool) -> Value {
    json!({ "toolUseEvent": { "toolUseId": id, "name": "Read", "input": input, "stop": stop } })
}

fn metering() -> Value {
    json!({ "meteringEvent": { "usage": 0.5, "unit": "credit" } })
}

#[test]
fn text_before_a_code_reference_is_kept_unless_asked_otherwise() {
    let messages = [text("a"), text("b"), json!({ "codeReferenceEvent": { "references": [] } }), text("c"), metering()];
    assert_eq!(run(&messages, Ending::Clean).text(), "abc");
    let options = DecodeOptions { drop_referenced_code: true, ..DecodeOptions::default() };
    assert_eq!(run_with(&messages, Ending::Clean, options).text(), "ac");
}

#[test]
fn native_reasoning_switches_the_tags_off() {
    let options = DecodeOptions { inline_thinking: true, ..DecodeOptions::default() };
    let messages = [json!({ "reasoningContentEvent": { "text": "native" } }), text("<thinking>x</thinking>")];
    let outcome = run_with(&messages, Ending::Clean, options);
    assert_eq!(outcome.text(), "<thinking>x</thinking>");
    assert_eq!(reasoning(&outcome), json!({ "text": "native" }));
}

#[test]
fn a_second_stop_and_a_repeated_announcement_change_nothing() {
    let messages = [
        call("a", &json!("{\"x\":1}"), true),
        call("a", &Value::Null, true),
        json!({ "toolUseEvent": { "toolUseId": "a", "name": "Read" } }),
        metering(),
    ];
    let outcome = run(&messages, Ending::Clean);
    assert_eq!(tool_calls(&outcome), [json!({ "id": "a", "name": "Read", "input": { "x": 1 } })]);
    assert_eq!(stop_name(&outcome), json!("tool_use"));
}

#[test]
fn more_input_after_the_stop_is_a_failure() {
    let outcome =
        run(&[call("a", &json!("{}"), true), call("a", &json!("{\"x\":1}"), true), metering()], Ending::Clean);
    assert_eq!(failure_kind(&outcome), Some(("invalid_tool_input", "a".to_owned())));
    assert!(!outcome.is_complete());
}

#[test]
fn interleaved_calls_and_text_come_out_one_after_the_other() {
    let messages = [
        call("ghost", &Value::Null, false),
        call("a", &json!("{\"x\""), false),
        text("between"),
        call("b", &json!("{\"y\":"), false),
        call("a", &json!(":1}"), true),
        call("b", &json!("2}"), true),
        metering(),
    ];
    let outcome = run(&messages, Ending::Clean);
    assert_eq!(
        tool_calls(&outcome),
        [
            json!({ "id": "a", "name": "Read", "input": { "x": 1 } }),
            json!({ "id": "b", "name": "Read", "input": { "y": 2 } }),
        ]
    );
    assert_eq!(outcome.text(), "between");
    assert!(outcome.is_complete());
}

#[test]
fn an_open_call_is_a_failure_even_after_metering_or_the_length_exception() {
    for ending in [Ending::Clean, Ending::Reset, Ending::Idle] {
        let outcome = run(&[text("t"), call("a", &json!("{\"x\""), false), metering()], ending);
        assert_eq!(failure_kind(&outcome), Some(("open_tool_call", "a".to_owned())));
        assert!(!outcome.is_complete());
    }
}

#[test]
fn nothing_but_a_clean_end_or_metering_makes_an_answer_complete() {
    for ending in [Ending::Reset, Ending::Idle] {
        let usage = json!({ "contextUsageEvent": { "contextUsagePercentage": 1.0 } });
        assert_eq!(failure_kind(&run(&[text("t"), usage], ending)), Some(("truncated", String::new())));
        assert!(run(&[text("t"), metering()], ending).is_complete());
    }
}

#[test]
fn an_answer_without_content_is_complete_only_when_it_was_metered() {
    let metadata = json!({ "messageMetadataEvent": { "conversationId": "c" } });
    assert_eq!(failure_kind(&run(std::slice::from_ref(&metadata), Ending::Clean)), Some(("truncated", String::new())));
    let outcome = run(&[metadata, metering()], Ending::Clean);
    assert!(outcome.is_complete() && outcome.empty);
}

#[test]
fn a_length_exception_before_any_output_is_an_error() {
    let exception = encode_frame(
        &[(":message-type", "exception"), (":exception-type", "ContentLengthExceededException")],
        br#"{"message":"too long"}"#,
    );
    let outcome = decode([exception.as_slice()], Ending::Clean, DecodeOptions::default());
    assert_eq!(failure_kind(&outcome), Some(("exception", "ContentLengthExceededException".to_owned())));
}

#[test]
fn a_payload_that_is_no_json_or_of_wrong_type_is_corruption_where_it_matters() {
    for (kind, payload) in [
        ("assistantResponseEvent", &b"not json"[..]),
        ("assistantResponseEvent", b"\xff\xfe"),
        ("assistantResponseEvent", br#"{"content":5}"#),
        ("toolUseEvent", br#"{"name":"Read"}"#),
        ("meteringEvent", b""),
    ] {
        let frame = encode_frame(&[(":message-type", "event"), (":event-type", kind)], payload);
        let outcome = decode([frame.as_slice()], Ending::Clean, DecodeOptions::default());
        assert_eq!(failure_kind(&outcome), Some(("corrupt", String::new())), "{kind}");
        assert!(!outcome.is_complete());
    }
    let unknown = encode_frame(&[(":message-type", "event"), (":event-type", "brandNewEvent")], b"not json");
    let bytes = [unknown, encode_event(&text("t"))].concat();
    let outcome = decode([bytes.as_slice()], Ending::Clean, DecodeOptions::default());
    assert!(outcome.is_complete());
    assert_eq!(outcome.skipped, ["brandNewEvent"]);
}

#[test]
fn names_of_tools_and_properties_are_restored() {
    let long = "mcp__server__".repeat(8);
    let schema = json!({ "type": "object", "properties": { "$path to file": { "type": "string" } } });
    let tool = ToolSpec {
        name: long.clone(),
        description: "d".to_owned(),
        schema: schema.as_object().cloned().expect("object"),
        cache: false,
    };
    let conversation = Conversation { tools: vec![tool], ..Conversation::default() };
    let names = build(&conversation, &BuildContext::default()).names;
    let upstream = names.upstream(&long).to_owned();
    let property = names.properties(&upstream).and_then(|names| names.keys().next()).expect("a rename").clone();
    let input = json!({ property: "/a" }).to_string();
    let (left, right) = input.split_at(5);
    let piece = |input: &str, stop: bool| {
        let payload = json!({ "toolUseId": "a", "name": upstream, "input": input, "stop": stop });
        event_frame("toolUseEvent", &payload)
    };
    let bytes = [piece(left, false), piece(right, true)].concat();
    let outcome = decode_named([bytes.as_slice()], Ending::Clean, DecodeOptions::default(), names);
    assert_eq!(tool_calls(&outcome), [json!({ "id": "a", "name": long, "input": { "$path to file": "/a" } })]);
}

fn any_event() -> impl Strategy<Value = Value> {
    let id = prop::sample::select(vec!["a", "b", "c"]);
    let input = prop::sample::select(vec![
        Value::Null,
        json!(""),
        json!("{\"x\":"),
        json!("1}"),
        json!("{}"),
        json!({ "x": 1 }),
        json!([1]),
        json!(" "),
    ]);
    prop_oneof![
        3 => prop::sample::select(vec!["t", "<thinking>", "</thinking>", "`", "\n", ""]).prop_map(text),
        4 => (id, input, any::<bool>()).prop_map(|(id, input, stop)| call(id, &input, stop)),
        1 => Just(json!({ "reasoningContentEvent": { "text": "r", "signature": "s" } })),
        1 => Just(json!({ "codeReferenceEvent": {} })),
        1 => Just(metering()),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_a_complete_answer_folds_and_an_incomplete_one_has_no_stop(
        messages in prop::collection::vec(any_event(), 0..16),
        ending in prop::sample::select(vec![Ending::Clean, Ending::Reset, Ending::Idle]),
        inline_thinking in any::<bool>(),
        drop_referenced_code in any::<bool>(),
    ) {
        let options = DecodeOptions { inline_thinking, drop_referenced_code };
        let outcome = run_with(&messages, ending, options);
        let calls = tool_calls(&outcome);
        if outcome.is_complete() {
            let mut builder = ReplyBuilder::default();
            for event in &outcome.events {
                prop_assert_eq!(builder.push(event), Ok(()));
            }
            let reply = builder.finish().expect("a complete answer folds");
            prop_assert_eq!(reply.stop == StopReason::ToolUse, !calls.is_empty());
            prop_assert!(matches!(outcome.events.last(), Some(Event::Stop(_))));
        }
    }
}
