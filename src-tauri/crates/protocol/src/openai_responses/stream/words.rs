//! Items of words: messages and reasoning.

use super::super::output;
use super::frame::Frame;
use super::{Open, ResponsesEncoder};
use crate::sse::SseWriter;
use serde_json::json;

impl ResponsesEncoder {
    pub(super) fn text(&mut self, piece: &str, out: &mut SseWriter) {
        if !matches!(self.open, Open::Message { .. }) {
            let open = Open::Message { text: String::new() };
            self.add("msg", |id| output::message(id, Vec::new(), "in_progress"), open, out);
            let part = output::text_part("", Vec::new());
            let frame = Frame { content_index: Some(0), part: Some(&part), ..Frame::default() };
            self.about("response.content_part.added", frame, out);
        }
        if let Open::Message { text } = &mut self.open {
            text.push_str(piece);
        }
        let frame = Frame { content_index: Some(0), delta: Some(piece), logprobs: Some([]), ..Frame::default() };
        self.about("response.output_text.delta", frame, out);
    }

    pub(super) fn begin_reasoning(&mut self, out: &mut SseWriter) {
        let open = Open::Reasoning { text: String::new(), signature: None };
        self.add("rs", |id| json!({ "id": id, "type": "reasoning", "summary": [] }), open, out);
    }

    pub(super) fn thinking(&mut self, piece: &str, out: &mut SseWriter) {
        if !matches!(self.open, Open::Reasoning { signature: None, .. }) {
            self.begin_reasoning(out);
        }
        let Open::Reasoning { text, .. } = &mut self.open else { return };
        let first = text.is_empty();
        text.push_str(piece);
        if self.view.summary {
            if first {
                let part = output::summary_part("");
                let frame = Frame { summary_index: Some(0), part: Some(&part), ..Frame::default() };
                self.about("response.reasoning_summary_part.added", frame, out);
            }
            let frame = Frame { summary_index: Some(0), delta: Some(piece), ..Frame::default() };
            self.about("response.reasoning_summary_text.delta", frame, out);
        }
    }

    pub(super) fn signature(&mut self, piece: &str, out: &mut SseWriter) {
        if !matches!(self.open, Open::Reasoning { .. }) {
            self.begin_reasoning(out);
        }
        if let Open::Reasoning { signature, .. } = &mut self.open {
            signature.get_or_insert_default().push_str(piece);
        }
    }

    pub(super) fn redacted(&mut self, data: &str, out: &mut SseWriter) {
        if !self.view.encrypted {
            // Not shown, but it parts the reasoning before it from the reasoning after it.
            if matches!(self.open, Open::Reasoning { .. }) {
                self.close("completed", out);
            }
            return;
        }
        self.add("rs", |id| json!({ "id": id, "type": "reasoning", "summary": [] }), Open::None, out);
        let item = output::redacted(&self.id, data);
        self.done(item, out);
    }

    pub(super) fn end_message(&mut self, text: &str, status: &'static str, out: &mut SseWriter) {
        let annotations = output::citations(text, &self.hits);
        for (index, annotation) in annotations.iter().enumerate() {
            let frame = Frame {
                content_index: Some(0),
                annotation_index: Some(index),
                annotation: Some(annotation),
                ..Frame::default()
            };
            self.about("response.output_text.annotation.added", frame, out);
        }
        let frame = Frame { content_index: Some(0), text: Some(text), logprobs: Some([]), ..Frame::default() };
        self.about("response.output_text.done", frame, out);
        let part = output::text_part(text, annotations);
        let frame = Frame { content_index: Some(0), part: Some(&part), ..Frame::default() };
        self.about("response.content_part.done", frame, out);
        let item = output::message(&self.id, vec![part], status);
        self.done(item, out);
    }

    pub(super) fn end_reasoning(&mut self, text: &str, signature: Option<&str>, out: &mut SseWriter) {
        if self.view.summary && !text.is_empty() {
            let frame = Frame { summary_index: Some(0), text: Some(text), ..Frame::default() };
            self.about("response.reasoning_summary_text.done", frame, out);
            let part = output::summary_part(text);
            let frame = Frame { summary_index: Some(0), part: Some(&part), ..Frame::default() };
            self.about("response.reasoning_summary_part.done", frame, out);
        }
        let item = output::reasoning(&self.id, text, signature, self.view);
        self.done(item, out);
    }
}
