//! An upstream that follows a script: retry, refresh, deadlines and cancellation are tested on paused time, without sockets.

use super::classify::{self, UpstreamError};
use super::profiles::Profile;
use super::usage::{self, UsageAnswer};
use super::{ByteStream, Call, SearchCall, Upstream, UpstreamModel};
use crate::account::{AccessToken, Account};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, StatusCode};
use kiro_protocol::event::SearchHit;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One step of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Bytes arrive.
    Bytes(Bytes),
    /// Time passes.
    Wait(Duration),
    /// The connection breaks.
    Reset,
    /// Nothing more comes, and nobody closes.
    Hang,
}

/// What one attempt meets.
#[derive(Debug, Clone)]
pub(crate) enum Scene {
    /// An accepted request and its answer.
    Answer(Vec<Step>),
    /// A refusal: status, body, seconds of `retry-after`.
    Refuse(u16, &'static str, Option<u64>),
    /// No connection.
    Unreachable,
}

/// What one search meets.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// Pages with these addresses, after some time.
    Pages(Vec<&'static str>, Duration),
    /// A refusal: status and body.
    Refuse(u16, &'static str),
    /// No connection.
    Unreachable,
}

/// What an attempt asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) account: String,
    pub(crate) token: String,
    pub(crate) host: String,
    pub(crate) body: serde_json::Value,
    pub(crate) at: tokio::time::Instant,
}

/// A question about an account itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) what: &'static str,
    pub(crate) account: String,
    pub(crate) token: String,
    pub(crate) at: tokio::time::Instant,
}

/// Plays scenes in order and notes what it was asked.
#[derive(Default)]
pub(crate) struct Scripted {
    scenes: Mutex<VecDeque<Scene>>,
    seen: Mutex<Vec<Seen>>,
    searches: Mutex<VecDeque<Found>>,
    searched: Mutex<Vec<(String, String, String)>>,
    usages: Mutex<VecDeque<(u16, String)>>,
    lists: Mutex<VecDeque<(u16, String)>>,
    asked: Mutex<Vec<Asked>>,
    open: Arc<AtomicUsize>,
}

impl Scripted {
    pub(crate) fn new(scenes: Vec<Scene>) -> Arc<Self> {
        Arc::new(Self { scenes: Mutex::new(scenes.into()), ..Self::default() })
    }

    /// Adds what searches meet, in order.
    pub(crate) fn finds(&self, found: impl IntoIterator<Item = Found>) {
        self.searches.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
    }

    /// Searches so far: account, host, query.
    pub(crate) fn searched(&self) -> Vec<(String, String, String)> {
        self.searched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the next questions for the quota are answered; afterwards an empty answer.
    pub(crate) fn uses(&self, answers: impl IntoIterator<Item = (u16, String)>) {
        self.usages.lock().unwrap_or_else(PoisonError::into_inner).extend(answers);
    }

    /// What the next questions for models are answered: `{"models": ["an id"]}`, or a refusal; afterwards an empty list.
    pub(crate) fn lists(&self, answers: impl IntoIterator<Item = (u16, String)>) {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner).extend(answers);
    }

    /// Questions about accounts so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn ask(
        &self,
        what: &'static str,
        account: &Account,
        token: &AccessToken,
        answers: &Mutex<VecDeque<(u16, String)>>,
    ) -> Result<String, UpstreamError> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(Asked {
            what,
            account: account.id.to_string(),
            token: token.expose().to_owned(),
            at: tokio::time::Instant::now(),
        });
        let answer = answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match answer.unwrap_or_else(|| (200, "{}".to_owned())) {
            (200, body) => Ok(body),
            (status, body) => {
                let status = StatusCode::from_u16(status).expect("a status");
                Err(classify::refusal(status, &HeaderMap::new(), body.as_bytes()))
            }
        }
    }

    /// The attempts so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers that are still held open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    fn play(&self, call: Call) -> Result<ByteStream, UpstreamError> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(Seen {
            account: call.account.id.to_string(),
            token: call.token.expose().to_owned(),
            host: call.host.clone(),
            body: serde_json::from_slice(&call.body).expect("bodies are JSON"),
            at: tokio::time::Instant::now(),
        });
        let scene = self.scenes.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match scene.expect("an attempt that the script does not know") {
            Scene::Unreachable => Err(UpstreamError::local(classify::Kind::Transport, "connection refused")),
            Scene::Refuse(status, body, retry_after) => {
                let mut headers = HeaderMap::new();
                if let Some(seconds) = retry_after {
                    headers.insert("retry-after", HeaderValue::from(seconds));
                }
                let status = StatusCode::from_u16(status).expect("a status");
                Err(classify::refusal(status, &headers, body.as_bytes()))
            }
            Scene::Answer(steps) => {
                let held = Held::new(&self.open);
                let steps = stream::unfold((VecDeque::from(steps), held), |(mut steps, held)| async move {
                    loop {
                        match steps.pop_front()? {
                            Step::Bytes(bytes) => return Some((Ok(bytes), (steps, held))),
                            Step::Wait(time) => tokio::time::sleep(time).await,
                            Step::Reset => return Some((Err("reset".to_owned()), (steps, held))),
                            Step::Hang => std::future::pending().await,
                        }
                    }
                });
                Ok(steps.boxed())
            }
        }
    }
}

/// Counts an open answer.
struct Held(Arc<AtomicUsize>);

impl Held {
    fn new(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(open))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Upstream for Scripted {
    fn converse(&self, call: Call) -> BoxFuture<'_, Result<ByteStream, UpstreamError>> {
        std::future::ready(self.play(call)).boxed()
    }

    fn models<'a>(
        &'a self,
        account: &'a Account,
        token: &'a AccessToken,
    ) -> BoxFuture<'a, Result<Vec<UpstreamModel>, UpstreamError>> {
        std::future::ready(self.ask("models", account, token, &self.lists).map(|body| named(&body))).boxed()
    }

    fn usage<'a>(
        &'a self,
        account: &'a Account,
        token: &'a AccessToken,
    ) -> BoxFuture<'a, Result<UsageAnswer, UpstreamError>> {
        let answer = self.ask("usage", account, token, &self.usages).and_then(|body| usage::read(body.as_bytes()));
        // As over a network, the answer is not there at once.
        async move {
            tokio::task::yield_now().await;
            answer
        }
        .boxed()
    }

    fn profiles<'a>(
        &'a self,
        account: &'a Account,
        token: &'a AccessToken,
        _region: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Profile>, UpstreamError>> {
        let answer = self.ask("profiles", account, token, &Mutex::default()).map(|_| Vec::new());
        std::future::ready(answer).boxed()
    }

    fn forget(&self, _: &crate::account::AccountId) {}

    fn search<'a>(&'a self, call: SearchCall<'a>) -> BoxFuture<'a, Result<Vec<SearchHit>, UpstreamError>> {
        let asked = (call.account.id.to_string(), call.rung.host.clone(), call.query.to_owned());
        self.searched.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        let found = self.searches.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        async move {
            match found.expect("a search that the script does not know") {
                Found::Unreachable => Err(UpstreamError::local(classify::Kind::Transport, "connection refused")),
                Found::Refuse(status, body) => {
                    let status = StatusCode::from_u16(status).expect("a status");
                    Err(classify::refusal(status, &HeaderMap::new(), body.as_bytes()))
                }
                Found::Pages(pages, after) => {
                    tokio::time::sleep(after).await;
                    let hit = |url: &&str| SearchHit {
                        title: format!("About {url}"),
                        url: (*url).to_owned(),
                        ..SearchHit::default()
                    };
                    Ok(pages.iter().map(hit).collect())
                }
            }
        }
        .boxed()
    }
}

fn named(body: &str) -> Vec<UpstreamModel> {
    let body: serde_json::Value = serde_json::from_str(body).expect("a list is JSON");
    let ids = body["models"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    let model = |id: &str| UpstreamModel {
        id: id.to_owned(),
        name: id.to_owned(),
        window: None,
        max_output: None,
        images: true,
        caching: super::Caching::default(),
        multiplier: None,
        fields_schema: None,
        documents: false,
        description: None,
    };
    ids.map(model).collect()
}

/// One frame of the event stream.
pub(crate) fn frame(message_type: &str, name: &str, payload: &str) -> Bytes {
    let kind = if message_type == "exception" { ":exception-type" } else { ":event-type" };
    let mut headers = Vec::new();
    for (name, value) in [(":message-type", message_type), (kind, name), (":content-type", "application/json")] {
        headers.push(name.len() as u8);
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&(value.len() as u16).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let total = 16 + headers.len() + payload.len();
    let mut bytes = Vec::with_capacity(total);
    bytes.extend_from_slice(&(total as u32).to_be_bytes());
    bytes.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend_from_slice(&headers);
    bytes.extend_from_slice(payload.as_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes.into()
}

/// A piece of text.
pub(crate) fn text(text: &str) -> Step {
    Step::Bytes(frame("event", "assistantResponseEvent", &serde_json::json!({ "content": text }).to_string()))
}

/// The metering event.
pub(crate) fn metering() -> Step {
    Step::Bytes(frame("event", "meteringEvent", r#"{"unit":"credit","unitPlural":"credits","usage":0.5}"#))
}

/// A whole, short answer.
pub(crate) fn answer(words: &str) -> Scene {
    Scene::Answer(vec![text(words), metering()])
}
