//! One answer from the first attempt to its end, against a scripted upstream on paused time.

mod any_cut;
mod delivery;
mod disk;
mod failover;
mod house;
mod listing;
mod recall;
mod rounds;

use super::*;
use crate::account::{AccountState, LeaseRequest, Signal};
use crate::credential::{SecretId, Secrets};
use crate::disk::DiskLine;
use crate::flow::FlowOutcome;
use crate::upstream::answer::Progress;
use crate::upstream::identity::{Identity, IdentityError, Refreshed};
use crate::upstream::scripted::{Scene, Step, answer, frame, metering, text};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use house::{BUSY, House, Renewing, all, codes, inbound, question, said};
use kiro_protocol::codec::{Delivery, Echo};
use kiro_protocol::conversation::{Block, Message, Role, Thinking};
use kiro_protocol::event::{Event, StopReason};
use kiro_protocol::failure::FailureClass;
use secrecy::SecretString;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

#[tokio::test(start_paused = true)]
async fn a_complete_answer_ends_with_usage_and_one_stop() {
    let house = House::new(&["a"], vec![answer("hi there")]);
    let mut exchange = house.begin().await;
    let (events, end) = all(&mut exchange).await;
    assert_eq!((said(&events).as_str(), end), ("hi there", Ok(())));
    assert!(matches!(events[events.len() - 2], Event::Usage(usage) if usage.output_tokens == Some(2)));
    assert_eq!(events.last(), Some(&Event::Stop(StopReason::EndTurn)));
    drop(exchange);
    let flow = house.flow();
    assert_eq!((flow.outcome, flow.usage.credits), (FlowOutcome::Complete, Some(0.5)));
    assert_eq!(codes(&flow), ["ok"]);
    assert_eq!(house.flows.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn trouble_of_the_service_is_retried_on_the_next_host_and_then_after_a_pause() {
    let scenes = vec![Scene::Refuse(503, BUSY, None), Scene::Unreachable, answer("at last")];
    let house = House::new(&["a"], scenes);
    let (events, end) = all(&mut house.begin().await).await;
    assert_eq!((said(&events).as_str(), end), ("at last", Ok(())));
    let seen = house.upstream.seen();
    let hosts: Vec<_> = seen.iter().map(|seen| seen.host.split('.').next().expect("a name")).collect();
    assert_eq!(hosts[..2], ["runtime", "q"]);
    assert_eq!(house.state(0), AccountState::READY, "trouble of the service says nothing about the account");
}

#[tokio::test(start_paused = true)]
async fn retries_are_bounded_and_the_last_refusal_is_told() {
    let scenes = vec![Scene::Refuse(503, BUSY, None); 3];
    let house = House::new(&["a"], scenes);
    let mut exchange = house.begin().await;
    let (events, end) = all(&mut exchange).await;
    let failure = end.expect_err("failed");
    assert!(events.is_empty());
    assert_eq!((failure.class, failure.code), (FailureClass::Overloaded, "upstream_unavailable"));
    drop(exchange);
    assert_eq!(house.upstream.seen().len(), 3);
    assert_eq!(house.flow().failure_code.as_deref(), Some("upstream_unavailable"));
}

#[tokio::test(start_paused = true)]
async fn refused_reasoning_is_left_out_once() {
    let refused = r#"{"message":"Invalid signature in thinking block","reason":"THINKING_SIGNATURE_INVALID"}"#;
    let house = House::new(&["a"], vec![Scene::Refuse(400, refused, None), answer("without")]);
    let mut conversation = question("one");
    let thought = Block::Thinking { text: "hm".into(), signature: Some("c2ln".into()) };
    let reply = Block::Text { text: "two".into(), cache: false };
    conversation.messages.push(Message { role: Role::Assistant, content: vec![thought, reply] });
    conversation.messages.extend(question("three").messages);
    let mut exchange = house.begin_with(conversation).await;
    assert_eq!(all(&mut exchange).await.1, Ok(()));
    drop(exchange);
    let seen = house.upstream.seen();
    let has_reasoning: Vec<_> = seen.iter().map(|seen| seen.body.to_string().contains("reasoningContent")).collect();
    assert_eq!(has_reasoning, [true, false]);
    assert!(house.flow().notices.iter().any(|notice| notice.code == "reasoning_stripped"));
}

#[tokio::test(start_paused = true)]
async fn the_clients_own_mistakes_are_not_repeated() {
    for (body, class) in [
        (r#"{"message":"Improperly formed request.","reason":null}"#, FailureClass::InvalidRequest),
        (
            r#"{"message":"Input is too long.","reason":"CONTENT_LENGTH_EXCEEDS_THRESHOLD"}"#,
            FailureClass::ContextWindow,
        ),
    ] {
        let house = House::new(&["a", "b"], vec![Scene::Refuse(400, body, None)]);
        assert_eq!(all(&mut house.begin().await).await.1.expect_err("failed").class, class);
        assert_eq!(house.upstream.seen().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_before_it_began_is_asked_for_again() {
    let throttled = Step::Bytes(frame("exception", "InternalServerException", r#"{"message":"oops"}"#));
    for broken in [vec![Step::Reset], vec![throttled], vec![Step::Bytes(Bytes::from_static(b"\0\0\0"))], vec![]] {
        let house = House::new(&["a"], vec![Scene::Answer(broken), answer("whole")]);
        let (events, end) = all(&mut house.begin().await).await;
        assert_eq!((said(&events).as_str(), end), ("whole", Ok(())));
        assert_eq!(house.upstream.seen().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_after_it_began_is_never_repeated_and_never_complete() {
    let cut = match text("lost") {
        Step::Bytes(bytes) => Step::Bytes(bytes.slice(..bytes.len() - 3)),
        other => other,
    };
    let exception = Step::Bytes(frame("exception", "ThrottlingException", r#"{"message":"slow"}"#));
    for (broken, code) in [
        (vec![text("half"), Step::Reset], "upstream_truncated"),
        (vec![text("half"), cut], "upstream_truncated"),
        (vec![text("half"), exception], "throttled"),
        (vec![text("half"), Step::Hang], "upstream_timeout"),
    ] {
        let house = House::new(&["a"], vec![Scene::Answer(broken)]);
        let mut exchange = house.begin().await;
        let (events, end) = all(&mut exchange).await;
        assert_eq!(said(&events), "half");
        assert_eq!(end.expect_err("failed").code, code);
        assert!(!events.iter().any(|event| matches!(event, Event::Stop(_))));
        drop(exchange);
        assert_eq!(house.flow().outcome, FlowOutcome::Failed);
    }
}

#[tokio::test(start_paused = true)]
async fn silence_ends_after_the_idle_time_and_not_before() {
    let slow = vec![
        text("a"),
        Step::Wait(Duration::from_secs(119)),
        text("b"),
        Step::Wait(Duration::from_secs(119)),
        metering(),
    ];
    let house = House::new(&["a"], vec![Scene::Answer(slow), Scene::Answer(vec![text("a"), Step::Hang])]);
    assert_eq!(all(&mut house.begin().await).await.1, Ok(()));
    let since = Instant::now();
    assert_eq!(all(&mut house.begin().await).await.1.expect_err("failed").code, "upstream_timeout");
    let waited = since.elapsed();
    assert!((120..122).contains(&waited.as_secs()), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn after_metering_only_a_short_grace_is_waited_for() {
    let house = House::new(&["a"], vec![Scene::Answer(vec![text("done"), metering(), Step::Hang])]);
    let since = Instant::now();
    assert_eq!(all(&mut house.begin().await).await.1, Ok(()));
    assert!((5..7).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_takes_the_upstream_call_with_it() {
    let house = House::new(&["a"], vec![Scene::Answer(vec![text("a"), Step::Hang])]);
    let mut exchange = house.begin().await;
    let mut events = Vec::new();
    assert_eq!(exchange.next(&mut events).await, Ok(Progress::More));
    assert!(house.in_use());
    drop(exchange);
    assert!(!house.in_use());
    assert_eq!(house.flow().outcome, FlowOutcome::ClientLeft);
    assert_eq!(house.state(0), AccountState::READY);
    house.leases.lease(&LeaseRequest::default()).expect("the lease came back");
}

#[tokio::test(start_paused = true)]
async fn a_stop_sequence_ends_the_answer_and_leaves_the_upstream() {
    let house = House::new(&["a"], vec![Scene::Answer(vec![text("one END two"), Step::Hang])]);
    let mut conversation = question("hello");
    conversation.sampling.stop_sequences = vec!["END".into()];
    let mut exchange = house.begin_with(conversation).await;
    let (events, end) = all(&mut exchange).await;
    assert_eq!((said(&events).as_str(), end), ("one ", Ok(())));
    assert_eq!(events.last(), Some(&Event::Stop(StopReason::StopSequence("END".into()))));
    assert!(!house.in_use());
}

#[tokio::test(start_paused = true)]
async fn without_an_account_the_client_is_told_what_to_do() {
    let house = House::new(&[], vec![]);
    let failure = all(&mut house.begin().await).await.1.expect_err("failed");
    assert_eq!(failure.code, "no_account");
    assert!(failure.message.contains("accounts import"), "{}", failure.message);
}

#[tokio::test(start_paused = true)]
async fn a_clean_end_without_metering_is_told_as_unconfirmed() {
    let house = House::new(&["a"], vec![Scene::Answer(vec![text("one")]), answer("two")]);
    for codes in [&["end_unconfirmed"][..], &[]] {
        let (_, end) = all(&mut house.begin().await).await;
        assert_eq!(end, Ok(()));
        let flow = house.flow();
        assert_eq!(flow.notices.iter().map(|notice| &*notice.code).collect::<Vec<_>>(), codes);
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_are_counted_of_the_request_as_it_is_built() {
    let house = House::new(&["a"], vec![]);
    let plain = question("hello");
    let mut thinking = plain.clone();
    thinking.thinking = Thinking::Budget(8000);
    let mut counts = Vec::new();
    for conversation in [plain, thinking] {
        let inbound = Inbound { delivery: Delivery::Whole, ..inbound(conversation.clone()) };
        let counted = house.pipeline.count(inbound, &house.settings, &KeyOptions::default()).await.expect("counted");
        let estimated = house.begin_with(conversation).await.input_estimate();
        assert!((estimated / 2..=estimated * 2).contains(&counted), "{counted} counted, {estimated} estimated");
        counts.push(counted);
    }
    assert!(counts[1] > counts[0], "what asks the model to think is counted: {counts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pieces_loses_none_of_them() {
    for count in [15, 16, 17, 31, 32, 33, 500] {
        let words: Vec<String> = (0..count).map(|n| format!("w{n} ")).collect();
        let pieces = words.iter().map(|word| text(word)).chain([metering()]).collect();
        let house = House::new(&["a"], vec![Scene::Answer(pieces)]);
        let (events, end) = all(&mut house.begin().await).await;
        assert_eq!((said(&events), end), (words.concat(), Ok(())), "{count} pieces");
    }
}
