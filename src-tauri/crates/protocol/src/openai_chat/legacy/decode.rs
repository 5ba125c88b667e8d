//! The request.

use crate::codec::{DecodeError, Delivery, Echo, Inbound, RequestHead};
use crate::conversation::{Block, Conversation, Message, Role};
use crate::openai::session::session;
use crate::openai_chat::decode::{model, read, repeat};
use crate::openai_chat::texts::Texts;
use crate::openai_chat::wire::StreamOptions;
use crate::openai_chat::wishes;
use crate::reading::loose::{Loose, otherwise};
use crate::reading::notes::{Fault, Notes};
use crate::reading::object;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::sync::Arc;

object! {
    /// The body.
    Request {
        "model" => model: String,
        "prompt" => prompt: Prompt,
        "suffix" => suffix: Loose<String>,
        "echo" => echo: bool,
        "best_of" => best_of: u64,
        "n" => n: u64,
        "max_tokens" => max_tokens: u64,
        "stop" => stop: Texts,
        "stream" => stream: bool,
        "stream_options" => stream_options: StreamOptions,
        "temperature" => temperature: f64,
        "top_p" => top_p: f64,
        "prompt_cache_key" => prompt_cache_key: String,
        "logprobs" => logprobs: IgnoredAny,
        "logit_bias" => logit_bias: IgnoredAny,
        "presence_penalty" => presence_penalty: IgnoredAny,
        "frequency_penalty" => frequency_penalty: IgnoredAny,
        "seed" => seed: IgnoredAny,
        "user" => user: IgnoredAny,
    }
}

/// A prompt as clients write it.
#[derive(Debug)]
pub(super) enum Prompt {
    /// A text, or a list of one text.
    Text(String),
    /// Several texts.
    Many,
    /// Numbers of tokens, or something else.
    Other,
}

impl<'de> Deserialize<'de> for Prompt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Prompt;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E>(self, text: &str) -> Result<Prompt, E> {
                Ok(Prompt::Text(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Prompt, A::Error> {
                let prompt = match seq.next_element::<Loose<String>>()? {
                    Some(Loose::Is(text)) => Prompt::Text(text),
                    Some(Loose::Other) | None => Prompt::Other,
                };
                let mut alone = true;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    alone = false;
                }
                Ok(if alone || matches!(prompt, Prompt::Other) { prompt } else { Prompt::Many })
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Prompt, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Prompt::Other)
            }
            otherwise!(Prompt::Other; visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64));
        }
        deserializer.deserialize_any(Any)
    }
}

/// Decodes a body.
pub(in crate::openai_chat) fn decode(head: &RequestHead, body: &[u8]) -> Result<Inbound, DecodeError> {
    let (request, notes) = read::<Request>(body)?;
    Ok(build(head, request, notes)?)
}

fn build(head: &RequestHead, request: Request, mut notes: Notes) -> Result<Inbound, Fault> {
    notes.unknown("", &request.unknown);
    for (present, key) in [
        (request.logprobs.is_some(), "logprobs"),
        (request.logit_bias.is_some(), "logit_bias"),
        (request.presence_penalty.is_some(), "presence_penalty"),
        (request.frequency_penalty.is_some(), "frequency_penalty"),
        (request.seed.is_some(), "seed"),
        (request.user.is_some(), "user"),
    ] {
        if present {
            notes.add("field_ignored", key, "the upstream has no such setting");
        }
    }
    wishes::one_answer(request.n, "n")?;
    wishes::one_answer(request.best_of, "best_of")?;
    if request.echo == Some(true) {
        let message = "The prompt is not repeated in answers here: 'echo' must be false";
        return Err(Fault::unsupported("echo", message));
    }
    if matches!(&request.suffix, Some(Loose::Is(text)) if !text.is_empty()) {
        let message =
            "Text cannot be inserted before a 'suffix' here; put both parts into the prompt and say what to fill in";
        return Err(Fault::unsupported("suffix", message));
    }
    let text = match request.prompt {
        Some(Prompt::Text(text)) if !text.trim().is_empty() => text,
        Some(Prompt::Text(_)) => return Err(Fault::invalid("prompt", "The prompt must not be empty")),
        Some(Prompt::Many) => {
            return Err(Fault::unsupported("prompt", "Only one prompt per request is available here"));
        }
        Some(Prompt::Other) => {
            return Err(Fault::unsupported(
                "prompt",
                "The prompt must be a text; lists of tokens are not available here",
            ));
        }
        None => return Err(Fault::missing("prompt")),
    };
    let limit = (request.max_tokens, "max_tokens");
    let conversation = Conversation {
        model: model(request.model)?,
        messages: vec![Message { role: Role::User, content: vec![Block::Text { text, cache: false }] }],
        sampling: wishes::sampling(limit, request.stop, request.temperature, request.top_p, &mut notes)?,
        session: session(&head.headers, request.prompt_cache_key),
        ..Conversation::default()
    };
    let delivery = if request.stream == Some(true) { Delivery::Stream } else { Delivery::Whole };
    let echo = Echo {
        show_thinking: true,
        repeat: Arc::new(repeat(request.stream_options, &mut notes)),
        ..Echo::new(head, &conversation, delivery)
    };
    Ok(Inbound { conversation, delivery, echo, notices: notes.finish(), keep: None, forgets_signatures: false })
}
