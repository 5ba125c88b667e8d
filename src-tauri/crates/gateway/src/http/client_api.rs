//! The door's paths: who may ask, and which handler answers. Handlers are in `converse`, `listing`, `kept_answers`, `overview`.
//!
//! The order of checks is cheap before expensive, and nothing of a body is read before the key is known
//! (reliability 2.2): host, origin, path, key, form of the body, room, body, meaning.

use super::answer::{REQUEST_ID, X_REQUEST_ID, failed, failed_as, json, last_words};
use super::body::Budget;
use super::connection::Phase;
use super::converse::Asked;
use super::dialect::Dialect;
use super::guard::{self, Refusal};
use super::reply;
use super::routes::{self, Found, GeminiCall, Open, Route};
use super::{overview, query};
use crate::client_key::{KeyId, Keys};
use crate::clock::Clock;
use crate::flow::Flows;
use crate::kept::Kept;
use crate::pipeline::Pipeline;
use crate::settings::store::SettingsStore;
use axum::body::Body;
use futures_util::FutureExt as _;
use http::header::{ALLOW, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use kiro_protocol::anthropic::AnthropicMessages;
use kiro_protocol::failure::{Failure, FailureClass};
use kiro_protocol::gemini::Gemini;
use kiro_protocol::openai_chat::{OpenAiChat, OpenAiCompletions};
use kiro_protocol::openai_responses::{OpenAiCompaction, OpenAiResponses};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the handlers need.
pub(crate) struct ClientApi {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) settings: Arc<SettingsStore>,
    pub(crate) flows: Arc<Flows>,
    pub(crate) kept: Arc<Kept>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) budget: Budget,
    /// The port of this door, for the checks of host and origin.
    pub(crate) port: u16,
    /// Ends answers that are still open when the time for stopping is over.
    pub(crate) cut: CancellationToken,
}

impl ClientApi {
    /// Answers one request. A fault of ours costs this request and no other.
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Incoming>, phase: Phase) -> Response<Body> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let dialect = dialect(&request);
        let work = Arc::clone(&self).admit(request, dialect, &id, phase.clone());
        let mut response = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(request = %id, "a request met a fault of ours");
            let failure = Failure::new(FailureClass::Internal, "internal", "Kiro Proxy met a fault of its own");
            failed(dialect.words(), &failure, &id)
        });
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value.clone());
            response.headers_mut().insert(X_REQUEST_ID, value);
        }
        response.map(|body| Body::new(reply::Answered::new(body, phase)))
    }

    async fn admit(
        self: Arc<Self>,
        request: Request<Incoming>,
        dialect: Dialect,
        id: &str,
        phase: Phase,
    ) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let words = dialect.words();
        if let Err(refusal) =
            guard::host(&parts.uri, &parts.headers, self.port).and_then(|()| guard::origin(&parts.headers, self.port))
        {
            tracing::warn!(request = %id, code = refusal.code(), "refused");
            let failure = Failure::new(refusal_class(refusal), refusal.code(), refusal.words());
            return last_words(failed_as(words, refusal.status(), &failure, id));
        }
        let path = parts.uri.path().to_owned();
        let Found { route, .. } = routes::find(&path);
        if route == Route::Unknown {
            return last_words(failed(words, &unknown_path(), id));
        }
        if let Route::Absent(absent) = route {
            let failure = Failure::new(FailureClass::NotFound, "not_offered", absent.words());
            return last_words(failed(words, &failure, id));
        }
        // Codex asks for a socket first and goes on at once with POST when it gets this status (clients.md 3.4).
        if route == Route::Responses && parts.method == Method::GET && parts.headers.contains_key(UPGRADE) {
            return upgrade_refused(dialect, id);
        }
        if !route.accepts(&parts.method) {
            return method_refused(&route, &parts.method, dialect, id);
        }
        if let Route::Open(open) = route {
            return self.open(open, body).await;
        }
        let Some(key) = self.key(&parts, dialect) else { return last_words(failed(words, &no_key(), id)) };
        self.dispatch(route, dialect, Asked { parts, body, id: id.to_owned(), key, phase }).await
    }

    async fn open(&self, open: Open, body: Incoming) -> Response<Body> {
        match open {
            Open::Health => json(StatusCode::OK, &serde_json::json!({ "status": "ok" })),
            Open::Ready => overview::ready(&self.pipeline),
            Open::Hello => Response::new(Body::empty()),
            Open::Telemetry => overview::swallow(body).await,
        }
    }

    async fn dispatch(self: Arc<Self>, route: Route<'_>, dialect: Dialect, asked: Asked) -> Response<Body> {
        match route {
            Route::Open(open) => self.open(open, asked.body).await,
            Route::Usage => overview::usage(&self.pipeline, &self.flows, self.clock.now()),
            Route::Models => self.models(dialect, &asked),
            Route::Model(name) => self.model(dialect, name, &asked),
            Route::Messages => self.converse::<AnthropicMessages>(asked).await,
            Route::CountTokens => self.count::<AnthropicMessages>(asked).await,
            Route::Chat => self.converse::<OpenAiChat>(asked).await,
            Route::Completions => self.converse::<OpenAiCompletions>(asked).await,
            Route::Responses => self.converse::<OpenAiResponses>(asked).await,
            Route::CountResponses => self.count::<OpenAiResponses>(asked).await,
            Route::Compact => self.converse::<OpenAiCompaction>(asked).await,
            Route::Gemini(_, GeminiCall::Generate | GeminiCall::Stream) => self.converse::<Gemini>(asked).await,
            Route::Gemini(_, GeminiCall::Count) => self.count::<Gemini>(asked).await,
            Route::Kept(name) if asked.parts.method == Method::DELETE => self.forget_kept(name, &asked).await,
            Route::Kept(name) => self.show_kept(name, &asked).await,
            Route::KeptInput(name) => self.show_kept_input(name, &asked).await,
            Route::Cancel(name) => self.cancel_kept(name, &asked).await,
            Route::Absent(_) | Route::Unknown => last_words(failed(dialect.words(), &unknown_path(), &asked.id)),
        }
    }

    /// The caller's key, from wherever clients of any family put it; in the address only where Gemini's clients do.
    fn key(&self, parts: &Parts, dialect: Dialect) -> Option<KeyId> {
        let in_head = guard::keys(&parts.headers).find_map(|key| self.keys.verify(key));
        in_head.or_else(|| {
            let address = (dialect == Dialect::Gemini).then(|| parts.uri.query()).flatten()?;
            query::key(address).find_map(|key| self.keys.verify(key.as_bytes()))
        })
    }

    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.clock.now().unix_seconds()).unwrap_or_default()
    }
}

/// Whose words the caller understands.
fn dialect<B>(request: &Request<B>) -> Dialect {
    routes::find(request.uri().path()).dialect.unwrap_or_else(|| Dialect::by_headers(request.headers()))
}

fn unknown_path() -> Failure {
    Failure::new(
        FailureClass::NotFound,
        "not_found",
        "there is no such path here. Clients of Anthropic and Gemini want the base URL without a version, those of OpenAI \
         with /v1",
    )
}

fn no_key() -> Failure {
    Failure::new(
        FailureClass::Authentication,
        "invalid_key",
        "the key is missing or wrong. Use a key of Kiro Proxy (`kiro-proxy keys reveal`, or the app's home page), as \
         Authorization: Bearer, x-api-key or x-goog-api-key",
    )
}

fn upgrade_refused(dialect: Dialect, id: &str) -> Response<Body> {
    let words = "this address speaks plain HTTP: send the request with POST and \"stream\": true";
    let failure = Failure::new(FailureClass::InvalidRequest, "websocket_not_supported", words);
    let mut response = failed_as(dialect.words(), StatusCode::UPGRADE_REQUIRED, &failure, id);
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("HTTP/1.1"));
    last_words(response)
}

fn method_refused(route: &Route<'_>, method: &Method, dialect: Dialect, id: &str) -> Response<Body> {
    let methods = route.methods().unwrap_or_default();
    let words = format!("this path takes {methods}, not {method}");
    let failure = Failure::new(FailureClass::InvalidRequest, "method_not_allowed", words);
    let mut response = failed_as(dialect.words(), StatusCode::METHOD_NOT_ALLOWED, &failure, id);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    last_words(response)
}

fn refusal_class(refusal: Refusal) -> FailureClass {
    match refusal {
        Refusal::Origin => FailureClass::Permission,
        Refusal::HostMissing | Refusal::HostForeign | Refusal::Encoding | Refusal::MediaType => {
            FailureClass::InvalidRequest
        }
    }
}

#[cfg(test)]
mod tests;
