//! The same promises in all four protocols: answers, tools, cuts, signs of life, several at once.

use http::StatusCode;
use kiro_simulator::{Answer, Cut, End, Faults, Script, Target};
use serde_json::{Value, json};

use crate::harness::{Plan, World, connect, raw_status, read_to_end};
use crate::speakers::{ALL, Api, data, read};
use tokio::io::AsyncWriteExt as _;

const WORDS: &str = "Grüße 你好 👋 and goodbye";

#[tokio::test(flavor = "multi_thread")]
async fn every_protocol_answers_whole_and_as_a_stream() {
    let world = World::start().await;
    for api in ALL {
        let question = format!("SAY: {WORDS}");
        let (status, answer) = world.whole(api, &api.ask(&question, false)).await;
        assert_eq!(status, StatusCode::OK, "{api:?}: {answer}");
        assert_eq!(api.text(&answer), WORDS, "{api:?}: {answer}");
        let stream = world.streamed(api, &api.ask(&question, true)).await;
        assert_eq!(api.streamed_text(&stream), WORDS, "{api:?}: {}", stream.body);
        assert!(api.is_complete(&stream) && stream.clean && !api.tells_failure(&stream), "{api:?}: {}", stream.body);
    }
    let protocols: Vec<String> =
        world.flows().await.iter().map(|flow| flow["protocol"].as_str().unwrap().to_owned()).collect();
    assert_eq!(protocols.len(), 8);
    for api in ALL {
        assert_eq!(protocols.iter().filter(|name| *name == api.name()).count(), 2, "{protocols:?}");
    }
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_call_makes_a_round_trip_in_every_protocol_also_in_writes_of_seven_bytes() {
    for plan in [Plan::default(), Plan::default().chunk(7)] {
        let world = plan.start().await;
        for api in ALL {
            let question = "Create the file /tmp/hello.txt with exactly this content: Hello";
            let body = api.ask_with_tool(question, false);
            let (status, answer) = world.whole(api, &body).await;
            assert_eq!(status, StatusCode::OK, "{api:?}: {answer}");
            let (name, input) = api.call(&answer);
            assert_eq!(name, "Write", "{api:?}");
            assert_eq!(input["file_path"], "/tmp/hello.txt", "{api:?}");
            assert_eq!(input["content"], "Hello", "{api:?}");

            let stream = world.streamed(api, &api.ask_with_tool(question, true)).await;
            assert!(api.is_complete(&stream), "{api:?}: {}", stream.body);
            assert_eq!(api.streamed_input(&stream), input, "{api:?}: {}", stream.body);

            let next = api.with_result(body, &answer, "written");
            let (status, answer) = world.whole(api, &next).await;
            assert_eq!(status, StatusCode::OK, "{api:?}: {answer}");
            assert!(!api.text(&answer).is_empty(), "{api:?}: {answer}");
        }
        world.assert_no_violations();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_never_complete_and_says_so_in_each_protocols_words() {
    for api in ALL {
        let world = Plan::default().set("limits.retries", 0).start().await;
        let text = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen";
        let script = || Script {
            answer: Answer::Text(text.into()),
            faults: Faults { cut: Some(Cut { at: 700, end: End::Reset }), ..Faults::default() },
            ..Script::default()
        };
        world.control.enqueue(Target::Any, script());
        let stream = world.streamed(api, &api.ask("go", true)).await;
        assert_eq!(stream.status, StatusCode::OK, "{api:?}");
        let said = api.streamed_text(&stream);
        assert!(!said.is_empty() && text.starts_with(&said), "{api:?}: {}", stream.body);
        assert!(!api.is_complete(&stream) && api.tells_failure(&stream), "{api:?}: {}", stream.body);
        // Only Gemini's clients need to be told by the connection.
        assert_eq!(stream.clean, api != Api::Gemini, "{api:?}: {}", stream.body);

        world.control.enqueue(Target::Any, script());
        let (status, answer) = world.whole(api, &api.ask("go", false)).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY, "{api:?}: {answer}");
        api.assert_failure_form("cut", &answer);
    }
}

/// The bytes of an answer as they come over the wire.
async fn over_the_wire(world: &World, path: &str, body: &Value) -> String {
    let mut stream = connect(&world.url).await;
    let text = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\nx-goog-api-key: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        world.url.strip_prefix("http://").unwrap(),
        world.key,
        text.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    read_to_end(&mut stream).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gemini_stream_that_failed_is_reset_after_its_error_and_has_no_end_on_the_wire() {
    let world = Plan::default().set("limits.retries", 0).start().await;
    for query in ["?alt=sse", ""] {
        let faults = Faults { cut: Some(Cut { at: 700, end: End::Reset }), ..Faults::default() };
        world
            .control
            .enqueue(Target::Any, Script { answer: Answer::Text("word ".repeat(60)), faults, ..Script::default() });
        let path = format!("/v1beta/models/claude-sonnet-4-5:streamGenerateContent{query}");
        let answer = over_the_wire(&world, &path, &Api::Gemini.ask("go", true)).await;
        assert_eq!(raw_status(&answer), 200, "{answer}");
        assert!(answer.contains("transfer-encoding: chunked"), "{answer}");
        assert!(answer.contains("\"error\""), "the error is told first: {answer}");
        assert!(!answer.ends_with("0\r\n\r\n"), "the last chunk would make it look whole: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gemini_without_sse_is_one_json_array() {
    let world = World::start().await;
    let path = "/v1beta/models/claude-sonnet-4-5:streamGenerateContent";
    let answer = world.post(path).json(&Api::Gemini.ask("SAY: one two three", true)).send().await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("application/json"));
    let chunks: Vec<Value> = answer.json().await.expect("one JSON array");
    let text: String = chunks.iter().map(|chunk| Api::Gemini.text(chunk)).collect();
    assert_eq!(text, "one two three");
    assert_eq!(chunks.last().unwrap()["candidates"][0]["finishReason"], "STOP");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_protocols_at_once_do_not_meet() {
    let world = World::start().await;
    let (world, mut tasks) = (std::sync::Arc::new(world), tokio::task::JoinSet::new());
    for n in 0..24 {
        let (world, api) = (std::sync::Arc::clone(&world), ALL[n % 4]);
        tasks.spawn(async move {
            let stream = world.streamed(api, &api.ask(&format!("SAY: number {n} and nothing else"), true)).await;
            assert_eq!(api.streamed_text(&stream), format!("number {n} and nothing else"), "{api:?}");
            assert!(api.is_complete(&stream));
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("each gets its own answer");
    }
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_upstream_is_bridged_in_each_protocols_harmless_form() {
    for api in ALL {
        let world = Plan::default().set("limits.keepAliveSeconds", 1).start().await;
        let faults =
            Faults { stall: vec![kiro_simulator::Stall { at: 400, for_ms: Some(1_500) }], ..Faults::default() };
        let script = Script { answer: Answer::Text("word ".repeat(40)), faults, ..Script::default() };
        world.control.enqueue(Target::Any, script);
        let stream = world.streamed(api, &api.ask("go", true)).await;
        assert!(api.is_complete(&stream), "{api:?}: {}", stream.body);
        let comments = stream.body.lines().any(|line| line.starts_with(':'));
        let alive = match api {
            Api::Anthropic => stream.body.contains("event: ping"),
            Api::Chat => comments,
            // An event, because comments do not reset this client's patience.
            Api::Responses => {
                data(&stream.body).iter().any(|event| event["type"] == "keepalive")
                    || stream.body.matches("response.in_progress").count() > 2
            }
            Api::Gemini => stream.body.contains("data: {}\n") || stream.body.contains("\n\n\n"),
        };
        assert!(alive, "{api:?}: {}", stream.body);
        assert_eq!(comments, api == Api::Chat, "{api:?}: a comment breaks some clients: {}", stream.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_bodies_are_refused_in_each_protocols_words_and_reach_nobody() {
    let world = World::start().await;
    for api in ALL {
        for stream in [false, true] {
            for body in
                ["", "{", "[]", "null", "\"x\"", "{\"model\": 5}", "{\"messages\": 1, \"input\": 1.5, \"contents\": 1}"]
            {
                let request = world.post(&api.path(stream)).header("content-type", "application/json").body(body);
                let (status, answer) = read(request).await;
                assert_eq!(status, StatusCode::BAD_REQUEST, "{api:?} {body:?}: {answer}");
                api.assert_failure_form(body, &answer);
            }
        }
        let (status, answer) = read(world.post(&api.path(false)).header("content-type", "text/plain").body("{}")).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{api:?}");
        api.assert_failure_form("media type", &answer);
    }
    assert_eq!(world.upstream_calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn reasoning_in_chat_follows_the_setting_and_the_requests_own_wish() {
    let world = Plan::default().set("openai.reasoning", "removed").start().await;
    let thought = "Seventeen has no divisor below 5.";
    for (wish, beside, inside) in [
        (None, false, false),
        (Some("content"), true, false),
        (Some("plain"), false, true),
        (Some("tagged"), false, true),
    ] {
        let script = Script { answer: Answer::Scenario("thinking-claude".into()), ..Script::default() };
        world.control.enqueue(Target::Any, script);
        let request = world.post("/v1/chat/completions").json(&Api::Chat.ask("Is 17 prime?", false));
        let request = match wish {
            Some(wish) => request.header("x-kiro-proxy-reasoning", wish),
            None => request,
        };
        let (status, answer) = read(request).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let message = &answer["choices"][0]["message"];
        let has = |member: &str| message[member].as_str().is_some_and(|text| text.contains(thought));
        assert_eq!((has("reasoning_content"), has("content")), (beside, inside), "{wish:?}: {answer}");
        let tagged = message["content"].as_str().unwrap().contains("<thinking>");
        assert_eq!(tagged, wish == Some("tagged"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_ask_to_hold_the_start_until_the_true_input_is_known() {
    let world = World::start().await;
    let keys = world.admin_ok(http::Method::GET, "/api/keys", None).await;
    let id = keys["keys"][0]["id"].as_str().unwrap().to_owned();
    let figure = |stream: &crate::harness::Stream| {
        let usage = |name: &str| {
            let event = stream.events.iter().find(|(event, _)| event == name).map(|(_, data)| data.clone());
            let event = event.unwrap_or_else(|| panic!("no {name}: {}", stream.body));
            let usage = if name == "message_start" { &event["message"]["usage"] } else { &event["usage"] };
            usage["input_tokens"].as_u64().unwrap()
        };
        (usage("message_start"), usage("message_delta"))
    };
    let changed = json!({"options": {"bufferedStart": true}});
    world.admin_ok(http::Method::PATCH, &format!("/api/keys/{id}"), Some(changed)).await;
    let body = Api::Anthropic.ask("SAY: held and then told", true);
    let stream = world.streamed(Api::Anthropic, &body).await;
    assert!(stream.complete(), "{}", stream.body);
    assert_eq!(stream.text(), "held and then told");
    let (first, last) = figure(&stream);
    assert_eq!(first, last, "{}", stream.body);
    // Other protocols name their figures at the end anyway.
    let stream = world.streamed(Api::Chat, &Api::Chat.ask("SAY: x", true)).await;
    assert!(Api::Chat.is_complete(&stream));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_counted_in_each_protocols_form() {
    let world = World::start().await;
    let long = "hello ".repeat(500);
    let cases = [
        ("/v1/messages/count_tokens", Api::Anthropic, "/input_tokens"),
        ("/v1/responses/input_tokens", Api::Responses, "/input_tokens"),
        ("/v1beta/models/claude-sonnet-4-5:countTokens", Api::Gemini, "/totalTokens"),
    ];
    for (path, api, place) in cases {
        let (status, answer) = read(world.post(path).json(&api.ask(&long, false))).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        assert!(answer.pointer(place).and_then(Value::as_u64).is_some_and(|n| n > 300), "{path}: {answer}");
    }
    assert_eq!(world.upstream_calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_completions_answer_too() {
    let world = World::start().await;
    let body = json!({"model": "claude-sonnet-4-5", "prompt": "SAY: as in old times", "max_tokens": 100});
    let (status, answer) = read(world.post("/v1/completions").json(&body)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["choices"][0]["text"], "as in old times");
}
