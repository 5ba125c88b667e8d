//! Answers that take more than one exchange: searches, cut calls, calls that must come, forms.

use super::*;
use crate::upstream::scripted::Found;
use kiro_protocol::conversation::{OutputFormat, ServerTool, ToolChoice, ToolSpec};
use kiro_protocol::event::{UsageSource, parse_tool_input};
use serde_json::{Value, json};

fn tool_event(id: &str, name: &str, input: &str, stop: bool) -> Step {
    let mut payload = json!({ "toolUseId": id, "name": name, "input": input });
    if stop {
        payload["stop"] = json!(true);
    }
    Step::Bytes(frame("event", "toolUseEvent", &payload.to_string()))
}

fn call(id: &str, name: &str, input: &Value) -> Vec<Step> {
    vec![tool_event(id, name, &input.to_string(), false), tool_event(id, name, "", true)]
}

fn scene(steps: impl IntoIterator<Item = Vec<Step>>) -> Scene {
    Scene::Answer(steps.into_iter().flatten().chain([metering()]).collect())
}

fn write_tool() -> ToolSpec {
    let schema = json!({ "type": "object", "properties": { "path": { "type": "string" } }, "required": ["path"] });
    let Value::Object(schema) = schema else { unreachable!() };
    ToolSpec { name: "Write".into(), description: "Writes a file.".into(), schema, cache: false }
}

fn with_search() -> Conversation {
    let search = ServerTool::WebSearch {
        name: "web_search".into(),
        max_uses: None,
        allowed_domains: Vec::new(),
        blocked_domains: Vec::new(),
    };
    Conversation { server_tools: vec![search], ..question("what is new?") }
}

fn with_tool() -> Conversation {
    Conversation { tools: vec![write_tool()], ..question("write it") }
}

/// The calls that the client got, in order: name and arguments.
fn calls(events: &[Event]) -> Vec<(String, Value)> {
    let mut calls = Vec::new();
    let mut open: Option<(String, String)> = None;
    for event in events {
        match event {
            Event::ToolUseStart { name, .. } => open = Some((name.clone(), String::new())),
            Event::ToolInput(piece) => open.as_mut().expect("an open call").1.push_str(piece),
            Event::ToolUseEnd => {
                let (name, input) = open.take().expect("an open call");
                calls.push((name, Value::Object(parse_tool_input(&input).expect("an object"))));
            }
            Event::ToolUseCut => open = None,
            Event::Text(_)
            | Event::Thinking(_)
            | Event::ThinkingSignature(_)
            | Event::RedactedThinking(_)
            | Event::SearchStart { .. }
            | Event::SearchDone { .. }
            | Event::Usage(_)
            | Event::Stop(_) => {}
        }
    }
    assert!(open.is_none(), "a call without an end");
    calls
}

fn usage(events: &[Event]) -> kiro_protocol::event::Usage {
    let mut usage = kiro_protocol::event::Usage::default();
    for event in events {
        if let Event::Usage(part) = event {
            usage.merge(part);
        }
    }
    usage
}

fn last_request(house: &House) -> String {
    house.upstream.seen().last().expect("a request").body.to_string()
}

fn notices(house: &House) -> Vec<String> {
    house.flow().notices.iter().map(|notice| notice.code.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_search_is_run_between_two_answers_and_shown_to_the_client() {
    let first = scene([vec![text("Let me look. ")], call("s1", "web_search", &json!({ "query": "rust news" }))]);
    let house = House::new(&["a"], vec![first, answer("Rust is new.")]);
    house.upstream.finds([Found::Pages(vec!["https://example.org/rust"], Duration::from_secs(2))]);
    let (events, end) = all(&mut house.begin_with(with_search()).await).await;
    assert_eq!((said(&events).as_str(), end), ("Let me look. Rust is new.", Ok(())));
    let at = |wanted: fn(&Event) -> bool| events.iter().position(wanted).expect("the event is there");
    let start = at(|event| matches!(event, Event::SearchStart { query, .. } if query == "rust news"));
    let done = at(
        |event| matches!(event, Event::SearchDone { outcome: Ok(hits), .. } if hits[0].url == "https://example.org/rust"),
    );
    assert_eq!(done, start + 1);
    assert!(at(|event| matches!(event, Event::Text(text) if text.contains("Rust is new"))) > done);
    assert_eq!(calls(&events), [], "the search is nobody's call but ours");
    assert_eq!(events.last(), Some(&Event::Stop(StopReason::EndTurn)));
    assert_eq!((usage(&events).web_searches, usage(&events).credits), (Some(1), Some(1.0)));
    assert!(last_request(&house).contains("https://example.org/rust"), "the model is told what was found");
    assert_eq!(house.upstream.searched().len(), 1);
    assert_eq!(house.flow().outcome, FlowOutcome::Complete);
    assert!(!house.in_use());
}

#[tokio::test(start_paused = true)]
async fn a_search_that_fails_is_told_to_the_model_and_the_client_and_ends_nothing() {
    for found in [Found::Unreachable, Found::Refuse(403, r#"{"message":"not in this region"}"#)] {
        let first = scene([call("s1", "web_search", &json!({ "query": "rust" }))]);
        let house = House::new(&["a"], vec![first, answer("I could not search.")]);
        // Trouble on the way may be tried again.
        house.upstream.finds(vec![found; 8]);
        let (events, end) = all(&mut house.begin_with(with_search()).await).await;
        assert_eq!((said(&events).as_str(), end), ("I could not search.", Ok(())));
        assert!(events.iter().any(|event| matches!(event, Event::SearchDone { outcome: Err("unavailable"), .. })));
    }
}

#[tokio::test(start_paused = true)]
async fn rounds_of_searches_end() {
    let again = || scene([call("s1", "web_search", &json!({ "query": "more" }))]);
    let house = House::new(&["a"], (0..12).map(|_| again()).chain([answer("never")]).collect());
    house.upstream.finds(vec![Found::Pages(vec!["https://example.org/"], Duration::ZERO); 12]);
    let (events, end) = all(&mut house.begin_with(with_search()).await).await;
    assert_eq!(end, Ok(()));
    let most = house.settings.tools.search_rounds as usize;
    assert_eq!(house.upstream.searched().len(), most);
    assert!(house.upstream.seen().len() <= most + 2, "{} requests", house.upstream.seen().len());
    assert!(matches!(events.last(), Some(Event::Stop(_))));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_cut_is_asked_for_once_more_and_nothing_of_it_was_delivered() {
    let cut = Scene::Answer(vec![text("Writing. "), tool_event("t1", "Write", r#"{"path":"a","con"#, false)]);
    let whole = scene([call("t2", "Write", &json!({ "path": "a" }))]);
    let house = House::new(&["a"], vec![cut, whole]);
    let (events, end) = all(&mut house.begin_with(with_tool()).await).await;
    assert_eq!(end, Ok(()));
    assert_eq!(said(&events), "Writing. ");
    assert_eq!(calls(&events), [("Write".to_owned(), json!({ "path": "a" }))]);
    assert_eq!(events.last(), Some(&Event::Stop(StopReason::ToolUse)));
    assert!(last_request(&house).contains("cut"), "the model is told why it is asked again");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cut_twice_ends_the_answer_as_too_long() {
    let cut = || Scene::Answer(vec![tool_event("t1", "Write", r#"{"path":"a","con"#, false)]);
    let house = House::new(&["a"], vec![cut(), cut()]);
    let (events, end) = all(&mut house.begin_with(with_tool()).await).await;
    assert_eq!((calls(&events), end), (vec![], Ok(())));
    assert_eq!(events.last(), Some(&Event::Stop(StopReason::MaxTokens)));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_goes_out_as_it_is_written_is_marked_when_it_is_cut() {
    let cut = Scene::Answer(vec![tool_event("t1", "Write", r#"{"path":"a","con"#, false)]);
    let house = House::new(&["a"], vec![cut]);
    let conversation = Conversation { live_tool_input: true, ..with_tool() };
    let (events, end) = all(&mut house.begin_with(conversation).await).await;
    assert_eq!(end, Ok(()));
    assert!(events.contains(&Event::ToolUseCut));
    assert_eq!(events.last(), Some(&Event::Stop(StopReason::MaxTokens)));
    assert_eq!(house.upstream.seen().len(), 1, "what went out cannot be taken back");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_must_come_is_asked_for_once_more() {
    let house =
        House::new(&["a"], vec![answer("I would rather talk."), scene([call("t", "Write", &json!({ "path": "b" }))])]);
    let conversation = Conversation { tool_choice: ToolChoice::Tool("Write".into()), ..with_tool() };
    let (events, end) = all(&mut house.begin_with(conversation).await).await;
    assert_eq!(end, Ok(()));
    assert_eq!(said(&events), "", "the first answer was no answer");
    assert_eq!(calls(&events), [("Write".to_owned(), json!({ "path": "b" }))]);
}

#[tokio::test(start_paused = true)]
async fn without_the_call_that_must_come_the_answer_is_delivered_and_noticed() {
    let house = House::new(&["a"], vec![answer("No."), answer("Still no.")]);
    let conversation = Conversation { tool_choice: ToolChoice::Any, ..with_tool() };
    let (events, end) = all(&mut house.begin_with(conversation).await).await;
    assert_eq!((said(&events).as_str(), end), ("No.", Ok(())));
    assert!(notices(&house).contains(&"forced_call_missing".to_owned()));
}

fn with_form(strict: bool) -> Conversation {
    let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] });
    let output_format = Some(OutputFormat::JsonSchema { name: None, schema, strict });
    Conversation { output_format, ..question("count") }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_right_form_is_delivered_without_its_fence() {
    let house = House::new(&["a"], vec![answer("```json\n{\"n\": 3}\n```")]);
    let (events, end) = all(&mut house.begin_with(with_form(true)).await).await;
    assert_eq!((said(&events).as_str(), end), ("{\"n\": 3}", Ok(())));
    assert_eq!(house.upstream.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_wrong_form_is_asked_for_once_more() {
    let house = House::new(&["a"], vec![answer("{\"n\": \"three\"}"), answer("{\"n\": 3}")]);
    let (events, end) = all(&mut house.begin_with(with_form(true)).await).await;
    assert_eq!((said(&events).as_str(), end), ("{\"n\": 3}", Ok(())));
}

#[tokio::test(start_paused = true)]
async fn a_form_that_is_missed_twice_fails_when_strict_and_is_delivered_otherwise() {
    let house = House::new(&["a"], vec![answer("three"), answer("drei")]);
    let (events, end) = all(&mut house.begin_with(with_form(true)).await).await;
    assert_eq!(said(&events), "");
    assert_eq!(end.expect_err("strict").code, "output_format_failed");

    let house = House::new(&["a"], vec![answer("three"), answer("drei")]);
    let (events, end) = all(&mut house.begin_with(with_form(false)).await).await;
    assert!(end.is_ok() && !said(&events).is_empty());
    assert!(notices(&house).contains(&"format_not_met".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn the_output_limit_ends_the_answer_and_leaves_the_upstream() {
    let words = Scene::Answer(vec![text(&"word ".repeat(400)), Step::Hang]);
    let house = House::new(&["a"], vec![words]);
    let mut conversation = question("talk");
    conversation.sampling.max_tokens = Some(16);
    let (events, end) = all(&mut house.begin_with(conversation).await).await;
    assert_eq!(end, Ok(()));
    assert_eq!(events.last(), Some(&Event::Stop(StopReason::MaxTokens)));
    assert!(said(&events).len() <= 16 * 6, "{} bytes", said(&events).len());
    assert!(usage(&events).output_source < UsageSource::Upstream);
    assert!(!house.in_use());
}

/// A client that stops waiting and waits again, at every place where one can, loses and doubles nothing.
#[tokio::test(start_paused = true)]
async fn waiting_can_be_given_up_anywhere() {
    let first = || {
        let look = vec![text("Let me "), Step::Wait(Duration::from_millis(30)), text("look. ")];
        scene([look, call("s1", "web_search", &json!({ "query": "q" }))])
    };
    for patience in [1, 7, 29, 31, 100] {
        let house = House::new(&["a"], vec![Scene::Refuse(503, BUSY, None), first(), answer("Done.")]);
        house.upstream.finds([Found::Pages(vec!["https://example.org/"], Duration::from_millis(50))]);
        let mut rounds = house.begin_with(with_search()).await;
        let mut events = Vec::new();
        loop {
            match tokio::time::timeout(Duration::from_millis(patience), rounds.next(&mut events)).await {
                Err(_) | Ok(Ok(Progress::More)) => {}
                Ok(Ok(Progress::Complete)) => break,
                Ok(Err(failure)) => panic!("{failure:?}"),
            }
        }
        assert_eq!(said(&events), "Let me look. Done.");
        assert_eq!(house.upstream.searched().len(), 1);
        assert_eq!(usage(&events).credits, Some(1.0));
    }
}
