//! What holds for every answer, every order of events and every body.

mod support;

use kiro_protocol::codec::{Delivery, Echo, Protocol, RequestHead};
use kiro_protocol::conversation::Block;
use kiro_protocol::event::{Event, Reply, ReplyBlock, StopReason};
use kiro_protocol::failure::{Failure, FailureClass};
use kiro_protocol::gemini::{Gemini, MAX_CONTENTS, MAX_TOOLS};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::encoded::{plain_echo, reply, stream};
use support::generate::{answer, any_event, json_value, pieces, stop};

fn head() -> RequestHead {
    RequestHead { path: "/v1beta/models/m:generateContent".into(), ..RequestHead::default() }
}

fn echo(show_thinking: bool, delivery: Delivery) -> Echo {
    Echo { show_thinking, delivery: Some(delivery), ..plain_echo() }
}

fn delivery() -> impl Strategy<Value = Delivery> {
    prop_oneof![Just(Delivery::Stream), Just(Delivery::JsonArray)]
}

/// The same answer in smaller pieces.
fn split(events: &[Event], step: usize) -> Vec<Event> {
    let mut out = Vec::new();
    for event in events {
        match event {
            Event::Text(text) => out.extend(pieces(text, step).into_iter().map(Event::Text)),
            Event::Thinking(text) => out.extend(pieces(text, step).into_iter().map(Event::Thinking)),
            Event::ToolInput(text) => out.extend(pieces(text, step).into_iter().map(Event::ToolInput)),
            other => out.push(other.clone()),
        }
    }
    out
}

/// Reasoning that must come back byte for byte.
#[derive(Debug, PartialEq)]
enum Sealed {
    Text(String, String),
    Redacted(String),
}

fn sealed(text: &str, signature: Option<&String>) -> Option<Sealed> {
    let signature = signature.filter(|signature| !signature.is_empty())?;
    Some(Sealed::Text(text.to_owned(), signature.clone()))
}

fn sealed_of_reply(reply: &Reply) -> Vec<Sealed> {
    let sealed = |block: &ReplyBlock| match block {
        ReplyBlock::Thinking { text, signature } => sealed(text, signature.as_ref()),
        ReplyBlock::RedactedThinking(data) => Some(Sealed::Redacted(data.clone())),
        ReplyBlock::Text(_) | ReplyBlock::ToolUse { .. } | ReplyBlock::Search { .. } => None,
    };
    reply.blocks.iter().filter_map(sealed).collect()
}

fn sealed_of_request(body: &Value) -> Vec<Sealed> {
    let inbound = Gemini::decode(&head(), body.to_string().as_bytes()).expect("decoded");
    let blocks = inbound.conversation.messages.into_iter().flat_map(|message| message.content);
    let sealed = |block: Block| match block {
        Block::Thinking { text, signature } => sealed(&text, signature.as_ref()),
        Block::RedactedThinking { data } => Some(Sealed::Redacted(data)),
        Block::Text { .. }
        | Block::Image(_)
        | Block::RemoteImage { .. }
        | Block::Document(_)
        | Block::ToolUse { .. }
        | Block::ToolResult { .. } => None,
    };
    blocks.filter_map(sealed).collect()
}

/// Bodies that look like requests but have a random value somewhere.
fn mutated_request() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec![
        "contents",
        "systemInstruction",
        "system_instruction",
        "tools",
        "toolConfig",
        "generationConfig",
        "safetySettings",
        "cachedContent",
        "labels",
        "generateContentRequest",
    ]);
    let part_keys = prop::sample::select(vec![
        "text",
        "thought",
        "thoughtSignature",
        "inlineData",
        "file_data",
        "functionCall",
        "functionResponse",
        "executableCode",
        "codeExecutionResult",
        "other",
    ]);
    let config_keys = prop::sample::select(vec![
        "maxOutputTokens",
        "temperature",
        "stopSequences",
        "responseMimeType",
        "responseSchema",
        "responseModalities",
        "thinkingConfig",
        "candidateCount",
        "seed",
    ]);
    let role = prop::sample::select(vec!["user", "model", "function"]);
    (keys, part_keys, config_keys, json_value(), role, 0..4_u8).prop_map(|(key, part, config, value, role, place)| {
        let mut request = json!({
            "contents": [{ "parts": [{ "text": "x" }] }, { "role": role, "parts": [{}] }],
            "tools": [{ "functionDeclarations": [{ "name": "f", "parameters": { "type": "OBJECT" } }] }],
            "generationConfig": {},
        });
        match place {
            0 => request[key] = value,
            1 => request["contents"][1]["parts"][0][part] = value,
            2 => request["generationConfig"][config] = value,
            _ => request["tools"][0]["functionDeclarations"][0]["parameters"] = value,
        }
        request
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_read_back_is_the_whole_reply(
        events in answer(), stop in stop(), show in any::<bool>(), delivery in delivery(), step in 1_usize..9,
    ) {
        let echo = echo(show, delivery);
        let mut events = events;
        events.push(Event::Stop(stop));
        let whole = Gemini::encode(&reply(&events), &echo);
        let folded = support::gemini::fold(&stream::<Gemini>(&events, &echo, Ok(()))).expect("a right stream");
        prop_assert_eq!(folded.message.as_ref(), Some(&whole));
        let folded = support::gemini::fold(&stream::<Gemini>(&split(&events, step), &echo, Ok(()))).expect("a right stream");
        prop_assert_eq!(folded.message, Some(whole));
    }

    #[test]
    fn a_cut_answer_never_looks_complete(
        events in answer(), keep in 0.0..1.0_f64, known in any::<bool>(), delivery in delivery(),
    ) {
        let keep = (events.len() as f64 * keep) as usize;
        let failure = Failure::new(FailureClass::Upstream, "upstream_cut", "cut");
        let bytes = stream::<Gemini>(&events[..keep], &echo(true, delivery), if known { Err(&failure) } else { Ok(()) });
        let folded = support::gemini::fold(&bytes).expect("a right stream");
        prop_assert!(folded.message.is_none());
        prop_assert!(folded.error.is_some());
    }

    #[test]
    fn signed_reasoning_comes_back_byte_for_byte(
        events in answer(), show in any::<bool>(), drop_thoughts in any::<bool>(),
    ) {
        let mut events = events;
        events.push(Event::Stop(StopReason::EndTurn));
        let reply = reply(&events);
        let mut content = Gemini::encode(&reply, &echo(show, Delivery::Whole))["candidates"][0]["content"].take();
        if drop_thoughts {
            content["parts"].as_array_mut().expect("parts").retain(|part| part.get("thought").is_none());
        }
        // The calls of these answers may have an empty name, which no client sends back.
        let body = json!({ "contents": [{ "role": "user", "parts": [{ "text": "x" }] }, content] });
        prop_assert_eq!(sealed_of_request(&body), sealed_of_reply(&reply));
    }

    #[test]
    fn any_order_of_events_is_survived(
        events in prop::collection::vec(any_event(), 0..24), show in any::<bool>(), delivery in delivery(),
    ) {
        let bytes = stream::<Gemini>(&events, &echo(show, delivery), Ok(()));
        let folded = support::gemini::fold(&bytes).expect("a right stream");
        prop_assert!(folded.message.is_some() != folded.error.is_some());
    }

    #[test]
    fn random_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Gemini::decode(&head(), &body);
        let _ = Gemini::decode_count(&head(), &body);
    }

    #[test]
    fn random_json_never_panics(body in json_value()) {
        let _ = Gemini::decode(&head(), body.to_string().as_bytes());
    }

    #[test]
    fn random_paths_never_panic(path in "[a-z/:%0-9]{0,24}|/models/\\PC{0,12}:generateContent") {
        let _ = Gemini::decode(&RequestHead { path, ..RequestHead::default() }, b"{}");
    }

    #[test]
    fn mutated_requests_never_panic_and_errors_say_something(body in mutated_request()) {
        match Gemini::decode(&head(), body.to_string().as_bytes()) {
            Ok(inbound) => prop_assert!(!inbound.conversation.messages.is_empty()),
            Err(error) => prop_assert!(!error.message.is_empty()),
        }
    }
}

fn refused(body: &str) -> (&'static str, String) {
    let error = Gemini::decode(&head(), body.as_bytes()).expect_err("refused");
    (error.code, error.path)
}

#[test]
fn deep_nesting_is_refused_at_every_place_and_depth() {
    for depth in [128, 1_000, 100_000] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        let parts = r#"{"functionResponse":{"name":"f","parts":["#;
        for body in [
            open.clone(),
            format!(
                r#"{{"contents":[{{"role":"model","parts":[{{"functionCall":{{"name":"f","args":{{"a":{open}{close}}}}}}}]}}]}}"#
            ),
            format!(r#"{{"contents":[{{"parts":[{}{}]}}]}}"#, parts.repeat(depth), "]}}".repeat(depth)),
            format!(
                r#"{{"contents":[{{"parts":[{{"text":"x"}}]}}],"tools":[{{"functionDeclarations":[{{"name":"f","parameters":{}{{}}{}}}]}}]}}"#,
                r#"{"items":"#.repeat(depth),
                "}".repeat(depth)
            ),
        ] {
            let (code, _) = refused(&body);
            assert!(matches!(code, "too_deep" | "wrong_type" | "invalid_json"), "{code} at {depth}");
        }
    }
}

#[test]
fn too_many_contents_and_tools_are_refused() {
    let content = r#"{"parts":[{"text":"x"}]},"#;
    let contents = |count: usize| format!(r#"{{"contents":[{}]}}"#, content.repeat(count).trim_end_matches(','));
    assert!(Gemini::decode(&head(), contents(MAX_CONTENTS).as_bytes()).is_ok());
    assert_eq!(refused(&contents(MAX_CONTENTS + 1)), ("too_many", "contents".into()));

    let functions = |count: usize| {
        let list = r#"{"name":"f"},"#.repeat(count);
        format!(
            r#"{{"contents":[{{"parts":[{{"text":"x"}}]}}],"tools":[{{"functionDeclarations":[{}]}}]}}"#,
            list.trim_end_matches(',')
        )
    };
    assert!(Gemini::decode(&head(), functions(MAX_TOOLS).as_bytes()).is_ok());
    assert_eq!(refused(&functions(MAX_TOOLS + 1)), ("too_many", "tools[0].functionDeclarations".into()));
}

#[test]
fn errors_never_repeat_the_conversation() {
    for body in [
        r#"{"contents":[{"role":"SECRET","parts":[{"text":"SECRET"}]}]}"#,
        r#"{"contents":[{"parts":[{"text":7,"SECRET":"SECRET"}]}]}"#,
        r#"{"contents":[{"parts":["SECRET",7]}]}"#,
        r#"{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"maxOutputTokens":"SECRET"}}"#,
        r#"{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"temperature":"SECRET"}}"#,
        r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"audio/SECRET","data":"SECRET"}}]}]}"#,
        r#"{"contents":[{"parts":[{"fileData":{"fileUri":"gs://SECRET"}}]}]}"#,
        r#"{"contents":[{"parts":[{"text":"x"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["SECRET"]}}}"#,
        r#"{"contents":"SECRET","systemInstruction":7}"#,
    ] {
        let error = Gemini::decode(&head(), body.as_bytes()).expect_err("refused");
        assert!(!error.to_string().contains("SECRET"), "{error}");
    }
}
