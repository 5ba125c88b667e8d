//! The admin API, asked from inside this process: the tray uses the same calls as the window.

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use kiro_gateway::Gateway;
use serde_json::Value;
use tower::ServiceExt as _;

/// Sends one request. The answer is `null` when it is not JSON.
pub(crate) async fn call(gateway: &Gateway, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body));
    let Ok(request) = request else { return (StatusCode::BAD_REQUEST, Value::Null) };
    let answer = match gateway.admin_router().oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    let status = answer.status();
    let body = answer.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// Sends one request and says in the log when it was refused. True when it was not.
pub(crate) async fn ask(gateway: &Gateway, method: Method, path: &str, body: Option<Value>) -> bool {
    let (status, answer) = call(gateway, method.clone(), path, body).await;
    if !status.is_success() {
        tracing::warn!(%method, path, %status, message = answer["message"].as_str(), "the request was refused");
    }
    status.is_success()
}
