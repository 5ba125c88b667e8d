//! Kept answers of OpenAI Responses: continued, read, deleted; by their own key only; across restarts only on disk.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Plan, World};
use crate::speakers::{Api, data, read};

async fn second_key(world: &World) -> String {
    let made = world.admin_ok(Method::POST, "/api/keys", Some(json!({"name": "second"}))).await;
    made["secret"].as_str().unwrap().to_owned()
}

async fn first_answer(world: &World) -> String {
    let (status, answer) = world.whole(Api::Responses, &Api::Responses.ask("My name is Ada. SAY: hello", false)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["id"].as_str().expect("an id").to_owned()
}

fn continued(previous: &str) -> Value {
    json!({"model": "claude-sonnet-4-5", "input": "SAY: again", "previous_response_id": previous})
}

/// What the upstream was sent last.
fn last_history(world: &World) -> String {
    let calls = world.control.journal().into_iter().rfind(|entry| entry.operation == "GenerateAssistantResponse");
    calls.expect("a call").body["conversationState"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_continued_read_and_deleted_by_its_own_key_only() {
    let world = World::start().await;
    let stranger = second_key(&world).await;
    let id = first_answer(&world).await;

    let (status, answer) = world.whole(Api::Responses, &continued(&id)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let history = last_history(&world);
    assert!(history.contains("My name is Ada") && history.contains("hello"), "{history}");

    let path = format!("/v1/responses/{id}");
    let (status, shown) = read(world.get(&path)).await;
    assert_eq!((status, &shown["id"]), (StatusCode::OK, &json!(id)), "{shown}");
    assert_eq!(Api::Responses.text(&shown), "hello");
    let (status, items) = read(world.get(&format!("{path}/input_items"))).await;
    assert_eq!(status, StatusCode::OK, "{items}");
    assert_eq!(items["data"][0]["content"][0]["text"], "My name is Ada. SAY: hello", "{items}");

    let url = format!("{}{path}", world.url);
    for request in [
        world.http.get(&url),
        world.http.get(format!("{url}/input_items")),
        world.http.delete(&url),
        world.http.post(format!("{url}/cancel")),
    ] {
        let (status, body) = read(request.bearer_auth(&stranger)).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{body}");
        Api::Responses.assert_failure_form("stranger", &body);
    }
    let theirs = world.http.post(format!("{}/v1/responses", world.url)).bearer_auth(&stranger).json(&continued(&id));
    let (status, body) = read(theirs).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");

    let (status, body) = read(world.http.post(format!("{url}/cancel")).bearer_auth(&world.key)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "only background answers can be cancelled: {body}");
    let (status, deleted) = read(world.http.delete(&url).bearer_auth(&world.key)).await;
    assert_eq!((status, &deleted["deleted"]), (StatusCode::OK, &json!(true)), "{deleted}");
    let (status, _) = read(world.get(&path)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = world.whole(Api::Responses, &continued(&id)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_answer_is_kept_as_it_was_told_and_nothing_is_kept_that_was_not_to_be() {
    let world = World::start().await;
    let stream = world.streamed(Api::Responses, &Api::Responses.ask("SAY: streamed", true)).await;
    let events = data(&stream.body);
    let end = events.iter().find(|event| event["type"] == "response.completed").expect("an end");
    let id = end["response"]["id"].as_str().unwrap();
    let (status, shown) = read(world.get(&format!("/v1/responses/{id}"))).await;
    assert_eq!(status, StatusCode::OK, "{shown}");
    assert_eq!(shown["output"], end["response"]["output"]);
    assert_eq!(shown["usage"], end["response"]["usage"]);

    let mut body = Api::Responses.ask("SAY: not kept", false);
    body["store"] = false.into();
    let (_, answer) = world.whole(Api::Responses, &body).await;
    let (status, _) = read(world.get(&format!("/v1/responses/{}", answer["id"].as_str().unwrap()))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_disk_answers_outlive_a_restart_and_in_memory_they_do_not() {
    for (place, survives) in [("disk", true), ("memory", false), ("off", false)] {
        let store = crate::refresh::vault_key();
        let plan = Plan::default().set("responses.store", place);
        let mut world = plan.options(move |options| options.store = store).start().await;
        let id = first_answer(&world).await;
        let (status, _) = read(world.get(&format!("/v1/responses/{id}"))).await;
        assert_eq!(status.is_success(), place != "off", "{place}");
        world.restart(|_| {}).await.expect("opens again");
        world.listen().await;
        let (status, answer) = world.whole(Api::Responses, &continued(&id)).await;
        assert_eq!(status.is_success(), survives, "{place}: {answer}");
        if survives {
            assert!(last_history(&world).contains("My name is Ada"));
        }
    }
}
