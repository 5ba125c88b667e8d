//! Scripted answers and faults, byte by byte.

use std::time::Duration;

use futures_util::StreamExt;
use kiro_simulator::{Answer, Config, Cut, End, Ended, Faults, Flip, Insert, Script, Stall, StreamMessage, Target};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Rig, decode, question, text};

fn script(answer: Answer, faults: Faults) -> Script {
    Script { answer, faults, ..Script::default() }
}

/// Reads until the end or a failure; the flag says whether the body ended properly.
async fn read(response: reqwest::Response) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(_) => return (bytes, false),
        }
    }
    (bytes, true)
}

/// Lets an hour pass on a paused clock, which costs no real time.
async fn nothing_for_an_hour<F: Future>(event: F) -> bool {
    tokio::time::pause();
    let nothing = tokio::time::timeout(Duration::from_secs(3600), event).await.is_err();
    tokio::time::resume();
    nothing
}

async fn scripted(rig: &Rig, script: Script) -> (Vec<u8>, bool) {
    rig.control().enqueue(Target::Any, script);
    read(rig.chat(&question("SAY: hello world")).send().await.expect("headers")).await
}

#[tokio::test(start_paused = true)]
async fn every_scenario_arrives_message_by_message_and_ends_as_told() {
    let rig = Rig::start().await;
    let source: Value = serde_json::from_str(include_str!("../../data/stream-scenarios.json")).expect("JSON");
    let scenarios = source["scenarios"].as_array().expect("scenarios");
    assert_eq!(scenarios.len(), 38);
    assert_eq!(rig.control().scenario_names().len(), 38);
    for scenario in scenarios {
        let name = scenario["name"].as_str().expect("a name");
        let hangs = scenario["end"] == "hang";
        // Pauses are kept, so nothing is read before its time; a hanging end is released by the test.
        let expected: Vec<&Value> = scenario["messages"].as_array().expect("messages").iter().collect();
        let cut = expected.iter().any(|m| m.get("cut_last_frame_bytes").is_some());
        rig.control().enqueue(Target::Any, script(Answer::Scenario(name.to_owned()), Faults::default()));
        let response = rig.chat(&question("hi")).send().await.expect("headers");
        assert_eq!(response.headers()["content-type"], scenario["http"]["content_type"].as_str().unwrap());
        let control = rig.control();
        let releaser = async {
            while hangs && control.journal().last().is_some_and(|e| e.ended == Ended::Open) {
                control.release();
                tokio::task::yield_now().await;
            }
        };
        let ((bytes, proper), ()) = tokio::join!(read(response), releaser);
        let (events, leftover) = decode(&bytes);
        let whole: Vec<&&Value> = expected.iter().filter(|m| m.get("message_type").is_some()).collect();
        assert_eq!(leftover, cut, "{name}");
        assert_eq!(events.len(), whole.len() - usize::from(cut), "{name}");
        for (event, expected) in events.iter().zip(whole) {
            assert_eq!(event.kind, expected["message_type"].as_str().unwrap(), "{name}");
            if event.kind != "error" {
                assert_eq!(event.payload, expected["payload"], "{name}");
            }
        }
        assert_eq!(proper, scenario["end"] != "reset", "{name}");
    }
}

#[tokio::test]
async fn every_error_of_the_catalogue_is_answered_byte_for_byte() {
    let rig = Rig::start().await;
    let source: Value = serde_json::from_str(include_str!("../../data/errors.json")).expect("JSON");
    let errors = source["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 49);
    for error in errors {
        let id = error["id"].as_str().expect("an id");
        rig.control()
            .enqueue(Target::Account("social".to_owned()), script(Answer::Error(id.to_owned()), Faults::default()));
        let response = rig.chat(&question("hi")).send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), error["status"], "{id}");
        for (name, value) in error["headers"].as_object().into_iter().flatten() {
            assert_eq!(response.headers()[name], value.as_str().unwrap(), "{id}");
        }
        let body = response.text().await.expect("a body");
        match &error["body"] {
            Value::String(text) => assert_eq!(&body, text, "{id}"),
            other => assert_eq!(&serde_json::from_str::<Value>(&body).expect("JSON"), other, "{id}"),
        }
    }
}

#[tokio::test]
async fn a_script_waits_for_its_conversation_its_account_and_its_operation() {
    let rig = Rig::start().await;
    let control = rig.control();
    let say = |text: &str| script(Answer::Text(text.to_owned()), Faults::default());
    control.enqueue(Target::Conversation("other".to_owned()), say("conversation"));
    control.enqueue(Target::Account("idc".to_owned()), say("account"));
    let throttled = Script {
        operation: "GetUsageLimits".to_owned(),
        answer: Answer::Error("throttled".to_owned()),
        ..Script::default()
    };
    control.enqueue(Target::Any, throttled);
    assert_eq!(text(&rig.ask(&question("SAY: normal")).await.1), "normal");
    let mut body = question("SAY: normal");
    body["conversationState"]["conversationId"] = "other".into();
    assert_eq!(text(&rig.ask(&body).await.1), "conversation");
    let usage =
        rig.http.get(rig.url("/getUsageLimits")).header("user-agent", "KiroIDE").bearer_auth(rig.token("social"));
    assert_eq!(usage.send().await.expect("an answer").status(), 429);
    assert_eq!(control.scripts_left(), 1);
}

#[tokio::test]
async fn chunk_sizes_change_nothing_but_the_pieces() {
    let rig = Rig::start().await;
    let plain = scripted(&rig, script(Answer::Scenario("multibyte-text".to_owned()), Faults::default())).await;
    for size in [1, 2, 7, 13] {
        let faults = Faults { chunks: vec![size], ..Faults::default() };
        rig.control().enqueue(Target::Any, script(Answer::Scenario("multibyte-text".to_owned()), faults));
        let response = rig.chat(&question("hi")).send().await.expect("headers");
        let mut stream = response.bytes_stream();
        let mut bytes = Vec::new();
        let mut pieces = 0;
        while let Some(piece) = stream.next().await {
            bytes.extend_from_slice(&piece.expect("a piece"));
            pieces += 1;
        }
        assert_eq!(bytes, plain.0);
        assert!(pieces > 1, "{size}");
    }
}

#[tokio::test]
async fn small_socket_writes_change_nothing_either() {
    let rig = Rig::with(Config { chunk: Some(7), ..Config::default() }).await;
    let (status, events) = rig.ask(&question("SAY: hello world")).await;
    assert_eq!((status, text(&events).as_str()), (200, "hello world"));
}

#[tokio::test]
async fn a_flipped_bit_is_exactly_one_bit_and_breaks_the_checksum() {
    let rig = Rig::start().await;
    let answer = || Answer::Scenario("plain-text".to_owned());
    let (plain, _) = scripted(&rig, script(answer(), Faults::default())).await;
    let faults = Faults { flip: vec![Flip { at: 40, bit: 3 }, Flip { at: -1, bit: 0 }], ..Faults::default() };
    let (broken, _) = scripted(&rig, script(answer(), faults)).await;
    let different: Vec<(usize, u8)> =
        plain.iter().zip(&broken).enumerate().filter(|(_, (a, b))| a != b).map(|(n, (a, b))| (n, a ^ b)).collect();
    assert_eq!(different, [(40, 0b1000), (plain.len() - 1, 1)]);
    assert!(decode(&broken).1);
}

#[tokio::test]
async fn a_cut_ends_after_the_given_bytes_cleanly_or_with_a_reset() {
    let rig = Rig::start().await;
    for (end, proper) in [(End::Eof, true), (End::Reset, false)] {
        let faults = Faults { cut: Some(Cut { at: 100, end }), ..Faults::default() };
        let (bytes, clean) = scripted(&rig, script(Answer::Scenario("plain-text".to_owned()), faults)).await;
        assert_eq!((bytes.len(), clean), (100, proper), "{end:?}");
    }
    let ended: Vec<Ended> = rig.control().journal().into_iter().map(|e| e.ended).collect();
    assert_eq!(ended, [Ended::Eof, Ended::Reset]);
}

#[tokio::test]
async fn a_stall_stands_still_until_it_is_released() {
    let rig = Rig::start().await;
    let faults = Faults { stall: vec![Stall { at: 50, for_ms: None }], ..Faults::default() };
    rig.control().enqueue(Target::Any, script(Answer::Scenario("plain-text".to_owned()), faults));
    let response = rig.chat(&question("hi")).send().await.expect("headers");
    let mut stream = response.bytes_stream();
    let mut bytes = Vec::new();
    while bytes.len() < 50 {
        bytes.extend_from_slice(&stream.next().await.expect("a piece").expect("bytes"));
    }
    assert_eq!(bytes.len(), 50);
    assert!(nothing_for_an_hour(stream.next()).await, "it stands still");
    rig.control().release();
    while let Some(piece) = stream.next().await {
        bytes.extend_from_slice(&piece.expect("bytes"));
    }
    assert!(!decode(&bytes).1);
}

#[tokio::test]
async fn everything_is_sent_but_the_body_stays_open_until_released() {
    let rig = Rig::start().await;
    rig.control().enqueue(Target::Any, script(Answer::Normal, Faults { no_close: true, ..Faults::default() }));
    let response = rig.chat(&question("SAY: hi")).send().await.expect("headers");
    let mut stream = response.bytes_stream();
    let mut bytes = Vec::new();
    while !decode(&bytes).0.iter().any(|e| e.name == "meteringEvent") {
        bytes.extend_from_slice(&stream.next().await.expect("a piece").expect("bytes"));
    }
    assert!(nothing_for_an_hour(stream.next()).await, "it stays open");
    rig.control().release();
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn exceptions_and_unknown_events_are_put_in_at_their_place() {
    let rig = Rig::start().await;
    let insert = vec![
        Insert { before: 1, message: StreamMessage::event("brandNewEvent", json!({"x": 1})) },
        Insert { before: 99, message: StreamMessage::exception("ThrottlingException", json!({"message": "slow"})) },
    ];
    let (bytes, _) = scripted(&rig, script(Answer::Normal, Faults { insert, ..Faults::default() })).await;
    let names: Vec<String> = decode(&bytes).0.into_iter().map(|e| e.name).collect();
    assert_eq!(names[1], "brandNewEvent");
    assert_eq!(names.last().map(String::as_str), Some("ThrottlingException"));
}

#[tokio::test]
async fn a_refused_connection_gives_no_answer_and_the_port_can_be_closed_and_opened() {
    let rig = Rig::start().await;
    rig.control().enqueue(Target::Any, script(Answer::Normal, Faults { refuse: true, ..Faults::default() }));
    assert!(rig.chat(&question("hi")).send().await.is_err());
    assert_eq!(rig.ask(&question("SAY: back")).await.0, 200);

    let address = rig.simulator.url().replace("http://", "");
    rig.control().refuse_connections(true);
    while tokio::net::TcpStream::connect(&address).await.is_ok() {}
    rig.control().refuse_connections(false);
    while tokio::net::TcpStream::connect(&address).await.is_err() {}
}

#[tokio::test]
async fn a_caller_that_leaves_is_noticed() {
    let rig = Rig::start().await;
    rig.control().enqueue(Target::Any, script(Answer::Normal, Faults { no_close: true, ..Faults::default() }));
    let response = rig.chat(&question("SAY: hi")).send().await.expect("headers");
    drop(response);
    while rig.control().counters().abandoned == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.control().journal()[0].ended, Ended::CallerLeft);
}

#[tokio::test]
async fn random_faults_repeat_with_the_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let rig = Rig::with(Config { seed: 7, random_faults: 1.0, ..Config::default() }).await;
        let mut seen = Vec::new();
        for _ in 0..12 {
            seen.push(match rig.chat(&question("SAY: hello")).send().await {
                Err(_) => "none".to_owned(),
                Ok(response) => {
                    let status = response.status().as_u16();
                    let (bytes, proper) = read(response).await;
                    format!("{status} {} {proper}", bytes.len())
                }
            });
        }
        runs.push(seen);
    }
    assert_eq!(runs[0], runs[1]);
    let kinds: std::collections::HashSet<_> = runs[0].iter().collect();
    assert!(kinds.len() > 3, "{kinds:?}");
}

#[tokio::test]
async fn other_processes_queue_scripts_and_read_the_journal_over_http() {
    let rig = Rig::start().await;
    let queued = json!({
        "target": {"account": "social"},
        "answer": {"scenario": "plain-text"},
        "faults": {"cut": {"at": -1, "end": "eof"}},
    });
    assert_eq!(rig.post("/__sim/scripts", &queued).send().await.expect("an answer").status(), 200);
    let (bytes, _) = read(rig.chat(&question("hi")).send().await.expect("headers")).await;
    assert!(decode(&bytes).1);
    let journal: Value =
        rig.http.get(rig.url("/__sim/journal")).send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(journal["entries"][0]["operation"], "GenerateAssistantResponse");
    assert_eq!(journal["entries"][0]["account"], "social");
    assert!(!journal.to_string().contains("EXAMPLE-access"), "no bearer token in the journal");
    let wrong = rig.post("/__sim/scripts", &json!({"answr": "normal"})).send().await.expect("an answer");
    assert_eq!(wrong.status(), 400);
    assert_eq!(rig.post("/__sim/reset", &json!({})).send().await.expect("an answer").status(), 200);
    assert!(rig.control().journal().is_empty());
}

#[tokio::test]
async fn a_reset_is_a_real_tcp_reset_and_what_was_sent_before_it_arrives() {
    let rig = Rig::start().await;
    let faults = Faults { cut: Some(Cut { at: 60, end: End::Reset }), ..Faults::default() };
    rig.control().enqueue(Target::Any, script(Answer::Scenario("plain-text".to_owned()), faults));
    let mut socket =
        tokio::net::TcpStream::connect(rig.simulator.url().replace("http://", "")).await.expect("a socket");
    let body = question("hi").to_string();
    let request = format!(
        "POST /generateAssistantResponse HTTP/1.1\r\nHost: localhost\r\nUser-Agent: raw\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        rig.token("social"),
        body.len(),
    );
    socket.write_all(request.as_bytes()).await.expect("sent");
    let mut seen = Vec::new();
    let error = socket.read_to_end(&mut seen).await.expect_err("no orderly end");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let text = String::from_utf8_lossy(&seen);
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("messageMetadataEvent"), "{text}");
    assert!(!text.ends_with("0\r\n\r\n"));
}

#[tokio::test]
async fn a_service_that_goes_down_drops_what_is_open() {
    let rig = Rig::start().await;
    rig.control().enqueue(Target::Any, script(Answer::Normal, Faults { no_close: true, ..Faults::default() }));
    let response = rig.chat(&question("SAY: hi")).send().await.expect("headers");
    rig.control().refuse_connections(true);
    assert!(!read(response).await.1, "the open answer breaks off");
    assert!(rig.chat(&question("hi")).send().await.is_err_and(|e| e.is_connect()));
}
