//! Golden cases of the Anthropic protocol: `tests/fixtures/anthropic/<case>/`.
//!
//! `request.json` (and `head.json`, headers and path) gives `decoded.json`. `events.jsonl` gives `reply.json` and
//! `reply.sse`, with the echo and the stop sequences of the request. `failures.json` and `models.json` hold the tables.
//! `UPDATE_GOLDEN=1` rewrites what is expected; people read the diff. A file that no check reads is a failure.
#![expect(clippy::disallowed_methods, reason = "a test that reads and rewrites fixtures")]

mod support;

use kiro_protocol::anthropic::AnthropicMessages;
use kiro_protocol::codec::{
    DecodeError, Delivery, Echo, Inbound, ModelCard, PageQuery, Protocol, RequestHead, StreamEncoder,
};
use kiro_protocol::conversation::{Block, Conversation, Message, Role, ServerTool, Thinking, ToolChoice};
use kiro_protocol::event::{Event, ReplyBuilder, StopReason, Usage, UsageSource};
use kiro_protocol::failure::{ContextOverflow, Failure, FailureClass};
use kiro_protocol::sse::SseWriter;
use kiro_protocol::stop::StopSequences;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const REQUEST_ID: &str = "0123456789abcdef0123456789abcdef";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/anthropic")
}

/// Compares with a fixture, or rewrites it.
struct Golden {
    update: bool,
    read: BTreeSet<PathBuf>,
    wrong: Vec<String>,
}

impl Golden {
    fn input(&mut self, path: &Path) -> Option<Vec<u8>> {
        let bytes = fs::read(path).ok()?;
        self.read.insert(path.to_owned());
        Some(bytes)
    }

    fn expect(&mut self, path: &Path, actual: &str) {
        self.read.insert(path.to_owned());
        let expected = fs::read_to_string(path).unwrap_or_default();
        if expected == actual {
            return;
        }
        if self.update {
            fs::write(path, actual).expect("fixtures can be written");
        } else {
            self.wrong.push(format!("{}\n--- expected\n{expected}\n--- actual\n{actual}", path.display()));
        }
    }

    fn expect_json(&mut self, path: &Path, actual: &Value) {
        self.expect(path, &format!("{actual:#}\n"));
    }
}

#[test]
fn every_case_decodes_and_encodes_as_recorded() {
    let mut golden =
        Golden { update: std::env::var_os("UPDATE_GOLDEN").is_some(), read: BTreeSet::new(), wrong: Vec::new() };
    let mut cases: Vec<PathBuf> = entries(&fixtures()).into_iter().filter(|path| path.is_dir()).collect();
    cases.sort();
    for case in &cases {
        check_case(&mut golden, case);
    }
    check_failures(&mut golden);
    check_models(&mut golden);

    for path in cases.iter().flat_map(|case| entries(case)).chain(entries(&fixtures())) {
        if path.is_file() && !golden.read.contains(&path) {
            golden.wrong.push(format!("{} is read by no check", path.display()));
        }
    }
    assert!(cases.len() >= 25, "only {} cases were found", cases.len());
    assert!(golden.wrong.is_empty(), "{} differences:\n{}", golden.wrong.len(), golden.wrong.join("\n\n"));
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).expect("the folder exists").map(|entry| entry.expect("an entry").path()).collect()
}

fn check_case(golden: &mut Golden, case: &Path) {
    let name = case.file_name().expect("a name").to_string_lossy().into_owned();
    let body = golden.input(&case.join("request.json")).unwrap_or_else(|| panic!("{name} has no request"));
    let head = head(golden.input(&case.join("head.json")));
    let decoded = if head.path.ends_with("count_tokens") {
        AnthropicMessages::decode_count(&head, &body)
    } else {
        AnthropicMessages::decode(&head, &body)
    };
    golden.expect_json(&case.join("decoded.json"), &decoded_json(&decoded));

    let Some(lines) = golden.input(&case.join("events.jsonl")) else { return };
    let Ok(inbound) = decoded else { panic!("{name} has events for a request that is refused") };
    let echo = Echo { input_tokens: Some(42), ..inbound.echo };
    let mut stop = StopSequences::new(inbound.conversation.sampling.stop_sequences);
    let (mut events, mut failure) = (Vec::new(), None);
    for line in String::from_utf8(lines).expect("UTF-8").lines().filter(|line| !line.is_empty()) {
        match serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {line}: {error}")) {
            Line::Failure(message) => failure = Some(Failure::new(FailureClass::Upstream, "upstream_cut", message)),
            line => stop.push(line.event(), &mut events),
        }
    }

    let mut encoder = AnthropicMessages::encoder(echo.clone());
    let mut out = SseWriter::default();
    encoder.start(&mut out);
    encoder.keep_alive(&mut out);
    let mut builder = ReplyBuilder::default();
    for event in &events {
        encoder.event(event, &mut out);
        builder.push(event).expect("the events are well formed");
    }
    encoder.end(failure.as_ref().map_or(Ok(()), Err), &mut out);
    let stream = out.take();
    golden.expect(&case.join("reply.sse"), std::str::from_utf8(&stream).expect("UTF-8"));
    let folded = support::fold(&stream).unwrap_or_else(|broken| panic!("{name}: {broken}"));
    assert_eq!(folded.pings, 1, "{name}");
    match builder.finish() {
        Ok(reply) if failure.is_none() => {
            let whole = AnthropicMessages::encode(&reply, &echo);
            assert_eq!(folded.message.as_ref(), Some(&whole), "{name}: stream and whole reply differ");
            golden.expect_json(&case.join("reply.json"), &whole);
        }
        _ => assert!(folded.message.is_none() && folded.error.is_some(), "{name}: a cut answer looks complete"),
    }
}

fn head(file: Option<Vec<u8>>) -> RequestHead {
    #[derive(Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Head {
        path: Option<String>,
        query: String,
        headers: std::collections::BTreeMap<String, String>,
    }
    let file: Head = file.map(|bytes| serde_json::from_slice(&bytes).expect("head.json")).unwrap_or_default();
    let headers = file.headers.iter().map(|(name, value)| {
        (name.parse::<http::HeaderName>().expect("a name"), value.parse::<http::HeaderValue>().expect("a value"))
    });
    RequestHead {
        path: file.path.unwrap_or_else(|| "/v1/messages".into()),
        query: file.query,
        headers: headers.collect(),
        request_id: REQUEST_ID.into(),
        now: 1_790_000_000,
    }
}

/// One line of `events.jsonl`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Text(String),
    Thinking(String),
    Signature(String),
    Redacted(String),
    Tool { id: String, name: String },
    Input(String),
    ToolEnd,
    Usage(Figures),
    Stop(Reason),
    Failure(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Figures {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    EndTurn,
    ToolUse,
    MaxTokens,
    ContextWindow,
    Refusal,
}

impl Line {
    fn event(self) -> Event {
        match self {
            Line::Text(text) => Event::Text(text),
            Line::Thinking(text) => Event::Thinking(text),
            Line::Signature(text) => Event::ThinkingSignature(text),
            Line::Redacted(data) => Event::RedactedThinking(data),
            Line::Tool { id, name } => Event::ToolUseStart { id, name },
            Line::Input(text) => Event::ToolInput(text),
            Line::ToolEnd => Event::ToolUseEnd,
            Line::Usage(figures) => Event::Usage(Usage {
                input_tokens: figures.input,
                output_tokens: figures.output,
                cache_read_tokens: figures.cache_read,
                cache_write_tokens: figures.cache_write,
                source: UsageSource::Upstream,
                ..Usage::default()
            }),
            Line::Stop(reason) => Event::Stop(match reason {
                Reason::EndTurn => StopReason::EndTurn,
                Reason::ToolUse => StopReason::ToolUse,
                Reason::MaxTokens => StopReason::MaxTokens,
                Reason::ContextWindow => StopReason::ContextWindow,
                Reason::Refusal => StopReason::Refusal,
            }),
            Line::Failure(_) => unreachable!("failures are not events"),
        }
    }
}

fn decoded_json(decoded: &Result<Inbound, DecodeError>) -> Value {
    match decoded {
        Ok(inbound) => json!({
            "conversation": conversation_json(&inbound.conversation),
            "delivery": match inbound.delivery { Delivery::Stream => "stream", Delivery::Whole => "whole" },
            "show_thinking": inbound.echo.show_thinking,
            "notices": inbound.notices,
        }),
        Err(DecodeError { code, path, message }) => {
            json!({ "error": { "code": code, "path": path, "message": message } })
        }
    }
}

fn conversation_json(conversation: &Conversation) -> Value {
    let Conversation {
        model,
        system,
        messages,
        tools,
        server_tools,
        tool_choice,
        parallel_tools,
        thinking,
        sampling,
        session,
    } = conversation;
    json!({
        "model": model,
        "system": blocks_json(system),
        "messages": messages.iter().map(message_json).collect::<Vec<_>>(),
        "tools": tools.iter().map(|tool| json!({
            "name": tool.name, "description": tool.description, "schema": tool.schema, "cache": tool.cache,
        })).collect::<Vec<_>>(),
        "server_tools": server_tools.iter().map(|ServerTool::WebSearch { name, max_uses, allowed_domains, blocked_domains }| json!({
            "web_search": { "name": name, "max_uses": max_uses, "allowed": allowed_domains, "blocked": blocked_domains },
        })).collect::<Vec<_>>(),
        "tool_choice": match tool_choice {
            ToolChoice::Auto => json!("auto"),
            ToolChoice::Any => json!("any"),
            ToolChoice::None => json!("none"),
            ToolChoice::Tool(name) => json!({ "tool": name }),
        },
        "parallel_tools": parallel_tools,
        "thinking": match thinking {
            Thinking::Unspecified => json!("unspecified"),
            Thinking::Off => json!("off"),
            Thinking::Adaptive => json!("adaptive"),
            Thinking::Budget(tokens) => json!({ "budget": tokens }),
        },
        "sampling": {
            "max_tokens": sampling.max_tokens,
            "stop_sequences": sampling.stop_sequences,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "effort": sampling.effort.map(|effort| format!("{effort:?}").to_lowercase()),
        },
        "session": session,
    })
}

fn message_json(message: &Message) -> Value {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    json!({ "role": role, "content": blocks_json(&message.content) })
}

fn blocks_json(blocks: &[Block]) -> Vec<Value> {
    blocks
        .iter()
        .map(|block| match block {
            Block::Text { text, cache: false } => json!({ "text": text }),
            Block::Text { text, cache: true } => json!({ "text": text, "cache": true }),
            Block::Thinking { text, signature } => json!({ "thinking": text, "signature": signature }),
            Block::RedactedThinking { data } => json!({ "redacted_thinking": data }),
            Block::Image(image) => json!({ "image": image.data, "media_type": image.media_type }),
            Block::Document(document) => {
                json!({ "document": document.data, "media_type": document.media_type, "name": document.name })
            }
            Block::ToolUse { id, name, input, cache } => {
                json!({ "tool_use": name, "id": id, "input": input, "cache": cache })
            }
            Block::ToolResult { tool_use_id, content, is_error, cache } => json!({
                "tool_result": tool_use_id, "content": blocks_json(content), "is_error": is_error, "cache": cache,
            }),
        })
        .collect()
}

fn check_failures(golden: &mut Golden) {
    let mut table = serde_json::Map::new();
    for class in FailureClass::ALL {
        let failure = Failure::new(class, "a_code", "What happened.");
        let (status, body) = AnthropicMessages::encode_failure(&failure, REQUEST_ID);
        table.insert(format!("{class:?}"), json!({ "status": status.as_u16(), "body": body }));
    }
    let context = Some(ContextOverflow { tokens: 250_000, limit: 200_000 });
    let failure = Failure { context, ..Failure::new(FailureClass::ContextWindow, "context_window", "unused") };
    let (status, body) = AnthropicMessages::encode_failure(&failure, REQUEST_ID);
    table.insert("ContextWindow with figures".into(), json!({ "status": status.as_u16(), "body": body }));
    golden.expect_json(&fixtures().join("failures.json"), &Value::Object(table));
}

fn check_models(golden: &mut Golden) {
    let card = |id: &str, known: bool| ModelCard {
        id: id.into(),
        name: format!("Model {id}"),
        created: 1_767_225_600,
        context_window: known.then_some(200_000),
        max_output: known.then_some(64_000),
        images: known,
        efforts: if known { vec!["low".into(), "high".into()] } else { Vec::new() },
        credit_multiplier: known.then_some(1.3),
    };
    let models = [card("a", true), card("b", false), card("c", false), card("d", false)];
    let page = |limit, after: Option<&str>, before: Option<&str>| {
        let page = PageQuery { limit, after: after.map(Into::into), before: before.map(Into::into) };
        let list = AnthropicMessages::encode_models(&models, &page);
        let ids: Vec<_> = list["data"].as_array().expect("a list").iter().map(|model| model["id"].clone()).collect();
        json!({ "ids": ids, "has_more": list["has_more"], "first_id": list["first_id"], "last_id": list["last_id"] })
    };
    let recorded = json!({
        "all": AnthropicMessages::encode_models(&models[..2], &PageQuery::default()),
        "one": AnthropicMessages::encode_model(&models[0]),
        "count": AnthropicMessages::encode_count(1234),
        "pages": {
            "empty": AnthropicMessages::encode_models(&[], &PageQuery::default()),
            "limit 3": page(Some(3), None, None),
            "limit 2 after b": page(Some(2), Some("b"), None),
            "limit 1 after a": page(Some(1), Some("a"), None),
            "limit 2 before d": page(Some(2), None, Some("d")),
            "limit 9 before c": page(Some(9), None, Some("c")),
            "after an unknown id": page(None, Some("zzz"), None),
            "limit 0": page(Some(0), None, None),
        },
    });
    golden.expect_json(&fixtures().join("models.json"), &recorded);
}
