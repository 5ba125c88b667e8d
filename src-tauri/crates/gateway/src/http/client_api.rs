//! The paths that clients call, and the one generic handler for all protocols.
//!
//! The order of checks is cheap before expensive, and nothing of a body is read before the key is known
//! (reliability 2.2): host, origin, path, key, form of the body, room, body, meaning.

use super::body::{self, BodyError, Budget};
use super::connection::Phase;
use super::guard::{self, Refusal};
use super::reply;
use crate::catalog::Names;
use crate::client_key::{KeyOptions, Keys};
use crate::clock::Clock;
use crate::flow::Flows;
use crate::pipeline::{Pipeline, heavy};
use crate::settings::Settings;
use crate::settings::store::SettingsStore;
use axum::body::Body;
use futures_util::FutureExt as _;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use kiro_protocol::anthropic::AnthropicMessages;
use kiro_protocol::codec::{Delivery, PageQuery, Protocol, RequestHead};
use kiro_protocol::failure::{Failure, FailureClass};
use kiro_protocol::sse::SseWriter;
use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Tells that an answer was made up on this machine.
pub(crate) const SIMULATED: HeaderName = HeaderName::from_static("x-kiro-proxy-simulated");
/// The id under which a request is found in flows and logs.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// The stable code of a refusal; the body has the protocol's own shape, which knows only a few types.
pub(crate) const CODE: HeaderName = HeaderName::from_static("x-kiro-proxy-code");
/// An upstream that is silent for this long gets no more say in the status: the head goes out and the stream begins.
const HEAD_PATIENCE: Duration = Duration::from_secs(5);

/// What the handlers need.
pub(crate) struct ClientApi {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) settings: Arc<SettingsStore>,
    pub(crate) flows: Arc<Flows>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) budget: Budget,
    /// The port of this door, for the checks of host and origin.
    pub(crate) port: u16,
    /// Ends answers that are still open when the time for stopping is over.
    pub(crate) cut: CancellationToken,
}

/// What a path means.
enum Route<'a> {
    /// No data, no key.
    Health,
    /// Claude Code knocks here at its start.
    Hello,
    Messages,
    CountTokens,
    Models,
    Model(&'a str),
}

impl Route<'_> {
    fn methods(&self) -> &'static str {
        match self {
            Route::Health | Route::Hello | Route::Models | Route::Model(_) => "GET, HEAD",
            Route::Messages | Route::CountTokens => "POST",
        }
    }

    fn accepts(&self, method: &Method) -> bool {
        match self {
            Route::Health | Route::Hello | Route::Models | Route::Model(_) => {
                *method == Method::GET || *method == Method::HEAD
            }
            Route::Messages | Route::CountTokens => *method == Method::POST,
        }
    }

    fn is_open(&self) -> bool {
        match self {
            Route::Health | Route::Hello => true,
            Route::Messages | Route::CountTokens | Route::Models | Route::Model(_) => false,
        }
    }
}

/// Finds the route. Clients put their path behind whatever base URL a person gave them: a prefix with the protocol's name
/// and a doubled version are understood.
fn route(path: &str) -> Option<Route<'_>> {
    match path {
        "/health" => return Some(Route::Health),
        "/api/hello" => return Some(Route::Hello),
        _ => {}
    }
    let path = path.strip_prefix("/anthropic").unwrap_or(path);
    let path = path.strip_prefix("/v1")?;
    let path = path.strip_prefix("/v1").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    match path {
        "/messages" => Some(Route::Messages),
        "/messages/count_tokens" => Some(Route::CountTokens),
        "/models" => Some(Route::Models),
        _ => path.strip_prefix("/models/").filter(|id| !id.is_empty()).map(Route::Model),
    }
}

impl ClientApi {
    /// Answers one request. A fault of ours costs this request and no other.
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Incoming>, phase: Phase) -> Response<Body> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let answered = AssertUnwindSafe(Arc::clone(&self).admit(request, &id)).catch_unwind().await;
        let mut response = answered.unwrap_or_else(|_| {
            tracing::error!(request = %id, "a request met a fault of ours");
            let failure = Failure::new(FailureClass::Internal, "internal", "Kiro Proxy met a fault of its own");
            failed::<AnthropicMessages>(&failure, &id)
        });
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response.map(|body| Body::new(reply::Answered::new(body, phase)))
    }

    async fn admit(self: Arc<Self>, request: Request<Incoming>, id: &str) -> Response<Body> {
        let (parts, body) = request.into_parts();
        if let Err(refusal) =
            guard::host(&parts.uri, &parts.headers, self.port).and_then(|()| guard::origin(&parts.headers, self.port))
        {
            tracing::warn!(request = %id, code = refusal.code(), "refused");
            return last_words(misdirected(refusal, id));
        }
        let path = parts.uri.path().to_owned();
        let Some(route) = route(&path) else {
            let failure = Failure::new(FailureClass::NotFound, "not_found", "there is no such path here");
            return last_words(failed::<AnthropicMessages>(&failure, id));
        };
        if !route.accepts(&parts.method) {
            let words = format!("this path takes {}, not {}", route.methods(), parts.method);
            let failure = Failure::new(FailureClass::InvalidRequest, "method_not_allowed", words);
            let mut response = failed::<AnthropicMessages>(&failure, id);
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(route.methods()));
            return last_words(response);
        }
        let key = guard::keys(&parts.headers).find_map(|key| self.keys.verify(key));
        if !route.is_open() && key.is_none() {
            let failure = Failure::new(
                FailureClass::Authentication,
                "invalid_key",
                "the key is missing or wrong. Use a key of Kiro Proxy (`kiro-proxy keys reveal`, or the app's home page), as \
                 Authorization: Bearer or x-api-key",
            );
            return last_words(failed::<AnthropicMessages>(&failure, id));
        }
        let options = key.map(|key| self.keys.options(&key)).unwrap_or_default();
        match route {
            Route::Health => json(StatusCode::OK, &serde_json::json!({ "status": "ok" })),
            Route::Hello => Response::new(Body::empty()),
            Route::Models => self.models::<AnthropicMessages>(&parts),
            Route::Model(name) => self.model::<AnthropicMessages>(&options, name, id),
            Route::Messages => {
                Arc::clone(&self).converse::<AnthropicMessages>("anthropic", &options, parts, body, id).await
            }
            Route::CountTokens => self.count::<AnthropicMessages>(&options, parts, body, id).await,
        }
    }

    fn models<P: Protocol>(&self, parts: &Parts) -> Response<Body> {
        let mut page = PageQuery::default();
        for (name, value) in url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            match &*name {
                "limit" => page.limit = value.parse().ok(),
                "after_id" => page.after = Some(value.into_owned()),
                "before_id" => page.before = Some(value.into_owned()),
                _ => {}
            }
        }
        let settings = self.settings.snapshot().settings;
        let cards = self.pipeline.catalog.cards(&self.pipeline.pool(), settings.models.list_aliases, self.now());
        json(StatusCode::OK, &P::encode_models(&cards, &page))
    }

    fn model<P: Protocol>(&self, options: &KeyOptions, name: &str, id: &str) -> Response<Body> {
        let name = &*percent_decoded(name);
        let settings = self.settings.snapshot().settings;
        let names = Names::new(&settings, options);
        match self.pipeline.catalog.card(name, &names, &self.pipeline.pool(), self.now()) {
            Some(card) => json(StatusCode::OK, &P::encode_model(&card)),
            None => {
                let shown: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
                let failure = Failure::new(FailureClass::NotFound, "unknown_model", format!("model: {shown}"));
                failed::<P>(&failure, id)
            }
        }
    }

    async fn count<P: Protocol>(&self, options: &KeyOptions, parts: Parts, body: Incoming, id: &str) -> Response<Body> {
        let settings = self.settings.snapshot().settings;
        let (bytes, _share) = match read::<P>(&parts, body, &settings, &self.budget, id).await {
            Ok(read) => read,
            Err(response) => return response,
        };
        let head = self.head(parts, id);
        let decoded = heavy(bytes.len(), move || P::decode_count(&head, &bytes)).await;
        let counted = match decoded {
            Ok(inbound) => self.pipeline.count(inbound, &settings, options).await,
            Err(error) => Err(undecodable(&error)),
        };
        match counted {
            Ok(tokens) => json(StatusCode::OK, &P::encode_count(tokens)),
            Err(failure) => failed::<P>(&failure, id),
        }
    }

    /// Any protocol's "answer this conversation".
    async fn converse<P: Protocol>(
        self: Arc<Self>,
        protocol: &'static str,
        options: &KeyOptions,
        parts: Parts,
        body: Incoming,
        id: &str,
    ) -> Response<Body> {
        let settings = self.settings.snapshot().settings;
        let client = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).map(program);
        let flow = self.flows.open(id.to_owned(), protocol, client);
        let (bytes, share) = match read::<P>(&parts, body, &settings, &self.budget, id).await {
            Ok(read) => read,
            Err(response) => {
                flow.status(response.status().as_u16());
                flow.failed(&Failure::new(FailureClass::InvalidRequest, "body_refused", ""));
                return response;
            }
        };
        let head = self.head(parts, id);
        let decoded = heavy(bytes.len(), move || {
            let decoded = P::decode(&head, &bytes);
            drop(bytes);
            decoded
        })
        .await;
        drop(share);
        let inbound = match decoded {
            Ok(inbound) => inbound,
            Err(error) => {
                let failure = undecodable(&error);
                flow.failed(&failure);
                return noted::<P>(&failure, &flow, id);
            }
        };
        let (delivery, mut echo) = (inbound.delivery, inbound.echo.clone());
        let mut exchange = match self.pipeline.begin(inbound, flow, &settings, options, None).await {
            Ok(exchange) => exchange,
            Err((failure, flow)) => {
                flow.failed(&failure);
                return noted::<P>(&failure, &flow, id);
            }
        };
        echo.input_tokens = Some(exchange.input_estimate());
        // A refusal that comes soon still gets its own status.
        if let Ok(Err(failure)) = tokio::time::timeout(HEAD_PATIENCE, exchange.connect()).await {
            return noted::<P>(&failure, exchange.flow(), id);
        }
        match delivery {
            Delivery::Stream | Delivery::JsonArray => {
                let simulated = exchange.flow().simulated() || self.pipeline.dispatcher.leases.census().simulated;
                let body =
                    reply::stream::<P>(exchange, echo, settings.limits.keep_alive(), &self.cut, SseWriter::default());
                let mut response = Response::new(body);
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
                headers.insert("cache-control", HeaderValue::from_static("no-cache"));
                headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
                label(headers, simulated);
                response
            }
            Delivery::Whole => match reply::whole(&mut exchange, &self.cut).await {
                Ok(whole) => {
                    let mut response = json(StatusCode::OK, &P::encode(&whole, &echo));
                    label(response.headers_mut(), exchange.flow().simulated());
                    response
                }
                Err(failure) => noted::<P>(&failure, exchange.flow(), id),
            },
        }
    }

    /// What a decoder may know: credentials are not among it.
    fn head(&self, parts: Parts, id: &str) -> RequestHead {
        let mut headers = parts.headers;
        for secret in ["authorization", "x-api-key", "x-goog-api-key", "proxy-authorization", "cookie"] {
            headers.remove(secret);
        }
        RequestHead {
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers,
            request_id: id.to_owned(),
            now: self.now(),
            kept: None,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().unix_seconds()).unwrap_or_default()
    }
}

/// Reads a body after checking its form.
async fn read<P: Protocol>(
    parts: &Parts,
    body: Incoming,
    settings: &Settings,
    budget: &Budget,
    id: &str,
) -> Result<(bytes::Bytes, body::Share), Response<Body>> {
    if let Err(refusal) = guard::body_form(&parts.headers) {
        let failure = Failure::new(FailureClass::InvalidRequest, refusal.code(), refusal.words());
        let mut response = failed::<P>(&failure, id);
        *response.status_mut() = refusal.status();
        return Err(last_words(response));
    }
    let limit = settings.listener.max_body_bytes();
    let deadline = Duration::from_secs(settings.listener.body_read_seconds.into());
    body::read(body, limit, deadline, budget).await.map_err(|error| {
        let mebibytes = settings.listener.max_body_mebibytes;
        let (failure, status) = match error {
            BodyError::TooLarge => {
                let words =
                    format!("the request body is larger than {mebibytes} MiB (setting listener.maxBodyMebibytes)");
                (Failure::new(FailureClass::TooLarge, "body_too_large", words), None)
            }
            BodyError::NoRoom => {
                let words = "too many large requests at the same time; try again shortly";
                let mut failure = Failure::new(FailureClass::Overloaded, "bodies_too_large", words);
                failure.retry_after = Some(Duration::from_secs(2));
                (failure, Some(StatusCode::SERVICE_UNAVAILABLE))
            }
            BodyError::TooSlow => {
                let words = format!("the request body did not arrive within {} seconds", deadline.as_secs());
                let failure = Failure::new(FailureClass::InvalidRequest, "body_too_slow", words);
                (failure, Some(StatusCode::REQUEST_TIMEOUT))
            }
            BodyError::Broken => {
                (Failure::new(FailureClass::InvalidRequest, "body_broken", "the request body broke off"), None)
            }
        };
        let mut response = failed::<P>(&failure, id);
        if let Some(status) = status {
            *response.status_mut() = status;
        }
        last_words(response)
    })
}

fn undecodable(error: &kiro_protocol::codec::DecodeError) -> Failure {
    Failure::new(FailureClass::InvalidRequest, error.code, error.to_string())
}

/// A piece of a path as it was meant: SDKs escape what a model's name may hold, such as `:` and `[`.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy()
}

/// The program's own name, without its version details.
fn program(agent: &str) -> String {
    agent.split_whitespace().next().unwrap_or_default().chars().filter(|c| c.is_ascii_graphic()).take(64).collect()
}

fn label(headers: &mut HeaderMap, simulated: bool) {
    if simulated {
        headers.insert(SIMULATED, HeaderValue::from_static("true"));
    }
}

/// A failure in the protocol's own shape.
fn failed<P: Protocol>(failure: &Failure, id: &str) -> Response<Body> {
    let (status, body) = P::encode_failure(failure, id);
    let mut response = json(status, &body);
    response.headers_mut().insert(CODE, HeaderValue::from_static(failure.code));
    if let Some(wait) = failure.retry_after {
        // Clients wait up to a minute; for more they give up at once, which is right for a used-up quota only.
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        let seconds = match failure.class {
            FailureClass::RateLimit | FailureClass::Overloaded => seconds.min(60),
            FailureClass::InvalidRequest
            | FailureClass::Authentication
            | FailureClass::Permission
            | FailureClass::NotFound
            | FailureClass::TooLarge
            | FailureClass::ContextWindow
            | FailureClass::Quota
            | FailureClass::Timeout
            | FailureClass::Upstream
            | FailureClass::Internal => seconds,
        };
        if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
            response.headers_mut().insert(RETRY_AFTER, value);
        }
    }
    response
}

/// A failure that the flow record knows, too.
fn noted<P: Protocol>(failure: &Failure, flow: &crate::flow::Flow, id: &str) -> Response<Body> {
    let mut response = failed::<P>(failure, id);
    flow.status(response.status().as_u16());
    label(response.headers_mut(), flow.simulated());
    response
}

/// A request for another door, or from a page that may not ask. Clients of this door speak Anthropic.
fn misdirected(refusal: Refusal, id: &str) -> Response<Body> {
    let class = match refusal {
        Refusal::Origin => FailureClass::Permission,
        Refusal::HostMissing | Refusal::HostForeign | Refusal::Encoding | Refusal::MediaType => {
            FailureClass::InvalidRequest
        }
    };
    let mut response = failed::<AnthropicMessages>(&Failure::new(class, refusal.code(), refusal.words()), id);
    *response.status_mut() = refusal.status();
    response
}

/// The connection is not used again: a body may be on its way that nobody will read.
fn last_words(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn json(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(path: &str) -> &'static str {
        match route(path) {
            Some(Route::Health) => "health",
            Some(Route::Hello) => "hello",
            Some(Route::Messages) => "messages",
            Some(Route::CountTokens) => "count",
            Some(Route::Models) => "models",
            Some(Route::Model(_)) => "model",
            None => "none",
        }
    }

    #[test]
    fn a_models_name_is_read_as_it_was_meant() {
        for (path, name) in
            [("a%2Eb", "a.b"), ("claude%3A1%5B1m%5D", "claude:1[1m]"), ("a+b", "a+b"), ("%ff", "\u{fffd}")]
        {
            assert_eq!(percent_decoded(path), name);
        }
    }

    #[test]
    fn prefixes_that_people_put_into_base_urls_are_understood() {
        for (path, route) in [
            ("/health", "health"),
            ("/api/hello", "hello"),
            ("/v1/messages", "messages"),
            ("/v1/v1/messages", "messages"),
            ("/anthropic/v1/messages", "messages"),
            ("/anthropic/v1/v1/messages/count_tokens", "count"),
            ("/v1/messages/count_tokens", "count"),
            ("/v1/models", "models"),
            ("/v1/models/claude-sonnet-4.5", "model"),
            ("/v1/models/", "none"),
            ("/v1", "none"),
            ("/v1x/messages", "none"),
            ("/messages", "none"),
            ("/anthropicx/v1/messages", "none"),
            ("/api/status", "none"),
            ("/", "none"),
        ] {
            assert_eq!(name(path), route, "{path}");
        }
    }
}
