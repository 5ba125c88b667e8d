//! Golden cases of a client protocol: `tests/fixtures/<protocol>/<case>/`.
//!
//! `request.json` (and `head.json`: path, query, headers, kept, reasoning) gives `decoded.json`. `events.jsonl` gives `reply.json` and
//! `reply.sse`, with the echo and the stop sequences of the request. `failures.json` and `models.json` hold the tables.
//! `UPDATE_GOLDEN=1` rewrites what is expected; people read the diff. A file that no check reads is a failure.

use super::view::decoded_json;
use kiro_protocol::codec::{Echo, ModelCard, PageQuery, Protocol, ReasoningStyle, RequestHead, StreamEncoder};
use kiro_protocol::event::{Event, ReplyBuilder, SearchHit, StopReason, Usage, UsageSource};
use kiro_protocol::failure::{ContextOverflow, Failure, FailureClass};
use kiro_protocol::sse::SseWriter;
use kiro_protocol::stop::StopSequences;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) const REQUEST_ID: &str = "0123456789abcdef0123456789abcdef";

/// What a strict reader of a protocol found in a stream.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    /// The whole reply, when the stream ended with its success terminator.
    pub(crate) message: Option<Value>,
    /// The error event, when there was one.
    pub(crate) error: Option<Value>,
    /// Number of signs of life.
    pub(crate) pings: usize,
    /// Fields of a whole reply that this stream was not asked to carry.
    pub(crate) unasked: &'static [&'static str],
}

/// A protocol under test.
pub(crate) struct Suite {
    /// Folder below `tests/fixtures`.
    pub(crate) folder: &'static str,
    /// The path of a case without `head.json`.
    pub(crate) path: &'static str,
    /// At least this many cases must be there.
    pub(crate) least: usize,
    /// Reads a stream back as a strict client does; the text says which rule was broken.
    pub(crate) fold: fn(&[u8]) -> Result<Folded, String>,
    /// The ids in a model list.
    pub(crate) ids: fn(&Value) -> Value,
}

impl Suite {
    fn fixtures(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures").join(self.folder)
    }
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

/// Checks every case of a protocol, its tables of failures and models, and that every file was read.
pub(crate) fn check<P: Protocol>(suite: &Suite) {
    let mut golden =
        Golden { update: std::env::var_os("UPDATE_GOLDEN").is_some(), read: BTreeSet::new(), wrong: Vec::new() };
    let mut cases: Vec<PathBuf> = entries(&suite.fixtures()).into_iter().filter(|path| path.is_dir()).collect();
    cases.sort();
    for case in &cases {
        check_case::<P>(suite, &mut golden, case);
    }
    check_failures::<P>(suite, &mut golden);
    check_models::<P>(suite, &mut golden);

    for path in cases.iter().flat_map(|case| entries(case)).chain(entries(&suite.fixtures())) {
        if path.is_file() && !golden.read.contains(&path) {
            golden.wrong.push(format!("{} is read by no check", path.display()));
        }
    }
    assert!(cases.len() >= suite.least, "only {} cases were found", cases.len());
    assert!(golden.wrong.is_empty(), "{} differences:\n{}", golden.wrong.len(), golden.wrong.join("\n\n"));
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).expect("the folder exists").map(|entry| entry.expect("an entry").path()).collect()
}

fn check_case<P: Protocol>(suite: &Suite, golden: &mut Golden, case: &Path) {
    let name = case.file_name().expect("a name").to_string_lossy().into_owned();
    let body = golden.input(&case.join("request.json")).unwrap_or_else(|| panic!("{name} has no request"));
    let (head, reasoning) = head(suite, golden.input(&case.join("head.json")));
    let decoded = if is_count(&head.path) { P::decode_count(&head, &body) } else { P::decode(&head, &body) };
    golden.expect_json(&case.join("decoded.json"), &decoded_json(&decoded));

    let Some(lines) = golden.input(&case.join("events.jsonl")) else { return };
    let Ok(inbound) = decoded else { panic!("{name} has events for a request that is refused") };
    let echo = Echo { input_tokens: Some(42), reasoning, ..inbound.echo };
    let mut stop = StopSequences::new(inbound.conversation.sampling.stop_sequences);
    let (mut events, mut failure) = (Vec::new(), None);
    for line in String::from_utf8(lines).expect("UTF-8").lines().filter(|line| !line.is_empty()) {
        match serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {line}: {error}")) {
            Line::Failure(message) => failure = Some(Failure::new(FailureClass::Upstream, "upstream_cut", message)),
            line => stop.push(line.event(), &mut events),
        }
    }

    let mut encoder = P::encoder(echo.clone());
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
    let folded = (suite.fold)(&stream).unwrap_or_else(|broken| panic!("{name}: {broken}"));
    assert_eq!(folded.pings, 1, "{name}");
    match builder.finish() {
        Ok(reply) if failure.is_none() => {
            let whole = P::encode(&reply, &echo);
            assert_eq!(folded.message, Some(without(&whole, folded.unasked)), "{name}: stream and whole reply differ");
            golden.expect_json(&case.join("reply.json"), &whole);
        }
        _ => assert!(folded.message.is_none() && folded.error.is_some(), "{name}: a cut answer looks complete"),
    }
}

/// The reply without the fields that a stream was not asked for.
pub(crate) fn without(reply: &Value, fields: &[&str]) -> Value {
    let mut reply = reply.clone();
    if let Value::Object(reply) = &mut reply {
        reply.retain(|key, _| !fields.contains(&key.as_str()));
    }
    reply
}

fn head(suite: &Suite, file: Option<Vec<u8>>) -> (RequestHead, ReasoningStyle) {
    #[derive(Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Head {
        path: Option<String>,
        query: String,
        headers: BTreeMap<String, String>,
        kept: Option<Value>,
        /// The style the gateway's setting would choose.
        reasoning: Option<String>,
    }
    let file: Head = file.map(|bytes| serde_json::from_slice(&bytes).expect("head.json")).unwrap_or_default();
    let headers = file.headers.iter().map(|(name, value)| {
        (name.parse::<http::HeaderName>().expect("a name"), value.parse::<http::HeaderValue>().expect("a value"))
    });
    let reasoning = match file.reasoning.as_deref() {
        None => ReasoningStyle::default(),
        Some("content") => ReasoningStyle::Content,
        Some("removed") => ReasoningStyle::Removed,
        Some("tagged") => ReasoningStyle::Tagged,
        Some("plain") => ReasoningStyle::Plain,
        Some(other) => panic!("{other} is no style of reasoning"),
    };
    let head = RequestHead {
        path: file.path.unwrap_or_else(|| suite.path.into()),
        query: file.query,
        headers: headers.collect(),
        request_id: REQUEST_ID.into(),
        now: 1_790_000_000,
        kept: file.kept.map(Arc::new),
    };
    (head, reasoning)
}

fn is_count(path: &str) -> bool {
    path.ends_with("count_tokens") || path.ends_with("input_tokens") || path.ends_with(":countTokens")
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
    ToolCut,
    Search { id: String, query: String },
    Found { id: String, hits: Vec<Hit> },
    NotFound { id: String },
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
    searches: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hit {
    title: String,
    url: String,
    #[serde(default)]
    snippet: String,
    published: Option<String>,
}

impl Hit {
    fn hit(self) -> SearchHit {
        SearchHit { title: self.title, url: self.url, snippet: self.snippet, published: self.published }
    }
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
            Line::ToolCut => Event::ToolUseCut,
            Line::Search { id, query } => Event::SearchStart { id, query },
            Line::Found { id, hits } => Event::SearchDone { id, outcome: Ok(hits.into_iter().map(Hit::hit).collect()) },
            Line::NotFound { id } => Event::SearchDone { id, outcome: Err("unavailable") },
            Line::Usage(figures) => Event::Usage(Usage {
                input_tokens: figures.input,
                output_tokens: figures.output,
                cache_read_tokens: figures.cache_read,
                cache_write_tokens: figures.cache_write,
                web_searches: figures.searches,
                input_source: UsageSource::Upstream,
                output_source: UsageSource::Upstream,
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

fn check_failures<P: Protocol>(suite: &Suite, golden: &mut Golden) {
    let mut table = serde_json::Map::new();
    for class in FailureClass::ALL {
        let failure = Failure::new(class, "a_code", "What happened.");
        let (status, body) = P::encode_failure(&failure, REQUEST_ID);
        table.insert(format!("{class:?}"), json!({ "status": status.as_u16(), "body": body }));
    }
    let context = Some(ContextOverflow { tokens: 250_000, limit: 200_000 });
    let failure = Failure { context, ..Failure::new(FailureClass::ContextWindow, "context_window", "unused") };
    let (status, body) = P::encode_failure(&failure, REQUEST_ID);
    table.insert("ContextWindow with figures".into(), json!({ "status": status.as_u16(), "body": body }));
    golden.expect_json(&suite.fixtures().join("failures.json"), &Value::Object(table));
}

fn check_models<P: Protocol>(suite: &Suite, golden: &mut Golden) {
    let card = |id: &str, known: bool| ModelCard {
        id: id.into(),
        name: format!("Model {id}"),
        created: 1_767_225_600,
        context_window: known.then_some(200_000),
        max_output: known.then_some(64_000),
        images: known,
        efforts: if known { vec!["low".into(), "high".into()] } else { Vec::new() },
        credit_multiplier: known.then_some(1.3),
        documents: false,
        description: None,
        alias_of: None,
    };
    let models = [card("a", true), card("b", false), card("c", false), card("d", false)];
    let page = |limit, after: Option<&str>, before: Option<&str>| {
        let page = PageQuery { limit, after: after.map(Into::into), before: before.map(Into::into) };
        let list = P::encode_models(&models, &page);
        let mut shown = json!({ "ids": (suite.ids)(&list) });
        for key in ["has_more", "first_id", "last_id", "nextPageToken"] {
            if let Some(value) = list.get(key) {
                shown[key] = value.clone();
            }
        }
        shown
    };
    let recorded = json!({
        "all": P::encode_models(&models[..2], &PageQuery::default()),
        "one": P::encode_model(&models[0]),
        "count": P::encode_count(1234),
        "pages": {
            "empty": P::encode_models(&[], &PageQuery::default()),
            "limit 3": page(Some(3), None, None),
            "limit 2 after b": page(Some(2), Some("b"), None),
            "limit 1 after a": page(Some(1), Some("a"), None),
            "limit 2 before d": page(Some(2), None, Some("d")),
            "limit 9 before c": page(Some(9), None, Some("c")),
            "after an unknown id": page(None, Some("zzz"), None),
            "limit 0": page(Some(0), None, None),
        },
    });
    golden.expect_json(&suite.fixtures().join("models.json"), &recorded);
}
