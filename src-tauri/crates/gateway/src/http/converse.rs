//! The handlers of conversations, one for all protocols: read, decode, begin, and write the answer in the form that was asked for.

use super::answer::{failed, failed_as, json, label, last_words};
use super::body::{self, BodyError};
use super::client_api::ClientApi;
use super::connection::Phase;
use super::dialect::{Served, Words};
use super::{guard, query, reply};
use crate::client_key::KeyId;
use crate::flow::Flow;
use crate::kept::Keeping;
use crate::pipeline::heavy;
use crate::settings::Settings;
use axum::body::Body;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use hyper::body::Incoming;
use kiro_protocol::codec::{DecodeError, Delivery, ReasoningStyle, RequestHead};
use kiro_protocol::failure::{Failure, FailureClass};
use kiro_protocol::sse::SseWriter;
use std::sync::Arc;
use std::time::Duration;

/// An upstream that is silent for this long gets no more say in the status: the head goes out and the stream begins.
const HEAD_PATIENCE: Duration = Duration::from_secs(5);
/// Says for one request how reasoning is written, before the setting.
const REASONING: &str = "x-kiro-proxy-reasoning";

/// One admitted request.
pub(crate) struct Asked {
    pub(crate) parts: Parts,
    pub(crate) body: Incoming,
    pub(crate) id: String,
    /// The key it came with.
    pub(crate) key: KeyId,
    /// Where its connection is.
    pub(crate) phase: Phase,
}

impl ClientApi {
    /// Any protocol's count of a conversation's tokens.
    pub(super) async fn count<P: Served>(&self, asked: Asked) -> Response<Body> {
        let settings = self.settings.snapshot().settings;
        let Asked { parts, body, id, key, .. } = asked;
        let (bytes, _share) = match self.read(P::encode_failure, &parts, body, &settings, &id).await {
            Ok(read) => read,
            Err(response) => return response,
        };
        let (bytes, head) = self.head::<P>(parts, &id, &key, bytes).await;
        let decoded = heavy(bytes.len(), move || P::decode_count(&head, &bytes)).await;
        let counted = match decoded {
            Ok(inbound) => self.pipeline.count(inbound, &settings, &self.keys.options(&key)).await,
            Err(error) => Err(undecodable(&error)),
        };
        match counted {
            Ok(tokens) => json(StatusCode::OK, &P::encode_count(tokens)),
            Err(failure) => failed(P::encode_failure, &failure, &id),
        }
    }

    /// Any protocol's "answer this conversation".
    pub(super) async fn converse<P: Served>(self: Arc<Self>, asked: Asked) -> Response<Body> {
        let settings = self.settings.snapshot().settings;
        let Asked { parts, body, id, key, phase } = asked;
        let client = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).map(program);
        let reasoning = reasoning(&parts.headers, &settings);
        let options = self.keys.options(&key);
        let caller = key.to_string();
        let flow = self.flows.open(id.clone(), P::NAME, client);
        let (bytes, share) = match self.read(P::encode_failure, &parts, body, &settings, &id).await {
            Ok(read) => read,
            Err(response) => {
                flow.status(response.status().as_u16());
                flow.failed(&Failure::new(FailureClass::InvalidRequest, "body_refused", ""));
                return response;
            }
        };
        let (bytes, head) = self.head::<P>(parts, &id, &key, bytes).await;
        let decoded = heavy(bytes.len(), move || {
            let decoded = P::decode(&head, &bytes);
            drop(bytes);
            decoded
        })
        .await;
        drop(share);
        let mut inbound = match decoded {
            Ok(inbound) => inbound,
            Err(error) => {
                let failure = undecodable(&error);
                flow.failed(&failure);
                return noted::<P>(&failure, &flow, &id);
            }
        };
        inbound.echo.reasoning = reasoning;
        let (delivery, mut echo) = (inbound.delivery, inbound.echo.clone());
        let keeping = inbound.keep.take().map(|input| Keeping::new(Arc::clone(&self.kept), key, input));
        let mut rounds = match self.pipeline.begin_with_key(&caller, inbound, flow, &settings, &options, None).await {
            Ok(rounds) => rounds,
            Err((failure, flow)) => {
                flow.failed(&failure);
                return noted::<P>(&failure, &flow, &id);
            }
        };
        echo.input_tokens = Some(rounds.input_estimate());
        // A refusal that comes soon still gets its own status.
        if let Ok(Err(failure)) = tokio::time::timeout(HEAD_PATIENCE, rounds.connect()).await {
            return noted::<P>(&failure, rounds.flow(), &id);
        }
        if delivery.is_stream() {
            let simulated = rounds.flow().simulated() || self.pipeline.dispatcher.leases.census().simulated;
            let manner = reply::Manner {
                keep_alive: settings.limits.keep_alive(),
                hold: P::BEGINS_WITH_USAGE && options.buffered_start,
                keeping,
                phase,
            };
            let body = reply::stream::<P>(rounds, echo, manner, &self.cut, SseWriter::default());
            return streamed(body, delivery, simulated);
        }
        match reply::whole(&mut rounds, &self.cut).await {
            Ok(whole) => {
                let body = P::encode(&whole, &echo);
                if let Some(keeping) = keeping {
                    keeping.keep(&body).await;
                }
                let mut response = json(StatusCode::OK, &body);
                label(response.headers_mut(), rounds.flow().simulated());
                response
            }
            Err(failure) => noted::<P>(&failure, rounds.flow(), &id),
        }
    }

    /// What a decoder may know: credentials are not among it. The answer that is continued is looked up first.
    async fn head<P: Served>(
        &self,
        parts: Parts,
        id: &str,
        key: &KeyId,
        bytes: bytes::Bytes,
    ) -> (bytes::Bytes, RequestHead) {
        let (bytes, continued) = heavy(bytes.len(), move || {
            let continued = P::continues(&bytes);
            (bytes, continued)
        })
        .await;
        let kept = match continued {
            Some(previous) => self.kept.get(key, &previous).await,
            None => None,
        };
        let mut headers = parts.headers;
        for secret in ["authorization", "x-api-key", "x-goog-api-key", "proxy-authorization", "cookie"] {
            headers.remove(secret);
        }
        let head = RequestHead {
            path: parts.uri.path().to_owned(),
            query: query::without_secrets(parts.uri.query().unwrap_or_default()),
            headers,
            request_id: id.to_owned(),
            now: self.now(),
            kept,
        };
        (bytes, head)
    }

    /// Reads a body after checking its form.
    async fn read(
        &self,
        words: Words,
        parts: &Parts,
        body: Incoming,
        settings: &Settings,
        id: &str,
    ) -> Result<(bytes::Bytes, body::Share), Response<Body>> {
        if let Err(refusal) = guard::body_form(&parts.headers) {
            let failure = Failure::new(FailureClass::InvalidRequest, refusal.code(), refusal.words());
            return Err(last_words(failed_as(words, refusal.status(), &failure, id)));
        }
        let limit = settings.listener.max_body_bytes();
        let deadline = Duration::from_secs(settings.listener.body_read_seconds.into());
        body::read(body, limit, deadline, &self.budget).await.map_err(|error| {
            let (failure, status) = unreadable(error, settings);
            last_words(match status {
                Some(status) => failed_as(words, status, &failure, id),
                None => failed(words, &failure, id),
            })
        })
    }
}

/// A body that was not read, and the status where the class has another one.
fn unreadable(error: BodyError, settings: &Settings) -> (Failure, Option<StatusCode>) {
    match error {
        BodyError::TooLarge => {
            let mebibytes = settings.listener.max_body_mebibytes;
            let words = format!("the request body is larger than {mebibytes} MiB (setting listener.maxBodyMebibytes)");
            (Failure::new(FailureClass::TooLarge, "body_too_large", words), None)
        }
        BodyError::NoRoom => {
            let words = "too many large requests at the same time; try again shortly";
            let mut failure = Failure::new(FailureClass::Overloaded, "bodies_too_large", words);
            failure.retry_after = Some(Duration::from_secs(2));
            (failure, Some(StatusCode::SERVICE_UNAVAILABLE))
        }
        BodyError::TooSlow => {
            let seconds = settings.listener.body_read_seconds;
            let words = format!("the request body did not arrive within {seconds} seconds");
            (Failure::new(FailureClass::InvalidRequest, "body_too_slow", words), Some(StatusCode::REQUEST_TIMEOUT))
        }
        BodyError::Broken => {
            (Failure::new(FailureClass::InvalidRequest, "body_broken", "the request body broke off"), None)
        }
    }
}

fn streamed(body: Body, delivery: Delivery, simulated: bool) -> Response<Body> {
    let media = match delivery {
        Delivery::Stream | Delivery::Whole => "text/event-stream; charset=utf-8",
        Delivery::JsonArray => "application/json; charset=utf-8",
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert("cache-control", HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    label(headers, simulated);
    response
}

/// The request's own wish, else the setting.
fn reasoning(headers: &HeaderMap, settings: &Settings) -> ReasoningStyle {
    let wish = headers.get(REASONING).and_then(|value| value.to_str().ok()).map(str::trim);
    match wish.map(str::to_ascii_lowercase).as_deref() {
        Some("content") => ReasoningStyle::Content,
        Some("removed") => ReasoningStyle::Removed,
        Some("tagged") => ReasoningStyle::Tagged,
        Some("plain") => ReasoningStyle::Plain,
        Some(_) | None => settings.openai.reasoning.into(),
    }
}

fn undecodable(error: &DecodeError) -> Failure {
    let param = Some(error.path.clone()).filter(|path| !path.is_empty());
    Failure { param, ..Failure::new(FailureClass::InvalidRequest, error.code, error.to_string()) }
}

/// The program's own name, without its version details.
fn program(agent: &str) -> String {
    agent.split_whitespace().next().unwrap_or_default().chars().filter(|c| c.is_ascii_graphic()).take(64).collect()
}

/// A failure that the flow record knows, too.
fn noted<P: Served>(failure: &Failure, flow: &Flow, id: &str) -> Response<Body> {
    let mut response = failed(P::encode_failure, failure, id);
    flow.status(response.status().as_u16());
    label(response.headers_mut(), flow.simulated());
    response
}
