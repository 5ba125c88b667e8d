//! The whole request into a [`Conversation`].

use super::messages::Reader;
use super::wire::{Request, StreamOptions};
use super::{tools, wishes};
use crate::codec::{DecodeError, Delivery, Echo, Inbound, RequestHead};
use crate::conversation::{Conversation, JsonObject};
use crate::openai::session::session;
use crate::reading;
use crate::reading::notes::{Fault, Notes};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::sync::Arc;

/// [`Echo::repeat`]: the client wants a chunk with the usage at the end of the stream.
pub(super) const INCLUDE_USAGE: &str = "include_usage";
/// [`Echo::repeat`]: the client declared `functions` and knows no `tool_calls`.
pub(super) const LEGACY_FUNCTIONS: &str = "legacy_functions";

/// Decodes a body.
pub(super) fn decode(head: &RequestHead, body: &[u8]) -> Result<Inbound, DecodeError> {
    let (request, notes) = read(body)?;
    Ok(build(head, request, notes)?)
}

/// Reads a body, and notices when it had to be repaired.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<(T, Notes), DecodeError> {
    let (request, repaired) = reading::parse::<T>(body)?;
    let mut notes = Notes::default();
    if repaired {
        notes.add("lone_surrogate_replaced", "", "half a character (a lone surrogate) was replaced by U+FFFD");
    }
    Ok((request, notes))
}

/// The name of the model.
pub(super) fn model(name: Option<String>) -> Result<String, Fault> {
    let name = name.ok_or_else(|| Fault::missing("model"))?;
    if name.trim().is_empty() {
        return Err(Fault::invalid("model", "String should have at least 1 character"));
    }
    Ok(name)
}

/// What both kinds of completions repeat of `stream_options`.
pub(super) fn repeat(options: Option<StreamOptions>, notes: &mut Notes) -> JsonObject {
    let options = options.unwrap_or_default();
    notes.unknown("stream_options", &options.unknown);
    let mut repeat = JsonObject::new();
    if options.include_usage == Some(true) {
        repeat.insert(INCLUDE_USAGE.to_owned(), json!(true));
    }
    repeat
}

fn build(head: &RequestHead, mut request: Request, mut notes: Notes) -> Result<Inbound, Fault> {
    notes.unknown("", &request.unknown);
    wishes::ignored(&request, &mut notes);
    wishes::one_answer(request.n, "n")?;
    wishes::modalities(request.modalities.take())?;

    let mut conversation = Conversation { model: model(request.model.take())?, ..Conversation::default() };
    // The newer name of the limit counts when both are there.
    let limit = match request.max_completion_tokens {
        Some(limit) => (Some(limit), "max_completion_tokens"),
        None => (request.max_tokens, "max_tokens"),
    };
    conversation.sampling =
        wishes::sampling(limit, request.stop.take(), request.temperature, request.top_p, &mut notes)?;

    let messages = request.messages.take().ok_or_else(|| Fault::missing("messages"))?.within("messages")?;
    let mut reader = Reader::new(&mut conversation, &mut notes);
    for (index, item) in messages.into_iter().enumerate() {
        reader.message(index, item)?;
    }
    reader.finish()?;

    let mut forms = tools::Forms::new();
    let knows_tools = request.tools.is_some();
    if let Some(declared) = request.tools.take() {
        tools::declare(declared.within("tools")?, &mut conversation, &mut forms, &mut notes)?;
    }
    let mut repeat = repeat(request.stream_options.take(), &mut notes);
    if let Some(declared) = request.functions.take() {
        tools::functions(declared.within("functions")?, &mut conversation, &mut notes)?;
        if !knows_tools {
            // An answer of the legacy form has room for one call.
            conversation.parallel_tools = Some(false);
            repeat.insert(LEGACY_FUNCTIONS.to_owned(), json!(true));
        }
    }
    if let Some(options) = request.web_search_options.take() {
        tools::search(Some(options), "web_search_options", &mut conversation, &mut notes);
    }
    if let Some(choice) = request.tool_choice.take() {
        tools::choose(choice, "tool_choice", &mut conversation, &mut notes)?;
    }
    if let Some(choice) = request.function_call.take() {
        tools::choose(choice, "function_call", &mut conversation, &mut notes)?;
    }
    conversation.parallel_tools = request.parallel_tool_calls.or(conversation.parallel_tools);
    if let Some(format) = request.response_format.take() {
        conversation.output_format = wishes::response_format(format, &mut notes)?;
    }
    let show_thinking = wishes::reasoning(&mut request, &mut conversation, &mut notes);
    conversation.session = session(&head.headers, request.prompt_cache_key.take());

    let delivery = if request.stream == Some(true) { Delivery::Stream } else { Delivery::Whole };
    let echo = Echo {
        show_thinking,
        tools: Arc::new(forms),
        repeat: Arc::new(repeat),
        ..Echo::new(head, &conversation, delivery)
    };
    Ok(Inbound { conversation, delivery, echo, notices: notes.finish(), keep: None, forgets_signatures: true })
}
