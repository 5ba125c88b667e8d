use super::*;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::stream;
use std::sync::Arc;
use tokio::sync::mpsc;

fn request(method: &str, path: &str, body: Option<&str>) -> BridgeRequest {
    BridgeRequest {
        id: "1".to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        body: body.map(str::to_owned),
    }
}

async fn answer(router: Router, request: BridgeRequest) -> Vec<BridgeChunk> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    pass(router, request, move |chunk| sender.send(chunk).is_ok()).await;
    let mut chunks = Vec::new();
    while let Some(chunk) = receiver.recv().await {
        chunks.push(chunk);
    }
    chunks
}

#[tokio::test]
async fn the_answer_arrives_as_head_bodies_and_end() {
    let router = Router::new().route("/api/echo", post(async |body: String| (http::StatusCode::CREATED, body)));
    let chunks = answer(router, request("POST", "/api/echo", Some("{\"a\":1}"))).await;
    assert!(matches!(&chunks[0], BridgeChunk::Head { status: 201, headers } if headers.contains_key("content-type")));
    assert_eq!(chunks[1..], [BridgeChunk::Body { text: "{\"a\":1}".to_owned() }, BridgeChunk::End]);
}

#[tokio::test]
async fn a_character_split_between_two_pieces_arrives_whole() {
    let pieces =
        || stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"\xe4")), Ok(Bytes::from_static(b"\xb8\xad"))]);
    let router = Router::new().route("/api/x", get(async move || Body::from_stream(pieces()).into_response()));
    let chunks = answer(router, request("GET", "/api/x", None)).await;
    assert_eq!(chunks[1..], [BridgeChunk::Body { text: "中".to_owned() }, BridgeChunk::End]);
}

#[tokio::test]
async fn an_answer_that_breaks_off_ends_with_an_error_and_never_with_an_end() {
    let pieces = || stream::iter([Ok(Bytes::from_static(b"half")), Err(std::io::Error::other("cut"))]);
    let router = Router::new().route("/api/x", get(async move || Body::from_stream(pieces()).into_response()));
    let chunks = answer(router, request("GET", "/api/x", None)).await;
    assert_eq!(chunks[1], BridgeChunk::Body { text: "half".to_owned() });
    assert!(matches!(&chunks[2..], [BridgeChunk::Error { message }] if message.contains("cut")), "{chunks:?}");
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    for (method, path) in [("BREW", "/api/x"), ("GET", "http://elsewhere/"), ("GET", "/a b")] {
        let chunks = answer(Router::new(), request(method, path, None)).await;
        assert!(matches!(&chunks[..], [BridgeChunk::Error { .. }]), "{method} {path}: {chunks:?}");
    }
}

#[tokio::test]
async fn cancelling_drops_the_answer_and_others_go_on() {
    let dropped = CancellationToken::new();
    let guard = dropped.clone().drop_guard();
    let held = Arc::new(Mutex::new(Some(guard)));
    let router = Router::new().route(
        "/api/endless",
        get(async move || {
            let guard = held.lock().unwrap().take();
            Body::from_stream(stream::unfold(guard, async |guard| {
                std::future::pending::<()>().await;
                Some((Ok::<_, std::io::Error>(Bytes::new()), guard))
            }))
            .into_response()
        }),
    );
    let bridge = Bridge::default();
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let answer = pass(router, request("GET", "/api/endless", None), move |chunk| sender.send(chunk).is_ok());
    let answering = bridge.until_cancelled("7", bridge.begin("7"), answer);
    let cancelling = async {
        assert!(matches!(receiver.recv().await, Some(BridgeChunk::Head { status: 200, .. })));
        bridge.cancel("8");
        assert!(!dropped.is_cancelled());
        bridge.cancel("7");
    };
    tokio::join!(answering, cancelling);
    dropped.cancelled().await;
    assert_eq!(receiver.recv().await, None, "a cancelled answer has no end");
    assert!(bridge.open().is_empty());
}

#[tokio::test]
async fn a_request_cancelled_before_it_began_is_never_sent() {
    let bridge = Bridge::default();
    let token = bridge.begin("1");
    bridge.cancel("1");
    bridge.until_cancelled("1", token, async { panic!("it was sent") }).await;
}

#[test]
fn the_window_s_request_is_understood() {
    let request = |json: &str| serde_json::from_str::<BridgeRequest>(json);
    let plain = request(r#"{"id":"a","method":"GET","path":"/api/status","body":null}"#).unwrap();
    assert_eq!((plain.id.as_str(), plain.path.as_str(), plain.body), ("a", "/api/status", None));
    assert!(request(r#"{"method":"GET","path":"/"}"#).is_err());
}

#[test]
fn chunks_have_the_wire_format_the_window_expects() {
    let chunk = BridgeChunk::Head { status: 200, headers: BTreeMap::from([("a".to_owned(), "b".to_owned())]) };
    let json = |chunk: &BridgeChunk| serde_json::to_string(chunk).unwrap();
    assert_eq!(json(&chunk), r#"{"kind":"head","status":200,"headers":{"a":"b"}}"#);
    assert_eq!(json(&BridgeChunk::Body { text: "x".to_owned() }), r#"{"kind":"body","text":"x"}"#);
    assert_eq!(json(&BridgeChunk::End), r#"{"kind":"end"}"#);
    assert_eq!(json(&BridgeChunk::Error { message: "m".to_owned() }), r#"{"kind":"error","message":"m"}"#);
}
