//! Every call of the admin API, made from its own document with bodies of every kind, and every byte of the answers kept.

use std::time::Duration;

use futures_util::StreamExt as _;
use http::{Method, Request, header};
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use crate::harness::World;

/// Longer than any answer takes that ends by itself.
const ENOUGH: Duration = Duration::from_secs(20);

/// One call of the document.
pub struct Operation {
    pub method: Method,
    pub path: String,
    body: Option<Value>,
}

/// The calls of a document, those that read before those that change something.
pub fn operations(document: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, call) in methods.as_object().expect("methods") {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let schema = call.pointer("/requestBody/content/application~1json/schema");
            let body = schema.map(|schema| sample(schema, document, 0));
            found.push(Operation { method, path: path.clone(), body });
        }
    }
    // What removes comes late, and what locks or moves the store last: the others should find everything there and open.
    found.sort_by_key(|call| {
        let removes = call.method == Method::DELETE;
        (call.method != Method::GET, call.path.contains("vault"), removes, call.path.clone())
    });
    found
}

/// A value that the schema allows.
fn sample(schema: &Value, document: &Value, depth: usize) -> Value {
    if depth > 12 {
        return Value::Null;
    }
    if let Some(name) = schema["$ref"].as_str() {
        let place = name.trim_start_matches('#');
        return document.pointer(place).map_or(Value::Null, |schema| sample(schema, document, depth + 1));
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let some = choices.iter().find(|choice| choice["type"] != "null").unwrap_or(&Value::Null);
            return sample(some, document, depth + 1);
        }
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").and_then(Value::as_str),
        other => other.as_str(),
    };
    match kind {
        Some("string") => "some text of a crawl".into(),
        Some("integer" | "number") => schema["minimum"].as_i64().unwrap_or(1).into(),
        Some("boolean") => false.into(),
        Some("array") => json!([sample(&schema["items"], document, depth + 1)]),
        Some("object") => {
            let properties = schema["properties"].as_object().cloned().unwrap_or_default();
            let fields = properties.iter().map(|(name, schema)| (name.clone(), sample(schema, document, depth + 1)));
            Value::Object(fields.collect::<Map<String, Value>>())
        }
        _ => Value::Null,
    }
}

/// Makes the calls, every one with every id and several bodies, and collects what came back: name, status and bytes.
pub async fn crawl(world: &World, calls: &[Operation], ids: &[String]) -> Vec<(String, u16, Vec<u8>)> {
    let mut answers = Vec::new();
    for call in calls {
        let paths: Vec<String> = if call.path.contains('{') {
            ids.iter().map(|id| filled(&call.path, id)).collect()
        } else {
            vec![call.path.clone()]
        };
        let bodies: Vec<Option<Value>> = match &call.body {
            None => vec![None],
            Some(body) => {
                vec![Some(json!({})), Some(json!(null)), Some(json!({"ids": "x", "id": 5})), Some(body.clone())]
            }
        };
        for path in &paths {
            for body in &bodies {
                let (status, bytes) = answer(world, &call.method, path, body.as_ref()).await;
                answers.push((format!("{} {path}", call.method), status, bytes));
            }
        }
    }
    answers
}

fn filled(path: &str, id: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { id } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// One call; the status and every byte that came back, headers included.
pub async fn answer(world: &World, method: &Method, path: &str, body: Option<&Value>) -> (u16, Vec<u8>) {
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
    let body = match body {
        Some(body) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            axum::body::Body::from(body.to_string())
        }
        None => axum::body::Body::empty(),
    };
    let called = world.gateway.admin_router().oneshot(request.body(body).expect("a request"));
    let answer = tokio::time::timeout(ENOUGH, called).await.unwrap_or_else(|_| panic!("{method} {path} hangs"));
    let answer = answer.expect("infallible");
    let status = answer.status().as_u16();
    let headers = format!("{:?}", answer.headers());
    let stream = answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
    let mut bytes = headers.into_bytes();
    let mut pieces = answer.into_body().into_data_stream();
    if stream && path.ends_with("/events") {
        // It never ends; what it says first is all that there is to read.
        if let Ok(Some(Ok(piece))) = tokio::time::timeout(Duration::from_millis(200), pieces.next()).await {
            bytes.extend_from_slice(&piece);
        }
        return (status, bytes);
    }
    let reading = async {
        while let Some(Ok(piece)) = pieces.next().await {
            bytes.extend_from_slice(&piece);
        }
    };
    assert!(tokio::time::timeout(ENOUGH, reading).await.is_ok(), "{method} {path} does not end");
    (status, bytes)
}
