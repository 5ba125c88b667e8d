//! Event-stream messages, written only by AWS's own encoder, so that a mistake of ours cannot hide on both sides.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One message of an answer before it becomes bytes; the JSON form is that of `stream-scenarios.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "message_type", rename_all = "camelCase", rename_all_fields = "snake_case")]
pub enum StreamMessage {
    /// An event with its type and JSON payload.
    Event {
        /// `:event-type`
        event_type: String,
        /// JSON body.
        payload: Value,
    },
    /// A modelled error inside the stream.
    Exception {
        /// `:exception-type`
        exception_type: String,
        /// JSON body `{message, reason?}`.
        payload: Value,
    },
    /// An unmodelled error inside the stream.
    Error {
        /// `:error-code`
        error_code: String,
        /// `:error-message`
        error_message: String,
    },
}

impl StreamMessage {
    /// An event message.
    pub fn event(event_type: &str, payload: Value) -> Self {
        Self::Event { event_type: event_type.to_owned(), payload }
    }

    /// An exception message.
    pub fn exception(exception_type: &str, payload: Value) -> Self {
        Self::Exception { exception_type: exception_type.to_owned(), payload }
    }

    /// The message as event-stream bytes with correct checksums.
    pub fn to_bytes(&self) -> Bytes {
        let text = |name: &'static str, value: &str| Header::new(name, HeaderValue::String(value.to_owned().into()));
        let (headers, payload) = match self {
            Self::Event { event_type, payload } => (
                vec![
                    text(":event-type", event_type),
                    text(":content-type", "application/json"),
                    text(":message-type", "event"),
                ],
                payload.to_string(),
            ),
            Self::Exception { exception_type, payload } => (
                vec![
                    text(":exception-type", exception_type),
                    text(":content-type", "application/json"),
                    text(":message-type", "exception"),
                ],
                payload.to_string(),
            ),
            Self::Error { error_code, error_message } => (
                vec![
                    text(":error-code", error_code),
                    text(":error-message", error_message),
                    text(":message-type", "error"),
                ],
                String::new(),
            ),
        };
        let mut bytes = Vec::with_capacity(payload.len() + 128);
        let message = Message::new_from_parts(headers, Bytes::from(payload));
        write_message_to(&message, &mut bytes)
            .expect("headers and payloads of the stand-in are far below the format's limits");
        Bytes::from(bytes)
    }
}
