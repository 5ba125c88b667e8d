//! What holds for every answer, every order of events and every body.

mod support;

use kiro_protocol::anthropic::{AnthropicMessages, MAX_MESSAGES, MAX_TOOLS, MAX_VALUES};
use kiro_protocol::codec::{Echo, Protocol, RequestHead};
use kiro_protocol::event::{Event, ReplyBuilder, StopReason};
use kiro_protocol::failure::{Failure, FailureClass};
use kiro_protocol::stop::StopSequences;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::encoded::{plain_echo, reply, stream};
use support::generate::{answer, any_event, json_value, pieces, stop};

fn echo(show_thinking: bool) -> Echo {
    Echo { show_thinking, ..plain_echo() }
}

/// Bodies that look like requests but have a random value somewhere.
fn mutated_request() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec![
        "model",
        "messages",
        "system",
        "max_tokens",
        "stream",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
        "metadata",
        "stop_sequences",
        "temperature",
        "top_k",
        "context_management",
        "safeguards",
    ]);
    let block_keys = prop::sample::select(vec![
        "type",
        "text",
        "source",
        "id",
        "name",
        "input",
        "tool_use_id",
        "content",
        "is_error",
        "thinking",
        "signature",
        "data",
        "cache_control",
        "title",
        "url",
    ]);
    let kinds = prop::sample::select(vec![
        "text",
        "image",
        "document",
        "tool_use",
        "tool_result",
        "thinking",
        "redacted_thinking",
        "tool_reference",
        "search_result",
        "server_tool_use",
        "web_search_tool_result",
        "other",
    ]);
    let role = prop::sample::select(vec!["user", "assistant", "system"]);
    (keys, json_value(), block_keys, json_value(), kinds, role, any::<bool>()).prop_map(
        |(key, value, block_key, block_value, kind, role, mutate_top)| {
            let mut block = json!({
                "type": kind, "text": "t", "id": "i", "name": "n", "input": {}, "tool_use_id": "i", "content": "c",
                "thinking": "h", "data": "ZA==", "tool_name": "w",
                "source": { "type": "base64", "media_type": "image/png", "data": "ZA==" },
            });
            block[block_key] = block_value;
            let mut request = json!({
                "model": "m", "max_tokens": 9,
                "messages": [{ "role": "user", "content": "x" }, { "role": role, "content": [block] }],
            });
            if mutate_top {
                request[key] = value;
            }
            request
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_read_back_is_the_whole_reply(events in answer(), stop in stop(), show in any::<bool>()) {
        let echo = echo(show);
        let mut events = events;
        events.push(Event::Stop(stop));
        let whole = AnthropicMessages::encode(&reply(&events), &echo);
        let folded = support::anthropic::fold(&stream::<AnthropicMessages>(&events, &echo, Ok(()))).expect("a right ladder of events");
        prop_assert_eq!(folded.message, Some(whole));
    }

    #[test]
    fn a_cut_answer_never_looks_complete(events in answer(), keep in 0.0..1.0_f64, known in any::<bool>()) {
        let keep = (events.len() as f64 * keep) as usize;
        let failure = Failure::new(FailureClass::Upstream, "upstream_cut", "cut");
        let bytes = stream::<AnthropicMessages>(&events[..keep], &echo(true), if known { Err(&failure) } else { Ok(()) });
        let folded = support::anthropic::fold(&bytes).expect("a right ladder of events");
        prop_assert!(folded.message.is_none());
        prop_assert!(folded.error.is_some());
    }

    #[test]
    fn any_order_of_events_is_survived(events in prop::collection::vec(any_event(), 0..24), show in any::<bool>()) {
        let bytes = stream::<AnthropicMessages>(&events, &echo(show), Ok(()));
        let mut builder = ReplyBuilder::default();
        for event in &events {
            let _ = builder.push(event);
        }
        let _ = builder.finish();
        prop_assert!(bytes.ends_with(b"\n\n"));
    }

    #[test]
    fn random_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = AnthropicMessages::decode(&RequestHead::default(), &body);
    }

    #[test]
    fn random_json_never_panics(body in json_value()) {
        let _ = AnthropicMessages::decode(&RequestHead::default(), body.to_string().as_bytes());
    }

    #[test]
    fn mutated_requests_never_panic_and_errors_say_something(body in mutated_request()) {
        match AnthropicMessages::decode(&RequestHead::default(), body.to_string().as_bytes()) {
            Ok(inbound) => prop_assert!(!inbound.conversation.messages.is_empty()),
            Err(error) => prop_assert!(!error.message.is_empty() && !error.path.contains('[')),
        }
    }

    #[test]
    fn any_split_of_a_text_stops_at_the_same_place(
        text in "[ab<é]{0,20}",
        sequences in prop::collection::vec("[ab<é]{1,4}", 0..4),
        step in 1_usize..6,
    ) {
        let whole = stopped(std::slice::from_ref(&text), &sequences);
        prop_assert_eq!(stopped(&pieces(&text, step), &sequences), whole.clone());

        // A second opinion: the text grows by characters until it ends with a sequence.
        let mut expected = (text.clone(), None);
        let ends = text.char_indices().map(|(at, character)| at + character.len_utf8());
        for end in ends {
            let hit = sequences.iter().filter(|sequence| text[..end].ends_with(*sequence)).max_by_key(|hit| hit.len());
            if let Some(hit) = hit {
                expected = (text[..end - hit.len()].to_owned(), Some(hit.clone()));
                break;
            }
        }
        prop_assert_eq!(whole, expected);
    }
}

fn stopped(pieces: &[String], sequences: &[String]) -> (String, Option<String>) {
    let mut filter = StopSequences::new(sequences.to_vec());
    let mut out = Vec::new();
    for piece in pieces {
        filter.push(Event::Text(piece.clone()), &mut out);
    }
    filter.push(Event::Stop(StopReason::EndTurn), &mut out);
    let mut text = String::new();
    for event in &out[..out.len() - 1] {
        let Event::Text(piece) = event else { panic!("only text was sent") };
        text.push_str(piece);
    }
    match out.last() {
        Some(Event::Stop(StopReason::StopSequence(sequence))) => (text, Some(sequence.clone())),
        Some(Event::Stop(StopReason::EndTurn)) => (text, None),
        other => panic!("{other:?} at the end"),
    }
}

fn refused(body: &str) -> (&'static str, String) {
    let error = AnthropicMessages::decode(&RequestHead::default(), body.as_bytes()).expect_err("refused");
    (error.code, error.path)
}

fn with_messages(messages: &str) -> String {
    format!(r#"{{"model":"m","max_tokens":1,"messages":[{messages}]}}"#)
}

#[test]
fn deep_nesting_is_refused_at_every_place_and_depth() {
    for depth in [128, 1_000, 1_000_000] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        for body in [
            open.clone(),
            format!("{open}{close}"),
            with_messages(&format!(
                r#"{{"role":"assistant","content":[{{"type":"tool_use","id":"i","name":"n","input":{{"a":{open}{close}}}}}]}}"#
            )),
            with_messages(
                &r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"i","content":["#
                    .repeat(depth.min(100_000)),
            ),
        ] {
            let (code, _) = refused(&body);
            assert!(matches!(code, "too_deep" | "wrong_type" | "invalid_json"), "{code} at {depth}");
        }
    }
    let nested = r#"{"type":"tool_result","tool_use_id":"i","content":["#;
    let body = with_messages(&format!(r#"{{"role":"user","content":[{}{}]}}"#, nested.repeat(200), "]}".repeat(200)));
    assert_eq!(refused(&body).0, "too_deep");
}

#[test]
fn deep_nesting_below_the_limit_is_read() {
    let nested = r#"{"type":"tool_result","tool_use_id":"i","content":["#;
    let body = with_messages(&format!(r#"{{"role":"user","content":[{}{}]}}"#, nested.repeat(60), "]}".repeat(60)));
    assert!(AnthropicMessages::decode(&RequestHead::default(), body.as_bytes()).is_ok());
}

#[test]
fn too_many_messages_and_tools_are_refused() {
    let message = r#"{"role":"user","content":"x"},"#;
    let list = |count: usize| with_messages(message.repeat(count).trim_end_matches(','));
    assert!(AnthropicMessages::decode(&RequestHead::default(), list(MAX_MESSAGES).as_bytes()).is_ok());
    assert_eq!(refused(&list(MAX_MESSAGES + 1)), ("too_many", "messages".into()));

    let tool = r#"{"name":"t","input_schema":{}},"#;
    let body = |count: usize| {
        let tools = tool.repeat(count);
        format!(
            r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":"x"}}],"tools":[{}]}}"#,
            tools.trim_end_matches(',')
        )
    };
    assert!(AnthropicMessages::decode(&RequestHead::default(), body(MAX_TOOLS).as_bytes()).is_ok());
    assert_eq!(refused(&body(MAX_TOOLS + 1)), ("too_many", "tools".into()));
}

#[test]
fn very_many_unknown_keys_make_a_bounded_number_of_notices() {
    let mut body =
        String::from(r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"x""#);
    for key in 0..100_000 {
        body.push_str(&format!(r#","k{key}":{key}"#));
    }
    body.push_str("}]}]");
    for key in 0..800_000 {
        body.push_str(&format!(r#","k{key}":1"#));
    }
    body.push('}');
    let inbound = AnthropicMessages::decode(&RequestHead::default(), body.as_bytes()).expect("decoded");
    assert!(inbound.notices.len() <= 65, "{} notices", inbound.notices.len());
}

#[test]
fn too_many_values_are_refused_and_commas_in_texts_do_not_count() {
    let call = |input: &str| {
        with_messages(&format!(
            r#"{{"role":"assistant","content":[{{"type":"tool_use","id":"i","name":"n","input":{{"a":{input}}}}}]}}"#
        ))
    };
    let list = |count: usize| call(&format!("[{}]", vec!["1"; count].join(",")));
    assert_eq!(refused(&list(MAX_VALUES + 2)), ("too_many", String::new()));
    assert!(AnthropicMessages::decode(&RequestHead::default(), list(MAX_VALUES - 100).as_bytes()).is_ok());
    let text = call(&format!("\"{}\"", r#",,,,,,,,,\",\\"#.repeat(MAX_VALUES / 6)));
    assert!(AnthropicMessages::decode(&RequestHead::default(), text.as_bytes()).is_ok());
}

#[test]
fn errors_never_repeat_the_conversation() {
    let body = r#"{"model":"m","max_tokens":"SECRET","messages":[{"role":"SECRET","content":{"SECRET":1}}],"stream":"SECRET"}"#;
    let error = AnthropicMessages::decode(&RequestHead::default(), body.as_bytes()).expect_err("refused");
    assert!(!error.to_string().contains("SECRET"), "{error}");
}

#[test]
fn a_huge_number_is_refused_or_clamped() {
    let body =
        |number: &str| format!(r#"{{"model":"m","max_tokens":{number},"messages":[{{"role":"user","content":"x"}}]}}"#);
    let decoded = AnthropicMessages::decode(&RequestHead::default(), body("99999999999").as_bytes()).expect("clamped");
    assert_eq!(decoded.conversation.sampling.max_tokens, Some(u32::MAX));
    assert_eq!(refused(&body("1e999")).0, "invalid_json");
    assert_eq!(refused(&body("99999999999999999999999")).0, "wrong_type");
}
