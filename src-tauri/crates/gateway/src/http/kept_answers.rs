//! Answers that were kept: read again, deleted. A key sees its own answers only; others' do not exist for it.

use super::answer::{failed, json};
use super::client_api::ClientApi;
use super::converse::Asked;
use super::dialect::Dialect;
use super::query;
use axum::body::Body;
use http::{Response, StatusCode};
use kiro_protocol::failure::{Failure, FailureClass};
use kiro_protocol::openai_responses::OpenAiResponses;

impl ClientApi {
    pub(super) async fn show_kept(&self, name: &str, asked: &Asked) -> Response<Body> {
        match self.kept.get(&asked.key, name).await {
            Some(kept) => json(StatusCode::OK, &OpenAiResponses::stored_response(&kept)),
            None => missing(asked),
        }
    }

    pub(super) async fn forget_kept(&self, name: &str, asked: &Asked) -> Response<Body> {
        if self.kept.remove(&asked.key, name).await {
            json(StatusCode::OK, &OpenAiResponses::deleted(name))
        } else {
            missing(asked)
        }
    }

    pub(super) async fn show_kept_input(&self, name: &str, asked: &Asked) -> Response<Body> {
        let Some(kept) = self.kept.get(&asked.key, name).await else { return missing(asked) };
        let query = asked.parts.uri.query().unwrap_or_default();
        json(StatusCode::OK, &OpenAiResponses::input_items(&kept, &query::page(query), query::is_ascending(query)))
    }

    pub(super) async fn cancel_kept(&self, name: &str, asked: &Asked) -> Response<Body> {
        if self.kept.get(&asked.key, name).await.is_none() {
            return missing(asked);
        }
        let words = "only an answer that is made in the background can be cancelled, and there are none here: close the \
                     connection to stop an answer";
        failed(
            Dialect::OpenAi.words(),
            &Failure::new(FailureClass::InvalidRequest, "not_in_background", words),
            &asked.id,
        )
    }
}

fn missing(asked: &Asked) -> Response<Body> {
    let words = "there is no such response: it was not stored, was deleted, is too old, or belongs to another key";
    failed(Dialect::OpenAi.words(), &Failure::new(FailureClass::NotFound, "response_not_found", words), &asked.id)
}
