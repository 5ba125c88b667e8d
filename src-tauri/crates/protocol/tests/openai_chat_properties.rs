//! What holds for every answer, every order of events and every body.

mod support;

use kiro_protocol::codec::{Echo, ModelCard, PageQuery, Protocol, ReasoningStyle, RequestHead, ToolForm, ToolKind};
use kiro_protocol::event::{Event, ReplyBuilder, StopReason};
use kiro_protocol::failure::{Failure, FailureClass};
use kiro_protocol::openai_chat::{MAX_CALLS, MAX_MESSAGES, MAX_TOOLS, MAX_VALUES, OpenAiChat, OpenAiCompletions};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use support::encoded::{plain_echo, reply, stream};
use support::generate::{answer, any_event, json_value, pieces, stop};
use support::golden::{Folded, without};
use support::openai_chat::{fold, fold_legacy};

/// What the encoders look at: every style of reasoning, every form of calls, with the usage and without.
fn echo() -> impl Strategy<Value = Echo> {
    let style = prop::sample::select(vec![
        ReasoningStyle::Content,
        ReasoningStyle::Removed,
        ReasoningStyle::Tagged,
        ReasoningStyle::Plain,
    ]);
    (style, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(reasoning, show_thinking, include_usage, legacy, freeform)| {
            let form = ToolForm { kind: ToolKind::Freeform, name: "shown".into(), namespace: None };
            Echo {
                show_thinking,
                reasoning,
                tools: Arc::new(if freeform { BTreeMap::from([("tool".to_owned(), form)]) } else { BTreeMap::new() }),
                repeat: Arc::new(
                    [("include_usage", include_usage), ("legacy_functions", legacy)]
                        .into_iter()
                        .filter(|(_, set)| *set)
                        .map(|(key, _)| (key.to_owned(), json!(true)))
                        .collect(),
                ),
                ..plain_echo()
            }
        },
    )
}

/// The stream read back, and the whole reply as far as the stream was asked to carry it.
fn both<P: Protocol>(
    events: &[Event],
    echo: &Echo,
    fold: fn(&[u8]) -> Result<Folded, String>,
) -> (Option<Value>, Option<Value>) {
    let folded = fold(&stream::<P>(events, echo, Ok(()))).expect("a right ladder of chunks");
    let whole = without(&P::encode(&reply(events), echo), folded.unasked);
    (folded.message, Some(whole))
}

/// Bodies that look like requests but have a random value somewhere.
fn mutated_request() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec![
        "model",
        "messages",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "n",
        "stop",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "functions",
        "function_call",
        "reasoning_effort",
        "reasoning",
        "thinking",
        "enable_thinking",
        "chat_template_kwargs",
        "response_format",
        "modalities",
        "web_search_options",
        "prompt_cache_key",
        "logprobs",
        "seed",
        "user",
        "metadata",
        "other",
    ]);
    let message_keys = prop::sample::select(vec![
        "role",
        "content",
        "name",
        "tool_calls",
        "tool_call_id",
        "function_call",
        "refusal",
        "reasoning_content",
        "cache_control",
        "audio",
    ]);
    let part_keys = prop::sample::select(vec![
        "type",
        "text",
        "image_url",
        "file",
        "refusal",
        "thinking",
        "cache_control",
        "input_audio",
    ]);
    let kinds = prop::sample::select(vec!["text", "image_url", "file", "refusal", "thinking", "input_audio", "other"]);
    let role = prop::sample::select(vec!["user", "assistant", "system", "developer", "tool", "function"]);
    let place = 0..4_usize;
    ((keys, json_value()), (message_keys, json_value()), (part_keys, json_value()), kinds, role, place).prop_map(
        |((key, value), (message_key, message_value), (part_key, part_value), kind, role, place)| {
            let mut part = json!({
                "type": kind, "text": "t", "refusal": "r", "thinking": "h",
                "image_url": { "url": "data:image/png;base64,ZA==" },
                "file": { "filename": "a.txt", "file_data": "ZA==" },
            });
            if place == 0 {
                part[part_key] = part_value.clone();
            }
            let mut message = json!({
                "role": role, "content": [part], "tool_call_id": "i", "name": "n",
                "tool_calls": [{ "id": "i", "type": "function", "function": { "name": "n", "arguments": "{}" } }],
            });
            if place == 1 {
                message[message_key] = message_value;
            }
            if place == 2 {
                message["tool_calls"][0]["function"]["arguments"] = part_value;
            }
            let mut request = json!({
                "model": "m", "messages": [{ "role": "user", "content": "x" }, message],
                "tools": [{ "type": "function", "function": { "name": "n" } }, { "type": "custom", "custom": { "name": "c" } }],
            });
            if place == 3 {
                request[key] = value;
            }
            request
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_read_back_is_the_whole_reply(events in answer(), stop in stop(), echo in echo()) {
        let events = [events, vec![Event::Stop(stop)]].concat();
        let (streamed, whole) = both::<OpenAiChat>(&events, &echo, fold);
        prop_assert_eq!(streamed, whole);
        let (streamed, whole) = both::<OpenAiCompletions>(&events, &echo, fold_legacy);
        prop_assert_eq!(streamed, whole);
    }

    #[test]
    fn pieces_of_any_size_make_the_same_message(events in answer(), stop in stop(), echo in echo(), step in 1_usize..4) {
        let events = [events, vec![Event::Stop(stop)]].concat();
        let finer: Vec<Event> = events
            .iter()
            .flat_map(|event| match event {
                Event::Text(text) => pieces(text, step).into_iter().map(Event::Text).collect(),
                Event::Thinking(text) => pieces(text, step).into_iter().map(Event::Thinking).collect(),
                Event::ToolInput(text) => pieces(text, step).into_iter().map(Event::ToolInput).collect(),
                other => vec![other.clone()],
            })
            .collect();
        let read = |events: &[Event]| fold(&stream::<OpenAiChat>(events, &echo, Ok(()))).map(|folded| folded.message);
        prop_assert_eq!(read(&finer), read(&events));
    }

    #[test]
    fn a_cut_answer_never_looks_complete(
        events in answer(),
        keep in 0.0..1.0_f64,
        known in any::<bool>(),
        echo in echo(),
    ) {
        let keep = (events.len() as f64 * keep) as usize;
        let failure = Failure::new(FailureClass::Upstream, "upstream_cut", "cut");
        let result = || if known { Err(&failure) } else { Ok(()) };
        let folded = fold(&stream::<OpenAiChat>(&events[..keep], &echo, result())).expect("a right ladder of chunks");
        prop_assert!(folded.message.is_none() && folded.error.is_some());
        let bytes = stream::<OpenAiCompletions>(&events[..keep], &echo, result());
        let folded = fold_legacy(&bytes).expect("a right ladder of chunks");
        prop_assert!(folded.message.is_none() && folded.error.is_some());
    }

    #[test]
    fn a_call_that_was_cut_ends_the_answer_by_length(
        events in answer(),
        echo in echo(),
        input in json_value(),
        keep in 0.0..1.0_f64,
        stop in stop(),
    ) {
        let json = json!({ "key": input }).to_string();
        let keep = (json.chars().count() as f64 * keep) as usize;
        let cut = vec![
            Event::ToolUseStart { id: "cut".into(), name: "other".into() },
            Event::ToolInput(json.chars().take(keep).collect()),
            Event::ToolUseCut,
            Event::Stop(stop),
        ];
        let bytes = stream::<OpenAiChat>(&[events.clone(), cut].concat(), &echo, Ok(()));
        let folded = fold(&bytes).expect("a right ladder of chunks").message.expect("complete");
        prop_assert_eq!(&folded["choices"][0]["finish_reason"], "length");
        let whole = OpenAiChat::encode(&reply(&[events, vec![Event::Stop(StopReason::MaxTokens)]].concat()), &echo);
        prop_assert_eq!(&folded["choices"][0]["message"]["tool_calls"], &whole["choices"][0]["message"]["tool_calls"]);
    }

    #[test]
    fn any_order_of_events_is_survived(events in prop::collection::vec(any_event(), 0..24), echo in echo()) {
        prop_assert!(stream::<OpenAiChat>(&events, &echo, Ok(())).ends_with(b"\n\n"));
        prop_assert!(stream::<OpenAiCompletions>(&events, &echo, Ok(())).ends_with(b"\n\n"));
        let mut builder = ReplyBuilder::default();
        for event in &events {
            let _ = builder.push(event);
        }
        if let Ok(reply) = builder.finish() {
            prop_assert!(OpenAiChat::encode(&reply, &echo)["choices"][0]["finish_reason"].is_string());
            prop_assert!(OpenAiCompletions::encode(&reply, &echo)["choices"][0]["finish_reason"].is_string());
        }
    }

    #[test]
    fn random_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = OpenAiChat::decode(&RequestHead::default(), &body);
        let _ = OpenAiCompletions::decode(&RequestHead::default(), &body);
    }

    #[test]
    fn random_json_never_panics(body in json_value()) {
        let _ = OpenAiChat::decode(&RequestHead::default(), body.to_string().as_bytes());
        let _ = OpenAiCompletions::decode(&RequestHead::default(), body.to_string().as_bytes());
    }

    #[test]
    fn mutated_requests_never_panic_and_errors_say_something(body in mutated_request()) {
        match OpenAiChat::decode(&RequestHead::default(), body.to_string().as_bytes()) {
            Ok(inbound) => prop_assert!(!inbound.conversation.messages.is_empty()),
            Err(error) => prop_assert!(!error.message.is_empty() && !error.path.contains('[')),
        }
    }

    /// Whatever a client sends back as arguments of an earlier call, its session goes on.
    #[test]
    fn arguments_of_earlier_calls_never_refuse_a_request(arguments in json_value(), text in "\\PC{0,20}") {
        for arguments in [arguments.clone(), json!(text), json!(arguments.to_string())] {
            let body = json!({ "model": "m", "messages": [
                { "role": "user", "content": "x" },
                { "role": "assistant", "content": null, "tool_calls": [
                    { "id": "i", "type": "function", "function": { "name": "n", "arguments": arguments } },
                ] },
                { "role": "tool", "tool_call_id": "i", "content": "y" },
            ] });
            let decoded = OpenAiChat::decode(&RequestHead::default(), body.to_string().as_bytes());
            prop_assert!(decoded.is_ok(), "{:?}", decoded.err());
        }
    }
}

fn with_messages(messages: &str) -> String {
    format!(r#"{{"model":"m","messages":[{messages}]}}"#)
}

fn refused(body: &str) -> (&'static str, String) {
    let error = OpenAiChat::decode(&RequestHead::default(), body.as_bytes()).expect_err("refused");
    (error.code, error.path)
}

/// What is kept must not be nested too deeply; what nobody looks at may be.
#[test]
fn deep_nesting_is_refused_where_it_would_be_kept() {
    let deep = format!("{}1{}", r#"{"tools":["#.repeat(100), "]}".repeat(100));
    let body = |rest: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{rest}}}"#);
    let bodies = [
        body(&format!(r#""tools":[{{"type":"function","function":{{"name":"n","parameters":{deep}}}}}]"#)),
        body(&format!(r#""response_format":{{"type":"json_schema","json_schema":{{"schema":{deep}}}}}"#)),
        body(&format!(r#""tool_choice":{deep}"#)),
        with_messages(&format!(
            r#"{{"role":"assistant","tool_calls":[{{"function":{{"name":"n","arguments":{deep}}}}}]}}"#
        )),
    ];
    for body in bodies {
        assert_eq!(refused(&body).0, "too_deep", "{}", &body[..90]);
    }
    let ignored = body(&format!(r#""other":{deep}"#));
    assert!(OpenAiChat::decode(&RequestHead::default(), ignored.as_bytes()).is_ok());
}

#[test]
fn deep_nesting_in_the_text_of_arguments_is_kept_as_text() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000));
    let body = json!({ "model": "m", "messages": [{ "role": "assistant", "tool_calls": [
        { "id": "i", "type": "function", "function": { "name": "n", "arguments": deep } } ] }] });
    let inbound = OpenAiChat::decode(&RequestHead::default(), body.to_string().as_bytes()).expect("decoded");
    assert_eq!(inbound.notices[0].code, "tool_arguments_kept_as_text");
}

#[test]
fn too_many_messages_tools_and_calls_are_refused() {
    let list = |item: &str, count: usize| vec![item; count].join(",");
    let message = r#"{"role":"user","content":"x"}"#;
    let decodes = |body: String| OpenAiChat::decode(&RequestHead::default(), body.as_bytes()).is_ok();
    assert!(decodes(with_messages(&list(message, MAX_MESSAGES))));
    assert_eq!(refused(&with_messages(&list(message, MAX_MESSAGES + 1))), ("too_many", "messages".into()));

    let tools = |count: usize| {
        let tools = list(r#"{"type":"function","function":{"name":"t"}}"#, count);
        format!(r#"{{"model":"m","messages":[{message}],"tools":[{tools}]}}"#)
    };
    assert!(decodes(tools(MAX_TOOLS)));
    assert_eq!(refused(&tools(MAX_TOOLS + 1)), ("too_many", "tools".into()));

    let calls = |count: usize| {
        let calls = list(r#"{"id":"i","function":{"name":"t","arguments":"{}"}}"#, count);
        with_messages(&format!(r#"{{"role":"assistant","tool_calls":[{calls}]}}"#))
    };
    assert!(decodes(calls(MAX_CALLS)));
    assert_eq!(refused(&calls(MAX_CALLS + 1)), ("too_many", "messages.0.tool_calls".into()));
}

/// A value costs many times its size once it is read, also when it stands in a text.
#[test]
fn too_many_values_are_refused_in_the_body_and_not_read_in_the_arguments() {
    let values = |count: usize| format!("{{\"a\":[{}]}}", vec!["1"; count].join(","));
    let body = |arguments: Vec<String>| {
        let call = |arguments: &String| json!({ "id": "i", "function": { "name": "t", "arguments": arguments } });
        let calls: Vec<Value> = arguments.iter().map(call).collect();
        json!({ "model": "m", "messages": [{ "role": "assistant", "tool_calls": calls }] }).to_string()
    };
    let notices = |body: String| {
        let inbound = OpenAiChat::decode(&RequestHead::default(), body.as_bytes()).expect("decoded");
        inbound.notices.iter().map(|notice| notice.code).collect::<Vec<_>>()
    };
    assert!(notices(body(vec![values(MAX_VALUES - 100)])).is_empty());
    assert_eq!(notices(body(vec![values(MAX_VALUES + 100)])), ["tool_arguments_kept_as_text"]);
    let half = values(MAX_VALUES / 2);
    assert_eq!(notices(body(vec![half.clone(), half.clone(), half])), ["tool_arguments_kept_as_text"]);

    let object = with_messages(&format!(
        r#"{{"role":"assistant","tool_calls":[{{"function":{{"name":"t","arguments":{}}}}}]}}"#,
        values(MAX_VALUES + 2)
    ));
    assert_eq!(refused(&object), ("too_many", String::new()));
}

#[test]
fn errors_never_repeat_the_conversation() {
    let bodies = [
        r#"{"model":"m","messages":[{"role":"SECRET","content":"SECRET"}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"SECRET"}],"stream":"SECRET"}"#,
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"SECRET"}}]}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"x"}],"response_format":{"type":"SECRET"}}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"x"}],"tool_choice":"SECRET"}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"x"}],"tools":["SECRET"]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"x"}],"modalities":["SECRET"]}"#,
    ];
    for body in bodies {
        let error = OpenAiChat::decode(&RequestHead::default(), body.as_bytes()).expect_err("refused");
        assert!(!error.to_string().contains("SECRET"), "{error}");
    }
    let error = OpenAiCompletions::decode(&RequestHead::default(), br#"{"model":"m","prompt":"x","suffix":"SECRET"}"#);
    assert!(!error.expect_err("refused").to_string().contains("SECRET"));
}

#[test]
fn a_huge_number_is_refused_or_clamped() {
    let body =
        |number: &str| format!(r#"{{"model":"m","max_tokens":{number},"messages":[{{"role":"user","content":"x"}}]}}"#);
    let decoded = OpenAiChat::decode(&RequestHead::default(), body("99999999999").as_bytes()).expect("clamped");
    assert_eq!(decoded.conversation.sampling.max_tokens, Some(u32::MAX));
    assert_eq!(refused(&body("1e999")).0, "invalid_json");
    assert_eq!(refused(&body("99999999999999999999999")).0, "wrong_type");
    assert_eq!(refused(&body("-1")).0, "wrong_type");
}

/// A rate limit says in words how long to wait, because the error inside a stream has no headers.
#[test]
fn a_rate_limit_tells_the_time_to_wait_and_never_none() {
    let message = |wait: std::time::Duration| {
        let mut failure = Failure::new(FailureClass::RateLimit, "throttled", "Too much.");
        failure.retry_after = Some(wait);
        OpenAiChat::encode_failure(&failure, "id").1["error"]["message"].clone()
    };
    assert_eq!(message(std::time::Duration::from_millis(2_500)), "Too much. Please try again in 3s.");
    assert_eq!(message(std::time::Duration::ZERO), "Too much. Please try again in 1s.");
}

#[test]
fn the_error_of_an_unreadable_request_names_the_part_that_is_wrong() {
    let mut failure = Failure::new(FailureClass::InvalidRequest, "missing_field", "messages.0.role: Field required");
    failure.param = Some("messages.0.role".into());
    let (status, body) = OpenAiChat::encode_failure(&failure, "id");
    assert_eq!(status, 400);
    assert_eq!(body["error"]["param"], "messages.0.role");
}

/// Codex throws the whole catalogue away when one entry has an effort it does not know, and crowds its picker with aliases.
#[test]
fn a_model_list_shows_what_is_known_and_gives_codex_only_what_it_knows() {
    let model = ModelCard {
        id: "sonnet".into(),
        name: "Sonnet".into(),
        created: 7,
        context_window: Some(200_000),
        max_output: Some(64_000),
        images: true,
        efforts: vec!["low".into(), "medium".into(), "max".into()],
        credit_multiplier: Some(1.3),
        documents: true,
        description: Some("A model.".into()),
        alias_of: Some("claude-sonnet-4.5".into()),
    };
    let list = OpenAiChat::encode_models(&[model], &PageQuery::default());
    let card = &list["data"][0];
    assert_eq!(card["input_modalities"], json!(["text", "image", "document"]));
    assert_eq!(card["effort_levels"], json!(["low", "medium", "max"]));
    assert_eq!(card["alias_of"], "claude-sonnet-4.5");
    assert_eq!(card["description"], "A model.");
    let entry = &list["models"][0];
    assert_eq!(entry["visibility"], "hide");
    assert_eq!(entry["input_modalities"], json!(["text", "image"]));
    assert_eq!(entry["default_reasoning_level"], "medium");
    let levels: Vec<&Value> =
        entry["supported_reasoning_levels"].as_array().into_iter().flatten().map(|level| &level["effort"]).collect();
    assert_eq!(levels, ["low", "medium"]);
}
