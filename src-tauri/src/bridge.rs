//! The single command of the window: one request to the admin router of the gateway in this process, its answer sent
//! back piece by piece as it comes.

mod text;

use crate::shell::Shell;
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, header};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tauri::State;
use tauri::ipc::Channel;
use text::TextPieces;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// What the window sends.
#[derive(Debug, Deserialize)]
pub(crate) struct BridgeRequest {
    /// Chosen by the window; names the request when it is cancelled.
    pub(crate) id: String,
    /// An HTTP method, or `CANCEL` to give up the request with this id.
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    /// JSON text.
    pub(crate) body: Option<String>,
}

/// What the window gets, in this order: one head, any number of bodies, and an end or an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum BridgeChunk {
    Head {
        status: u16,
        headers: BTreeMap<String, String>,
    },
    Body {
        text: String,
    },
    End,
    /// The answer broke off.
    Error {
        message: String,
    },
}

/// The command. It returns at once and runs in the order the window sends: a cancellation never overtakes its request.
#[tauri::command]
pub(crate) fn admin_request(shell: State<'_, Arc<Shell>>, request: BridgeRequest, on_chunk: Channel<BridgeChunk>) {
    if request.method == "CANCEL" {
        shell.bridge.cancel(&request.id);
        return;
    }
    let shell = Arc::clone(&shell);
    let id = request.id.clone();
    let token = shell.bridge.begin(&id);
    tauri::async_runtime::spawn(async move {
        let answer = async { pass(shell.router().await, request, |chunk| on_chunk.send(chunk).is_ok()).await };
        shell.bridge.until_cancelled(&id, token, answer).await;
    });
}

/// The requests that are being answered.
#[derive(Default)]
pub(crate) struct Bridge {
    open: Mutex<HashMap<String, CancellationToken>>,
}

impl Bridge {
    fn begin(&self, id: &str) -> CancellationToken {
        let token = CancellationToken::new();
        self.open().insert(id.to_owned(), token.clone());
        token
    }

    /// Runs `answer` until it ends or is cancelled. Dropping it tells the gateway, which gives up the upstream call.
    async fn until_cancelled(&self, id: &str, token: CancellationToken, answer: impl Future<Output = ()>) {
        if token.run_until_cancelled(answer).await.is_some() {
            self.open().remove(id);
        }
    }

    fn cancel(&self, id: &str) {
        if let Some(token) = self.open().remove(id) {
            token.cancel();
        }
    }

    /// Gives up all requests: the page that asked is gone.
    pub(crate) fn cancel_all(&self) {
        for (_, token) in self.open().drain() {
            token.cancel();
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, CancellationToken>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends `request` through `router` and hands every piece of the answer to `send`, until the end or until `send` says
/// that nobody reads any more.
async fn pass(router: Router, request: BridgeRequest, send: impl Fn(BridgeChunk) -> bool) {
    let request = match http_request(request) {
        Ok(request) => request,
        Err(message) => {
            send(BridgeChunk::Error { message });
            return;
        }
    };
    let answer = match router.oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    let (head, mut body) = answer.into_parts();
    if !send(BridgeChunk::Head { status: head.status.as_u16(), headers: headers(&head.headers) }) {
        return;
    }
    let mut pieces = TextPieces::default();
    while let Some(frame) = body.frame().await {
        let bytes = match frame {
            Ok(frame) => frame.into_data().unwrap_or_default(),
            Err(error) => {
                send(BridgeChunk::Error { message: error.to_string() });
                return;
            }
        };
        let text = pieces.push(&bytes);
        if !text.is_empty() && !send(BridgeChunk::Body { text }) {
            return;
        }
    }
    let rest = pieces.finish();
    if !rest.is_empty() && !send(BridgeChunk::Body { text: rest }) {
        return;
    }
    send(BridgeChunk::End);
}

fn http_request(request: BridgeRequest) -> Result<Request<Body>, String> {
    let method = match request.method.as_str() {
        "GET" => Method::GET,
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        "PATCH" => Method::PATCH,
        "DELETE" => Method::DELETE,
        other => return Err(format!("the method {other:?} is not known")),
    };
    if !request.path.starts_with('/') {
        return Err(format!("{:?} is not a path", request.path));
    }
    let mut builder = Request::builder().method(method).uri(&request.path);
    if request.body.is_some() {
        builder = builder.header(header::CONTENT_TYPE, "application/json");
    }
    builder.body(request.body.map_or_else(Body::empty, Body::from)).map_err(|error| error.to_string())
}

/// The headers as text; those that are not text do not concern the window.
fn headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    headers
        .iter()
        .filter_map(|(name, value)| value.to_str().ok().map(|value| (name.as_str().to_owned(), value.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests;
