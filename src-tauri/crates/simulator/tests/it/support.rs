//! What the tests share: a running stand-in, a plain client, a frame reader.

use std::path::PathBuf;

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use kiro_simulator::{Config, Control, Simulator};
use serde_json::{Value, json};

pub(crate) struct Rig {
    pub(crate) simulator: Simulator,
    pub(crate) http: reqwest::Client,
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        // A second installation reports an error that means "already there".
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client without any secret");
        Self { simulator: Simulator::start(config).await.expect("a free loopback port"), http }
    }

    pub(crate) fn control(&self) -> Control {
        self.simulator.control()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        self.simulator.url() + path
    }

    pub(crate) fn token(&self, account: &str) -> String {
        let accounts = self.control().accounts();
        let found = accounts.into_iter().find(|a| a.seed.id == account).expect("an account of the default set");
        found.access_token.expect("a live token")
    }

    pub(crate) fn refresh_token(&self, account: &str) -> String {
        let accounts = self.control().accounts();
        let found = accounts.into_iter().find(|a| a.seed.id == account).expect("an account of the default set");
        found.refresh_token.expect("a live refresh token")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        self.http
            .post(self.url(path))
            .header("content-type", "application/json")
            .header("user-agent", "KiroIDE-1.4.154-test")
            .body(body.to_string())
    }

    pub(crate) fn chat(&self, body: &Value) -> reqwest::RequestBuilder {
        self.post("/generateAssistantResponse", body).bearer_auth(self.token("social"))
    }

    /// Sends a chat request and reads the whole answer.
    pub(crate) async fn ask(&self, body: &Value) -> (u16, Vec<Event>) {
        let response = self.chat(body).send().await.expect("an answer");
        let status = response.status().as_u16();
        let bytes = response.bytes().await.expect("a whole body");
        (status, if status == 200 { decode(&bytes).0 } else { Vec::new() })
    }

    pub(crate) fn rules(&self) -> Vec<String> {
        self.control().violations().into_iter().map(|v| v.rule).collect()
    }
}

/// A decoded message: type of message, type of event or exception, payload.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) payload: Value,
}

/// Decodes with AWS's decoder; the flag says whether bytes were left over or broken.
pub(crate) fn decode(bytes: &[u8]) -> (Vec<Event>, bool) {
    let mut decoder = MessageFrameDecoder::new();
    let mut rest = bytes;
    let mut events = Vec::new();
    loop {
        match decoder.decode_frame(&mut rest) {
            Ok(DecodedFrame::Complete(message)) => {
                let header = |name: &str| {
                    let found = message.headers().iter().find(|h| h.name().as_str() == name);
                    found.and_then(|h| h.value().as_string().ok()).map(|s| s.as_str().to_owned())
                };
                let kind = header(":message-type").unwrap_or_default();
                let name =
                    header(":event-type").or_else(|| header(":exception-type")).or_else(|| header(":error-code"));
                events.push(Event {
                    kind,
                    name: name.unwrap_or_default(),
                    payload: serde_json::from_slice(message.payload()).unwrap_or(Value::Null),
                });
            }
            Ok(DecodedFrame::Incomplete) => return (events, !rest.is_empty()),
            Err(_) => return (events, true),
        }
    }
}

pub(crate) fn text(events: &[Event]) -> String {
    let texts = events.iter().filter(|e| e.name == "assistantResponseEvent");
    texts.map(|e| e.payload["content"].as_str().unwrap_or_default()).collect()
}

pub(crate) fn question(text: &str) -> Value {
    json!({
        "conversationState": {
            "agentTaskType": "vibe",
            "chatTriggerType": "MANUAL",
            "conversationId": "00000000-0000-4000-8000-000000000101",
            "currentMessage": {"userInputMessage": {"content": text, "modelId": "claude-sonnet-4.5", "origin": "AI_EDITOR"}},
        },
        "profileArn": kiro_simulator::SOCIAL_ARN,
    })
}

pub(crate) fn fixture(name: &str) -> Value {
    let path = fixtures().join(name);
    let text = std::fs::read_to_string(&path).expect("a committed fixture");
    serde_json::from_str(&text).expect("JSON")
}

pub(crate) fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/upstream")
}
