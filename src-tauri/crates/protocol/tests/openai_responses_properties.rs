//! What holds for every answer, every order of events and every body.

mod support;

use kiro_protocol::codec::{Echo, Protocol, RequestHead, ToolForm, ToolKind};
use kiro_protocol::conversation::Block;
use kiro_protocol::event::{Event, StopReason};
use kiro_protocol::failure::{Failure, FailureClass};
use kiro_protocol::openai_responses::{MAX_ITEMS, MAX_TOOLS, OpenAiResponses};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use support::encoded::{opened_stream, plain_echo, reply};
use support::generate::{answer, any_event, json_value, stop, text};
use support::openai_responses::fold;

/// Every form of the tool that the generated answers call, and every wish about reasoning and sources.
fn echo() -> impl Strategy<Value = Echo> {
    let forms = [
        (ToolKind::Function, "plain", None),
        (ToolKind::Function, "inner", Some("space")),
        (ToolKind::Freeform, "apply_patch", None),
        (ToolKind::LocalShell, "local_shell", None),
        (ToolKind::LocalShell, "shell", None),
        (ToolKind::ToolSearch, "tool_search", None),
    ];
    let include =
        prop::sample::subsequence(vec!["reasoning.encrypted_content", "web_search_call.action.sources"], 0..=2);
    (prop::option::of(prop::sample::select(forms.to_vec())), include, any::<bool>(), any::<bool>()).prop_map(
        |(form, include, show_thinking, store)| {
            let mut tools = BTreeMap::new();
            if let Some((kind, name, namespace)) = form {
                let form = ToolForm { kind, name: name.into(), namespace: namespace.map(Into::into) };
                tools.insert("tool".to_owned(), form);
            }
            let repeat = json!({ "store": store, "include": include, "tools": [], "metadata": { "a": "b" } });
            Echo {
                show_thinking,
                tools: Arc::new(tools),
                repeat: Arc::new(repeat.as_object().cloned().unwrap_or_default()),
                ..plain_echo()
            }
        },
    )
}

fn folded_and_whole(events: &[Event], echo: &Echo) -> (Option<Value>, Option<Value>) {
    let whole = OpenAiResponses::encode(&reply(events), echo);
    let folded = fold(&opened_stream::<OpenAiResponses>(events, echo, Ok(()))).expect("a right ladder of events");
    (folded.message, Some(whole))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_read_back_is_the_whole_reply(events in answer(), stop in stop(), echo in echo()) {
        let events: Vec<Event> = events.into_iter().chain([Event::Stop(stop)]).collect();
        let (folded, whole) = folded_and_whole(&events, &echo);
        prop_assert_eq!(folded, whole);
    }

    #[test]
    fn a_compaction_read_back_is_the_whole_reply(events in answer(), stop in stop(), mut echo in echo()) {
        Arc::make_mut(&mut echo.repeat).insert("compaction".into(), json!([]));
        let events: Vec<Event> = events.into_iter().chain([Event::Stop(stop)]).collect();
        let (folded, whole) = folded_and_whole(&events, &echo);
        prop_assert_eq!(&folded, &whole);
        prop_assert_eq!(&folded.unwrap_or_default()["output"][0]["type"], "compaction");
    }

    #[test]
    fn a_call_that_was_cut_is_no_item(events in answer(), echo in echo(), piece in "[a-z]{1,4}") {
        let cut = [
            Event::ToolUseStart { id: "call_cut".into(), name: "tool".into() },
            Event::ToolInput(format!("{{\"input\":\"{piece}")),
            Event::ToolUseCut,
            Event::Stop(StopReason::MaxTokens),
        ];
        let events: Vec<Event> = events.into_iter().chain(cut).collect();
        let folded = fold(&opened_stream::<OpenAiResponses>(&events, &echo, Ok(()))).expect("a right ladder of events");
        let message = folded.message.expect("an incomplete answer has an end");
        prop_assert_eq!(&message["status"], "incomplete");
        prop_assert!(!message["output"].to_string().contains("call_cut"));
    }

    #[test]
    fn a_cut_answer_never_looks_complete(
        events in answer(), echo in echo(), keep in 0.0..1.0_f64, class in prop::sample::select(FailureClass::ALL.to_vec()),
    ) {
        let keep = (events.len() as f64 * keep) as usize;
        let failure = Failure::new(class, "upstream_cut", "cut");
        for result in [Err(&failure), Ok(())] {
            let folded = fold(&opened_stream::<OpenAiResponses>(&events[..keep], &echo, result)).expect("a right ladder of events");
            prop_assert!(folded.message.is_none());
            let error = folded.error.expect("a failed response");
            prop_assert_eq!(&error["type"], "response.failed");
        }
    }

    #[test]
    fn any_order_of_events_is_survived(events in prop::collection::vec(any_event(), 0..24), echo in echo()) {
        let bytes = opened_stream::<OpenAiResponses>(&events, &echo, Ok(()));
        prop_assert!(bytes.ends_with(b"\n\n"));
    }

    #[test]
    fn reasoning_comes_back_unchanged(thinking in text(), signature in prop::option::of(text())) {
        let echo = Echo { repeat: Arc::new(Map::from_iter([("store".into(), json!(true))])), ..Echo::default() };
        let mut events = vec![Event::Thinking("t".into()), Event::Thinking(thinking.clone())];
        events.extend(signature.clone().map(Event::ThinkingSignature));
        events.extend([Event::RedactedThinking("ZA==".into()), Event::Text("x".into()), Event::Stop(StopReason::EndTurn)]);
        let (folded, _) = folded_and_whole(&events, &echo);
        let mut input = folded.unwrap_or_default()["output"].as_array().cloned().unwrap_or_default();
        input.push(json!({ "role": "user", "content": "y" }));
        let body = json!({ "model": "m", "input": input }).to_string();
        let inbound = OpenAiResponses::decode(&RequestHead::default(), body.as_bytes()).expect("decoded");
        let expected = vec![
            Block::Thinking { text: format!("t{thinking}"), signature },
            Block::RedactedThinking { data: "ZA==".into() },
            Block::Text { text: "x".into(), cache: false },
        ];
        prop_assert_eq!(&inbound.conversation.messages[0].content, &expected);
    }

    #[test]
    fn random_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = OpenAiResponses::decode(&RequestHead::default(), &body);
        let _ = OpenAiResponses::continues(&body);
    }

    #[test]
    fn random_json_never_panics(body in json_value()) {
        let _ = OpenAiResponses::decode(&RequestHead::default(), body.to_string().as_bytes());
    }

    #[test]
    fn mutated_requests_never_panic_and_errors_say_something(body in mutated_request()) {
        let text = body.to_string();
        let _ = OpenAiResponses::continues(text.as_bytes());
        match OpenAiResponses::decode(&RequestHead::default(), text.as_bytes()) {
            Ok(inbound) => prop_assert!(!inbound.conversation.messages.is_empty()),
            Err(error) => prop_assert!(!error.message.is_empty() && !error.path.contains('[')),
        }
    }
}

/// Bodies that look like requests but have a random value somewhere.
fn mutated_request() -> impl Strategy<Value = Value> {
    let select = |list: &'static [&'static str]| prop::sample::select(list);
    let keys = select(&[
        "model",
        "input",
        "instructions",
        "tools",
        "tool_choice",
        "stream",
        "store",
        "previous_response_id",
        "reasoning",
        "text",
        "include",
        "truncation",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "background",
        "prompt",
        "conversation",
        "user",
        "temperature",
    ]);
    let kinds = select(&[
        "message",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
        "local_shell_call",
        "local_shell_call_output",
        "shell_call",
        "shell_call_output",
        "apply_patch_call",
        "reasoning",
        "web_search_call",
        "item_reference",
        "compaction",
        "compaction_trigger",
        "additional_tools",
        "tool_search_call",
        "tool_search_output",
        "agent_message",
        "other",
    ]);
    let item_keys = select(&[
        "type",
        "role",
        "content",
        "id",
        "call_id",
        "name",
        "namespace",
        "arguments",
        "input",
        "output",
        "action",
        "summary",
        "encrypted_content",
        "tools",
        "execution",
        "status",
    ]);
    let part_keys = select(&["type", "text", "image_url", "file_data", "filename", "stdout", "outcome", "refusal"]);
    let parts = select(&["input_text", "input_image", "input_file", "output_text", "refusal", "input_audio", "other"]);
    let tools = select(&[
        "function",
        "custom",
        "namespace",
        "local_shell",
        "shell",
        "tool_search",
        "web_search",
        "mcp",
        "other",
    ]);
    let tool_keys = select(&[
        "type",
        "name",
        "description",
        "parameters",
        "format",
        "tools",
        "filters",
        "execution",
        "environment",
    ]);
    let names = (keys, kinds, item_keys, part_keys, parts, tools, tool_keys);
    (names, json_value(), 0_u8..5).prop_map(|((key, kind, item_key, part_key, part, tool, tool_key), value, place)| {
        let mut part = json!({
            "type": part, "text": "t", "image_url": "data:image/png;base64,ZA==", "file_data": "ZA==", "refusal": "r",
        });
        let mut tool = json!({
            "type": tool, "name": "n", "description": "d", "parameters": {}, "format": { "type": "text" },
            "tools": [{ "type": "function", "name": "x", "parameters": {} }],
        });
        match place {
            0 => part[part_key] = value.clone(),
            1 => tool[tool_key] = value.clone(),
            _ => {}
        }
        let mut item = json!({
            "type": kind, "role": "user", "content": [part], "id": "i", "call_id": "c", "name": "n", "arguments": "{}",
            "input": "x", "output": [part], "action": { "command": [] }, "summary": [], "tools": [tool],
        });
        if place == 2 {
            item[item_key] = value.clone();
        }
        let mut request = json!({ "model": "m", "input": [{ "role": "user", "content": "x" }, item], "tools": [tool] });
        if place == 3 {
            request[key] = value;
        }
        request
    })
}

fn refused(body: &str) -> (&'static str, String) {
    let error = OpenAiResponses::decode(&RequestHead::default(), body.as_bytes()).expect_err("refused");
    (error.code, error.path)
}

#[test]
fn too_many_items_and_tools_are_refused() {
    let list = |item: &str, count: usize| vec![item; count].join(",");
    let items = |count| format!(r#"{{"model":"m","input":[{}]}}"#, list(r#"{"role":"user","content":"x"}"#, count));
    assert!(OpenAiResponses::decode(&RequestHead::default(), items(MAX_ITEMS).as_bytes()).is_ok());
    assert_eq!(refused(&items(MAX_ITEMS + 1)), ("too_many", "input".into()));
    let tools = |count: usize| {
        let tools: Vec<Value> = (0..count).map(|n| json!({ "type": "function", "name": format!("t{n}") })).collect();
        json!({ "model": "m", "input": "x", "tools": [{ "type": "namespace", "name": "s", "tools": tools }] })
            .to_string()
    };
    assert!(OpenAiResponses::decode(&RequestHead::default(), tools(MAX_TOOLS).as_bytes()).is_ok());
    assert_eq!(refused(&tools(MAX_TOOLS + 1)), ("too_many", "tools".into()));
}

#[test]
fn deep_nesting_is_refused() {
    for depth in [128, 100_000] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        for body in [
            open.clone(),
            format!(r#"{{"model":"m","input":{open}{close}}}"#),
            format!(
                r#"{{"model":"m","input":[{{"type":"function_call_output","call_id":"c","output":{open}{close}}}]}}"#
            ),
            format!(
                r#"{{"model":"m","input":"x","tools":[{{"type":"function","name":"f","parameters":{open}{close}}}]}}"#
            ),
        ] {
            let (code, _) = refused(&body);
            assert!(matches!(code, "too_deep" | "wrong_type" | "invalid_json"), "{code} at {depth}");
        }
    }
}

#[test]
fn arguments_that_are_deep_or_huge_never_end_a_session() {
    for arguments in ["[".repeat(100_000), format!("[{}1]", "1,".repeat(2_000_000)), "{\"a\":".into(), "7".into()] {
        let body = json!({ "model": "m", "input": [
            { "type": "function_call", "call_id": "c", "name": "f", "arguments": arguments },
            { "type": "function_call_output", "call_id": "c", "output": "x" },
        ] });
        let inbound = OpenAiResponses::decode(&RequestHead::default(), body.to_string().as_bytes()).expect("decoded");
        assert!(inbound.notices.iter().any(|notice| notice.code == "tool_arguments_kept_as_text"));
    }
}

#[test]
fn errors_never_repeat_the_conversation() {
    for body in [
        r#"{"model":"m","input":[{"role":"SECRET","content":"SECRET"}]}"#,
        r#"{"model":"m","input":[{"role":"user","content":{"SECRET":1}}]}"#,
        r#"{"model":"m","input":"x","tool_choice":"SECRET"}"#,
        r#"{"model":"m","input":"x","max_output_tokens":"SECRET"}"#,
        r#"{"model":"m","input":"x","tools":[{"type":"function","name":"f","parameters":"SECRET"}]}"#,
    ] {
        let error = OpenAiResponses::decode(&RequestHead::default(), body.as_bytes()).expect_err("refused");
        assert!(!error.to_string().contains("SECRET"), "{error}");
    }
}
