//! The embedded catalogues of answers: stream scenarios and HTTP errors, as data.

use std::collections::HashMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::frame::StreamMessage;
use crate::script::End;

const SCENARIOS: &str = include_str!("../data/stream-scenarios.json");
const ERRORS: &str = include_str!("../data/errors.json");

/// A stream written out message by message.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scenario {
    /// Steps in order.
    pub messages: Vec<Step>,
    /// How the body ends.
    #[serde(default)]
    pub end: End,
    /// Content type of the HTTP answer; some answers come under another one.
    #[serde(default = "event_stream")]
    pub content_type: String,
}

fn event_stream() -> String {
    "application/vnd.amazon.eventstream".to_owned()
}

/// One step of a stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// A message.
    Message(StreamMessage),
    /// Nothing for a while.
    Pause {
        /// Milliseconds.
        pause_ms: u64,
    },
    /// The next message is sent without its last bytes.
    CutNext {
        /// How many bytes are left out.
        cut_last_frame_bytes: usize,
    },
}

/// An HTTP error answer of the catalogue.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct HttpError {
    pub(crate) id: String,
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) headers: HashMap<String, String>,
    #[serde(default, deserialize_with = "body_text")]
    pub(crate) body: String,
}

fn body_text<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(input)? {
        Value::String(text) => text,
        other => other.to_string(),
    })
}

/// All embedded answers.
#[derive(Debug)]
pub(crate) struct Catalogue {
    scenarios: Vec<(String, Scenario)>,
    errors: Vec<HttpError>,
}

impl Catalogue {
    pub(crate) fn load() -> Self {
        #[derive(Deserialize)]
        struct Http {
            content_type: String,
        }
        #[derive(Deserialize)]
        struct Named {
            name: String,
            http: Http,
            messages: Vec<Step>,
            end: End,
        }
        #[derive(Deserialize)]
        struct Scenarios {
            scenarios: Vec<Named>,
        }
        #[derive(Deserialize)]
        struct Errors {
            errors: Vec<HttpError>,
        }
        let scenarios: Scenarios =
            serde_json::from_str(SCENARIOS).expect("the embedded scenarios are checked by a test");
        let errors: Errors = serde_json::from_str(ERRORS).expect("the embedded errors are checked by a test");
        Self {
            scenarios: scenarios
                .scenarios
                .into_iter()
                .map(|s| (s.name, Scenario { messages: s.messages, end: s.end, content_type: s.http.content_type }))
                .collect(),
            errors: errors.errors,
        }
    }

    pub(crate) fn scenario(&self, name: &str) -> Option<&Scenario> {
        self.scenarios.iter().find(|(n, _)| n == name).map(|(_, s)| s)
    }

    pub(crate) fn error(&self, id: &str) -> Option<&HttpError> {
        self.errors.iter().find(|e| e.id == id)
    }

    pub(crate) fn scenario_names(&self) -> Vec<String> {
        self.scenarios.iter().map(|(n, _)| n.clone()).collect()
    }

    pub(crate) fn error_ids(&self) -> Vec<String> {
        self.errors.iter().map(|e| e.id.clone()).collect()
    }
}
