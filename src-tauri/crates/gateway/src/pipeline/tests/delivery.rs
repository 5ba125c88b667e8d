//! The answer on its way to the client: in pieces with signs of life, or whole.

use super::*;
use crate::http::reply;
use http_body_util::BodyExt as _;
use kiro_protocol::anthropic::AnthropicMessages;
use kiro_protocol::sse::SseWriter;

async fn streamed(house: &House, cut: &CancellationToken) -> axum::body::Body {
    let exchange = house.begin().await;
    let echo = Echo { request_id: "0".repeat(32), model: "auto".into(), ..Echo::default() };
    reply::stream::<AnthropicMessages>(
        exchange,
        echo,
        reply::Manner { keep_alive: Duration::from_secs(15), ..reply::Manner::default() },
        cut,
        SseWriter::default(),
    )
}

#[tokio::test(start_paused = true)]
async fn a_silent_upstream_is_bridged_by_signs_of_life_and_the_start_comes_at_once() {
    let slow = vec![Step::Wait(Duration::from_secs(40)), text("late"), metering()];
    let house = House::new(&["a"], vec![Scene::Answer(slow)]);
    let mut body = streamed(&house, &CancellationToken::new()).await;
    let since = Instant::now();
    let first = body.frame().await.expect("a frame").expect("whole").into_data().expect("data");
    assert!(first.starts_with(b"event: message_start"), "{first:?}");
    assert_eq!(since.elapsed(), Duration::ZERO);
    let rest = body.collect().await.expect("whole").to_bytes();
    let rest = String::from_utf8(rest.to_vec()).expect("text");
    assert_eq!(rest.matches("event: ping").count(), 2, "{rest}");
    assert!(rest.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"), "{rest}");
}

#[tokio::test(start_paused = true)]
async fn what_arrived_together_leaves_together() {
    let pieces: Vec<Step> = (0..8).map(|n| text(&format!("w{n} "))).chain([metering()]).collect();
    let house = House::new(&["a"], vec![Scene::Answer(pieces)]);
    let mut body = streamed(&house, &CancellationToken::new()).await;
    let mut frames = 0;
    while let Some(frame) = body.frame().await {
        frame.expect("whole");
        frames += 1;
    }
    assert!(frames <= 2, "{frames} writes");
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_the_gateway_ends_open_answers_with_an_error_and_no_success() {
    let house = House::new(&["a"], vec![Scene::Answer(vec![text("half"), Step::Hang])]);
    let cut = CancellationToken::new();
    let mut body = streamed(&house, &cut).await;
    body.frame().await.expect("a frame").expect("whole");
    cut.cancel();
    let rest = String::from_utf8(body.collect().await.expect("closed").to_bytes().to_vec()).expect("text");
    assert!(rest.contains("event: error") && rest.contains("overloaded_error"), "{rest}");
    assert!(!rest.contains("message_stop"), "{rest}");
    assert!(!house.in_use());
    assert_eq!(house.flow().failure_code.as_deref(), Some("gateway_stopping"));
}

#[tokio::test(start_paused = true)]
async fn a_broken_stream_ends_with_the_protocols_error_event() {
    let house = House::new(&["a"], vec![Scene::Answer(vec![text("half"), Step::Reset])]);
    let body = streamed(&house, &CancellationToken::new()).await;
    let all = String::from_utf8(body.collect().await.expect("closed").to_bytes().to_vec()).expect("text");
    assert!(all.contains("half") && all.contains("event: error"), "{all}");
    assert!(!all.contains("message_stop") && !all.contains("message_delta"), "{all}");
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_that_breaks_is_a_failure_and_no_part_of_it_is_told() {
    let house = House::new(&["a"], vec![Scene::Answer(vec![text("half"), Step::Reset])]);
    let mut exchange = house.begin().await;
    let failure = reply::whole(&mut exchange, &CancellationToken::new()).await.expect_err("failed");
    assert_eq!(failure.class, FailureClass::Upstream);
}
