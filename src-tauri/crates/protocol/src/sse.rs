//! Server-sent events: a writer straight into one buffer (WHATWG HTML, section 9.2).

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Serialize;

/// Writes frames one after the other into one growing buffer; [`SseWriter::take`] hands out what is there.
#[derive(Debug, Default)]
pub struct SseWriter {
    buffer: BytesMut,
}

impl SseWriter {
    /// Writes `event: <name>` (when given) and `data: <json>` with the space that some clients insist on.
    ///
    /// JSON text has no raw line breaks, so one `data:` line is enough.
    pub fn json<T: Serialize + ?Sized>(&mut self, event: Option<&str>, data: &T) {
        if let Some(name) = event {
            self.buffer.put_slice(b"event: ");
            self.buffer.put_slice(name.as_bytes());
            self.buffer.put_u8(b'\n');
        }
        self.buffer.put_slice(b"data: ");
        serde_json::to_writer((&mut self.buffer).writer(), data).expect("event types always serialize");
        self.buffer.put_slice(b"\n\n");
    }

    /// Writes a literal `data:` line, e.g. `[DONE]`. The text must not contain line breaks.
    pub fn data(&mut self, text: &str) {
        self.buffer.put_slice(b"data: ");
        self.buffer.put_slice(text.as_bytes());
        self.buffer.put_slice(b"\n\n");
    }

    /// Writes a comment line, which clients ignore (not all do: never for Gemini).
    pub fn comment(&mut self, text: &str) {
        self.buffer.put_slice(b": ");
        self.buffer.put_slice(text.as_bytes());
        self.buffer.put_slice(b"\n\n");
    }

    /// Writes bytes as they are, for streams that are not server-sent events.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buffer.put_slice(bytes);
    }

    /// Writes a value as JSON text, without any frame.
    pub fn raw_json<T: Serialize + ?Sized>(&mut self, data: &T) {
        serde_json::to_writer((&mut self.buffer).writer(), data).expect("event types always serialize");
    }

    /// True when nothing waits to be taken.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Bytes that wait to be taken.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Hands out everything written so far; the buffer's capacity is reused where possible.
    pub fn take(&mut self) -> Bytes {
        self.buffer.split().freeze()
    }
}
