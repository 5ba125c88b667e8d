//! Answers that were kept: read again, deleted. A key sees its own answers only; others' do not exist for it.

use super::answer::{failed, json};
use super::client_api::ClientApi;
use super::converse::Asked;
use super::dialect::Dialect;
use axum::body::Body;
use http::{Response, StatusCode};
use kiro_protocol::failure::{Failure, FailureClass};
use serde_json::{Value, json as object};

/// Items on one page when the client names no number, and the most.
const PAGE: usize = 20;
const MOST: usize = 100;

impl ClientApi {
    pub(super) async fn show_kept(&self, name: &str, asked: &Asked) -> Response<Body> {
        match self.kept.get(&asked.key, name).await {
            Some(kept) => json(StatusCode::OK, &kept["response"]),
            None => missing(asked),
        }
    }

    pub(super) async fn forget_kept(&self, name: &str, asked: &Asked) -> Response<Body> {
        if self.kept.remove(&asked.key, name).await {
            json(StatusCode::OK, &object!({ "id": name, "object": "response", "deleted": true }))
        } else {
            missing(asked)
        }
    }

    pub(super) async fn show_kept_input(&self, name: &str, asked: &Asked) -> Response<Body> {
        match self.kept.get(&asked.key, name).await {
            Some(kept) => json(StatusCode::OK, &items(&kept["input"], asked.parts.uri.query().unwrap_or_default())),
            None => missing(asked),
        }
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

/// A page of items: the newest first unless the client wants it otherwise.
fn items(input: &Value, query: &str) -> Value {
    let (mut limit, mut after, mut ascending) = (PAGE, None, false);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "limit" => limit = value.parse().unwrap_or(PAGE).clamp(1, MOST),
            "after" => after = Some(value.into_owned()),
            "order" => ascending = value == "asc",
            _ => {}
        }
    }
    let mut all: Vec<&Value> = input.as_array().map(|items| items.iter().collect()).unwrap_or_default();
    if !ascending {
        all.reverse();
    }
    let start = after
        .map_or(0, |after| all.iter().position(|item| item["id"] == after.as_str()).map_or(all.len(), |at| at + 1));
    let page: Vec<&Value> = all.iter().skip(start).take(limit).copied().collect();
    object!({
        "object": "list",
        "data": page,
        "first_id": page.first().map(|item| &item["id"]),
        "last_id": page.last().map(|item| &item["id"]),
        "has_more": start + page.len() < all.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_pages_newest_first() {
        let input = object!([{"id": "a"}, {"id": "b"}, {"id": "c"}]);
        let ids = |query: &str| -> (Vec<String>, bool) {
            let page = items(&input, query);
            let ids = page["data"].as_array().expect("a list").iter().map(|item| item["id"].to_string()).collect();
            (ids, page["has_more"] == true)
        };
        assert_eq!(ids(""), (vec!["\"c\"".into(), "\"b\"".into(), "\"a\"".into()], false));
        assert_eq!(ids("order=asc&limit=2"), (vec!["\"a\"".into(), "\"b\"".into()], true));
        assert_eq!(ids("order=asc&limit=2&after=b"), (vec!["\"c\"".into()], false));
        assert_eq!(ids("after=nothing"), (vec![], false));
    }
}
