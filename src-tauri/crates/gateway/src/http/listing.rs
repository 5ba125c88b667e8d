//! Lists of models, in the words of whoever asks.

use super::answer::{failed, json};
use super::client_api::ClientApi;
use super::converse::Asked;
use super::dialect::Dialect;
use super::query;
use crate::catalog::Names;
use axum::body::Body;
use http::{Response, StatusCode};
use kiro_protocol::anthropic::AnthropicMessages;
use kiro_protocol::codec::{ModelCard, PageQuery, Protocol};
use kiro_protocol::failure::{Failure, FailureClass};
use kiro_protocol::gemini::Gemini;
use kiro_protocol::openai_responses::OpenAiResponses;
use serde_json::Value;
use std::borrow::Cow;

impl ClientApi {
    pub(super) fn models(&self, dialect: Dialect, asked: &Asked) -> Response<Body> {
        let page = query::page(asked.parts.uri.query().unwrap_or_default());
        let aliases = self.settings.snapshot().settings.models.list_aliases;
        let cards = self.pipeline.catalog.cards(&self.pipeline.pool(), aliases, self.now());
        json(StatusCode::OK, &list(dialect)(&cards, &page))
    }

    pub(super) fn model(&self, dialect: Dialect, name: &str, asked: &Asked) -> Response<Body> {
        let name = &*percent_decoded(name);
        let (settings, options) = (self.settings.snapshot().settings, self.keys.options(&asked.key));
        match self.pipeline.catalog.card(name, &Names::new(&settings, &options), &self.pipeline.pool(), self.now()) {
            Some(found) => json(StatusCode::OK, &card(dialect)(&found)),
            None => {
                let shown: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
                let failure = Failure::new(FailureClass::NotFound, "unknown_model", format!("model: {shown}"));
                failed(dialect.words(), &failure, &asked.id)
            }
        }
    }
}

fn list(dialect: Dialect) -> fn(&[ModelCard], &PageQuery) -> Value {
    match dialect {
        Dialect::Anthropic => AnthropicMessages::encode_models,
        Dialect::OpenAi => OpenAiResponses::encode_models,
        Dialect::Gemini => Gemini::encode_models,
    }
}

fn card(dialect: Dialect) -> fn(&ModelCard) -> Value {
    match dialect {
        Dialect::Anthropic => AnthropicMessages::encode_model,
        Dialect::OpenAi => OpenAiResponses::encode_model,
        Dialect::Gemini => Gemini::encode_model,
    }
}

/// A piece of a path as it was meant: SDKs escape what a model's name may hold, such as `:` and `[`.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_name_is_read_as_it_was_meant() {
        for (path, name) in
            [("a%2Eb", "a.b"), ("claude%3A1%5B1m%5D", "claude:1[1m]"), ("a+b", "a+b"), ("%ff", "\u{fffd}")]
        {
            assert_eq!(percent_decoded(path), name);
        }
    }
}
