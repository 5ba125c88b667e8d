//! Items of work: calls of tools, whose arguments are told as they come, and searches that are run here.

use super::super::live_text::LiveText;
use super::super::output;
use super::frame::Frame;
use super::{Open, ResponsesEncoder};
use crate::codec::ToolKind;
use crate::conversation::JsonObject;
use crate::event::{SearchHit, parse_tool_input};
use crate::sse::SseWriter;
use serde_json::Value;

impl ResponsesEncoder {
    pub(super) fn begin_call(&mut self, call_id: &str, name: &str, out: &mut SseWriter) {
        let form = self.echo.tools.get(name).cloned();
        let form = form.as_ref();
        let open = Open::Call {
            call_id: call_id.to_owned(),
            name: name.to_owned(),
            arguments: String::new(),
            text: LiveText::default(),
        };
        let item = |id: &str| output::call(id, call_id, name, form, JsonObject::new(), "in_progress");
        self.add(output::call_prefix(form), item, open, out);
    }

    fn kind(&self, name: &str) -> ToolKind {
        self.echo.tools.get(name).map_or(ToolKind::Function, |form| form.kind)
    }

    pub(super) fn input(&mut self, piece: &str, out: &mut SseWriter) {
        let Open::Call { name, arguments, text, .. } = &mut self.open else { return };
        arguments.push_str(piece);
        match self.echo.tools.get(name).map_or(ToolKind::Function, |form| form.kind) {
            ToolKind::Function => {
                let frame = Frame { delta: Some(piece), ..Frame::default() };
                self.about("response.function_call_arguments.delta", frame, out);
            }
            ToolKind::Freeform => {
                let mut plain = String::new();
                text.push(piece, &mut plain);
                if !plain.is_empty() {
                    let frame = Frame { delta: Some(&plain), ..Frame::default() };
                    self.about("response.custom_tool_call_input.delta", frame, out);
                }
            }
            // The API has no deltas for these.
            ToolKind::LocalShell | ToolKind::ToolSearch => {}
        }
    }

    /// A call whose arguments are no object stays open: the answer then has no right end.
    pub(super) fn end_call(&mut self, out: &mut SseWriter) {
        let Open::Call { arguments, .. } = &self.open else { return };
        let Some(input) = parse_tool_input(arguments) else { return };
        let Open::Call { call_id, name, arguments, text } = std::mem::replace(&mut self.open, Open::None) else {
            return;
        };
        let item = output::call(&self.id, &call_id, &name, self.echo.tools.get(&name), input, "completed");
        let field = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default();
        match self.kind(&name) {
            ToolKind::Function => {
                // Clients that join the deltas need them, so a call without arguments still says `{}`.
                if arguments.trim().is_empty() {
                    let frame = Frame { delta: Some("{}"), ..Frame::default() };
                    self.about("response.function_call_arguments.delta", frame, out);
                }
                let frame =
                    Frame { name: Some(field("name")), arguments: Some(field("arguments")), ..Frame::default() };
                self.about("response.function_call_arguments.done", frame, out);
            }
            ToolKind::Freeform => {
                let rest = text.rest(field("input"));
                if !rest.is_empty() {
                    let frame = Frame { delta: Some(rest), ..Frame::default() };
                    self.about("response.custom_tool_call_input.delta", frame, out);
                }
                let frame = Frame { input: Some(field("input")), ..Frame::default() };
                self.about("response.custom_tool_call_input.done", frame, out);
            }
            ToolKind::LocalShell | ToolKind::ToolSearch => {}
        }
        self.done(item, out);
    }

    pub(super) fn begin_search(&mut self, query: &str, out: &mut SseWriter) {
        let open = Open::Search { query: query.to_owned() };
        self.add("ws", |id| output::search_begun(id, query, "in_progress"), open, out);
        self.about("response.web_search_call.in_progress", Frame::default(), out);
        self.about("response.web_search_call.searching", Frame::default(), out);
    }

    pub(super) fn end_search(&mut self, outcome: &Result<Vec<SearchHit>, &'static str>, out: &mut SseWriter) {
        if !matches!(self.open, Open::Search { .. }) {
            self.begin_search("", out);
        }
        let Open::Search { query } = std::mem::replace(&mut self.open, Open::None) else { return };
        self.hits.extend(outcome.iter().flatten().cloned());
        if outcome.is_ok() {
            self.about("response.web_search_call.completed", Frame::default(), out);
        }
        let item = output::search(&self.id, &query, outcome, self.view);
        self.done(item, out);
    }
}
