//! Finds the operation that a request means and answers it, keeping the journal.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use serde_json::Value;
use tokio::sync::watch;

use crate::delivery::Ended;
use crate::host::{Host, Plane};
use crate::http_server::{Connection, ResponseBody, full};
use crate::journal::JournalEntry;
use crate::operation::Operation;
use crate::refusal::{Flavour, Refusal};
use crate::script::{Answer, Script};
use crate::state::State;
use crate::{auth, chat, control_http, identity, mcp, operations};

/// One request with everything a handler needs.
pub(crate) struct Call {
    pub(crate) state: Arc<State>,
    pub(crate) connection: Connection,
    pub(crate) operation: Operation,
    pub(crate) flavour: Flavour,
    pub(crate) host: Host,
    pub(crate) path: String,
    pub(crate) query: HashMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) seq: u64,
    pub(crate) request_id: String,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// The JSON body; an empty body counts as `{}`.
    pub(crate) fn json(&self) -> Result<Value, Refusal> {
        if self.body.is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(&self.body).map_err(|e| {
            Refusal::malformed("V25", format!("body is not JSON: {e}")).reason("REQUEST_BODY_INVALID_JSON")
        })
    }

    /// A member that travels in the query (REST) or in the body (AWS-JSON).
    pub(crate) fn input(&self, name: &str) -> Option<String> {
        if let Some(value) = self.query.get(name) {
            return Some(value.clone());
        }
        match self.json().ok()?.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        }
    }

    pub(crate) fn record(&self, rule: &str, detail: impl Into<String>) {
        self.state.memory().journal.violation(self.seq, rule, detail.into());
    }

    pub(crate) fn note(&self, change: impl FnOnce(&mut JournalEntry)) {
        self.state.memory().journal.update(self.seq, change);
    }

    /// Records a refusal's violation; answers `Err` unless the stand-in runs in the recording-only mode.
    pub(crate) fn enforce(&self, refusal: Refusal) -> Result<(), Refusal> {
        match refusal.violation {
            Some((rule, ref detail)) if !self.state.config.strict => {
                self.record(rule, detail.clone());
                Ok(())
            }
            Some(_) | None => Err(refusal),
        }
    }
}

pub(crate) async fn answer(
    state: Arc<State>,
    connection: Connection,
    request: Request<Incoming>,
) -> io::Result<Response<ResponseBody>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let path = head.uri.path().to_owned();
    if let Some(rest) = path.strip_prefix("/__sim/") {
        return Ok(control_http::answer(&state, &head.method, rest, &body));
    }
    let host_header = head.headers.get(http::header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default().to_owned();
    let host = Host::parse(&host_header);
    let target = head.headers.get("x-amz-target").and_then(|v| v.to_str().ok());
    let by_path = Operation::by_path(&head.method, &path);
    // Path and target together: the path decides (kiro-upstream §1.4, clients that send both are accepted).
    let (operation, flavour) = match (by_path, target) {
        (Some(operation), _) => (Some(operation), Flavour::Rest),
        (None, Some(target)) if path == "/" && head.method == Method::POST => {
            (Operation::by_target(target), Flavour::AwsJson)
        }
        (None, _) => (None, Flavour::Rest),
    };
    let query = url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let path_and_query = head.uri.path_and_query().map_or(path.clone(), ToString::to_string);
    let entry = JournalEntry {
        seq: 0,
        at_ms: state.clock.now_ms(),
        connection: connection.number,
        method: head.method.to_string(),
        host: host_header,
        path: path_and_query,
        operation: operation.map_or("unknown", Operation::name).to_owned(),
        account: None,
        conversation: None,
        headers: visible_headers(&head.headers),
        body: kept_body(&state, operation, &body),
        body_bytes: body.len(),
        status: 0,
        error: None,
        rules: Vec::new(),
        scripted: false,
        stream_bytes: 0,
        ended: Ended::Open,
    };
    let (seq, request_id) = {
        let mut memory = state.memory();
        memory.counters.requests += 1;
        (memory.journal.begin(entry), memory.uuid())
    };
    let _unanswered = Unanswered { state: state.clone(), seq };
    let Some(operation) = operation.filter(|o| host.serves(o.plane())) else {
        return no_such_operation(&state, &connection, &host, seq, flavour, &request_id);
    };
    let call =
        Call { state, connection, operation, flavour, host, path, query, headers: head.headers, body, seq, request_id };
    let outcome = dispatch(&call).await;
    let response = match outcome {
        Outcome::Answer(response) => response,
        Outcome::Refused(refusal) => {
            if let Some((rule, detail)) = &refusal.violation {
                call.record(rule, detail.clone());
            }
            let error = refusal.reason.map_or(refusal.kind.to_owned(), |r| format!("{}: {r}", refusal.kind));
            call.note(|entry| entry.error = Some(error));
            refusal.response(call.flavour, &call.request_id)
        }
        Outcome::Abort => {
            call.note(|entry| entry.ended = Ended::Reset);
            call.connection.reset.store(true, Ordering::SeqCst);
            return Err(io::ErrorKind::ConnectionReset.into());
        }
    };
    let whole = response.body().size_hint().exact().is_some();
    call.note(|entry| {
        entry.status = response.status().as_u16();
        // A body of known size is sent at once; a stream tells its end itself.
        if whole {
            entry.ended = Ended::Eof;
        }
    });
    Ok(response)
}

/// A caller that goes away before the answer begins drops the call; the journal must not show it as open for ever.
struct Unanswered {
    state: Arc<State>,
    seq: u64,
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let mut memory = self.state.memory();
        let mut left = false;
        memory.journal.update(self.seq, |entry| {
            left = entry.status == 0 && entry.ended == Ended::Open;
            if left {
                entry.ended = Ended::CallerLeft;
            }
        });
        if left {
            memory.counters.abandoned += 1;
        }
    }
}

/// What a handler decided.
pub(crate) enum Outcome {
    Answer(Response<ResponseBody>),
    Refused(Refusal),
    /// The connection is reset without an answer.
    Abort,
}

impl From<Result<Response<ResponseBody>, Refusal>> for Outcome {
    fn from(result: Result<Response<ResponseBody>, Refusal>) -> Self {
        match result {
            Ok(response) => Self::Answer(response),
            Err(refusal) => Self::Refused(refusal),
        }
    }
}

async fn dispatch(call: &Call) -> Outcome {
    match call.operation.plane() {
        Plane::Data | Plane::Control => {
            let caller = match auth::caller(call) {
                Ok(caller) => caller,
                Err(refusal) => return Outcome::Refused(refusal),
            };
            call.note(|entry| entry.account = Some(caller.id.clone()));
            match call.operation {
                Operation::GenerateAssistantResponse | Operation::SendMessage => chat::answer(call, &caller).await,
                other => match scripted(call, &caller.id).await {
                    Scripted::Done(outcome) => outcome,
                    Scripted::Left(answer, hold) => {
                        let outcome = if other == Operation::InvokeMcp {
                            mcp::answer(call, &caller, &answer).into()
                        } else {
                            operations::answer(call, &caller).into()
                        };
                        hold.wait().await;
                        outcome
                    }
                },
            }
        }
        Plane::Social | Plane::Portal | Plane::Oidc | Plane::ExternalIdp => {
            let account = identity::account_of(call).unwrap_or_default();
            if !account.is_empty() {
                call.note(|entry| entry.account = Some(account.clone()));
            }
            match scripted(call, &account).await {
                Scripted::Done(outcome) => outcome,
                Scripted::Left(_, hold) => {
                    let response = identity::answer(call);
                    hold.wait().await;
                    Outcome::Answer(response)
                }
            }
        }
    }
}

/// What a script leaves to do.
enum Scripted {
    /// Nothing.
    Done(Outcome),
    /// The operation itself, with this wish, and what its answer waits for.
    Left(Answer, Hold),
}

/// Holds something back until a test releases it.
struct Hold(Option<watch::Receiver<u64>>);

impl Hold {
    fn new(call: &Call, wanted: bool) -> Self {
        Self(wanted.then(|| call.state.release.subscribe()))
    }

    async fn wait(self) {
        if let Some(mut released) = self.0 {
            // An error means that the stand-in is gone.
            let _ = released.changed().await;
        }
    }
}

/// Takes and applies a script for an operation that does not stream.
async fn scripted(call: &Call, account: &str) -> Scripted {
    let Some(script) = call.state.memory().take_script(call.operation.name(), account, None) else {
        return Scripted::Left(Answer::Normal, Hold(None));
    };
    call.note(|entry| entry.scripted = true);
    tokio::time::sleep(Duration::from_millis(script.faults.headers_after_ms)).await;
    if script.faults.refuse {
        return Scripted::Done(Outcome::Abort);
    }
    let after = Hold::new(call, script.faults.hold_after);
    Hold::new(call, script.faults.hold_before).wait().await;
    match plain(call, &script) {
        Some(response) => Scripted::Done(Outcome::Answer(response)),
        None => Scripted::Left(script.answer, after),
    }
}

/// The plain HTTP answer of a script, if it has one.
pub(crate) fn plain(call: &Call, script: &Script) -> Option<Response<ResponseBody>> {
    let (status, headers, body) = match &script.answer {
        Answer::Error(id) => match call.state.catalogue.error(id) {
            Some(error) => (error.status, error.headers.clone().into_iter().collect(), error.body.clone()),
            None => (500, Vec::new(), format!("the script names an unknown error: {id}")),
        },
        Answer::Http { status, headers, body } => (*status, headers.clone(), body.clone()),
        Answer::Normal
        | Answer::Text(_)
        | Answer::CutCall { .. }
        | Answer::ToolFailed(_)
        | Answer::RpcError(_)
        | Answer::Scenario(_)
        | Answer::Messages(_) => return None,
    };
    let mut response = Response::new(full(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Some(response)
}

fn no_such_operation(
    state: &State,
    connection: &Connection,
    host: &Host,
    seq: u64,
    flavour: Flavour,
    request_id: &str,
) -> io::Result<Response<ResponseBody>> {
    let mut memory = state.memory();
    if *host == Host::Unknown {
        memory.journal.violation(seq, "host", "no such host exists upstream".to_owned());
        memory.journal.update(seq, |entry| entry.ended = Ended::Reset);
        // The real caller would fail at DNS; a reset is the nearest thing that a loopback peer can do.
        connection.reset.store(true, Ordering::SeqCst);
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    memory.journal.violation(seq, "operation", "this host has no such operation".to_owned());
    memory.journal.update(seq, |entry| {
        entry.status = 404;
        entry.ended = Ended::Eof;
    });
    Ok(Refusal::new(404, "UnknownOperationException", "Unknown operation.").response(flavour, request_id))
}

fn visible_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| **name != http::header::AUTHORIZATION)
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

fn kept_body(state: &State, operation: Option<Operation>, body: &Bytes) -> Value {
    // Identity bodies hold refresh tokens and codes; they are not kept.
    let keeps = operation.is_some_and(|o| matches!(o.plane(), Plane::Data | Plane::Control));
    if !keeps || body.len() > state.config.journal_body_bytes {
        return Value::Null;
    }
    serde_json::from_slice(body).unwrap_or(Value::Null)
}
