//! The list of models: the cheapest question there is, so that the check of an idle account asks it, too. Several hosts
//! may know it (kiro-upstream §1.2, §9.1); the place that answered an account is asked first the next time.

use super::places::{Next, Place, places};
use super::{Kiro, MAX_LIST, MAX_PAGES, answered, capped, checked, not_sent};
use crate::account::{AccessToken, Account, AccountId};
use crate::upstream::classify::{Kind, UpstreamError};
use crate::upstream::endpoint;
use crate::upstream::http::Route;
use crate::upstream::{Caching, UpstreamModel};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Names the operation where the path cannot.
const TARGET: &str = "KiroControlPlaneBearerService.ListAvailableModels";
/// Models on one page.
const PAGE: u32 = 50;
/// Cache marks that a model takes when the list does not say.
const USUAL_POINTS: usize = 4;
/// Tokens before a cache mark when the list does not say.
const USUAL_MINIMUM: u64 = 1024;

/// Which place listed an account's models last.
#[derive(Debug, Default)]
pub(super) struct Learned(Mutex<HashMap<AccountId, Place>>);

impl Learned {
    pub(super) fn get(&self, account: &AccountId) -> Option<Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(account).cloned()
    }

    pub(super) fn put(&self, account: &AccountId, place: &Place) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(account.clone(), place.clone());
    }

    pub(super) fn forget(&self, account: &AccountId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(account);
    }
}

impl Kiro {
    /// Asks where the list is likeliest to be, then wherever the refusals leave hope.
    pub(super) async fn list_models(
        &self,
        account: &Account,
        token: &AccessToken,
    ) -> Result<Vec<UpstreamModel>, UpstreamError> {
        let mut places = places(account);
        let known = self.lists.get(&account.id);
        places.sort_by_key(|place| known.as_ref() != Some(place));
        let (mut at, mut first) = (0, None);
        loop {
            let error = match self.models_at(account, token, &places[at]).await {
                Ok(models) => {
                    self.lists.put(&account.id, &places[at]);
                    return Ok(models);
                }
                Err(error) => error,
            };
            let next = Next::after(error.kind).place(&places, at);
            // The likeliest place's refusal says most about the account.
            let first: &mut UpstreamError = first.get_or_insert(error);
            match next {
                Some(next) => at = next,
                None => return Err(first.clone()),
            }
        }
    }

    async fn models_at(
        &self,
        account: &Account,
        token: &AccessToken,
        place: &Place,
    ) -> Result<Vec<UpstreamModel>, UpstreamError> {
        let mut models: Vec<UpstreamModel> = Vec::new();
        let mut page: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let request = self.models_page(account, token, place, page.as_deref()).await?;
            let body = capped(answered(account, request).await?, MAX_LIST).await;
            let list: ModelPage = serde_json::from_slice(&body).map_err(|error| {
                UpstreamError::local(Kind::Corrupt, format!("the list of models cannot be read: {error}"))
            })?;
            models.extend(list.models.into_iter().map(ListedModel::into_model));
            // A token that comes again would loop for ever.
            if list.next_token.is_none() || list.next_token == page {
                break;
            }
            page = list.next_token;
        }
        models.dedup_by(|a, b| a.id == b.id);
        Ok(models)
    }

    async fn models_page(
        &self,
        account: &Account,
        token: &AccessToken,
        place: &Place,
        page: Option<&str>,
    ) -> Result<RequestBuilder, UpstreamError> {
        let route = Route::of(account);
        let mut headers = self.plain_headers(account, token, 1)?;
        if !endpoint::is_management(&place.host) {
            let path = list_path(place.arn.as_deref(), page);
            let request = self.http.request(&route, Method::GET, &place.host, &path).await.map_err(not_sent)?;
            return Ok(request.headers(headers));
        }
        checked(&mut headers, "content-type", "application/x-amz-json-1.0")?;
        checked(&mut headers, "x-amz-target", TARGET)?;
        let mut question = json!({"origin": "AI_EDITOR", "maxResults": PAGE});
        for (name, value) in [("profileArn", place.arn.as_deref()), ("nextToken", page)] {
            if let Some(value) = value {
                question[name] = value.into();
            }
        }
        let request = self.http.request(&route, Method::POST, &place.host, "/").await.map_err(not_sent)?;
        Ok(request.headers(headers).body(question.to_string()))
    }
}

fn list_path(profile_arn: Option<&str>, page: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("origin", "AI_EDITOR").append_pair("maxResults", &PAGE.to_string());
    for (name, value) in [("profileArn", profile_arn), ("nextToken", page)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    format!("/ListAvailableModels?{}", query.finish())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModelPage {
    #[serde(default)]
    models: Vec<ListedModel>,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedModel {
    model_id: String,
    #[serde(default)]
    model_name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    rate_multiplier: Option<f64>,
    #[serde(default)]
    token_limits: Option<TokenLimits>,
    #[serde(default)]
    supported_input_types: Option<Vec<String>>,
    #[serde(default)]
    prompt_caching: Option<PromptCaching>,
    #[serde(default)]
    additional_model_request_fields_schema: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenLimits {
    #[serde(default)]
    max_input_tokens: Option<u64>,
    #[serde(default)]
    max_output_tokens: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PromptCaching {
    supports_prompt_caching: bool,
    minimum_tokens_per_cache_checkpoint: Option<u64>,
    maximum_cache_checkpoints_per_request: Option<usize>,
}

impl PromptCaching {
    fn rules(self) -> Caching {
        if !self.supports_prompt_caching {
            return Caching::default();
        }
        Caching {
            points: self.maximum_cache_checkpoints_per_request.unwrap_or(USUAL_POINTS),
            minimum: self.minimum_tokens_per_cache_checkpoint.unwrap_or(USUAL_MINIMUM),
        }
    }
}

impl ListedModel {
    fn into_model(self) -> UpstreamModel {
        let limits = self.token_limits;
        let inputs = self.supported_input_types;
        let takes =
            |kind: &str| inputs.as_ref().map(|kinds| kinds.iter().any(|known| known.eq_ignore_ascii_case(kind)));
        UpstreamModel {
            name: self.model_name.unwrap_or_else(|| self.model_id.clone()),
            id: self.model_id,
            window: limits.as_ref().and_then(|limits| limits.max_input_tokens),
            max_output: limits.and_then(|limits| limits.max_output_tokens),
            // Without a word on it, images are tried rather than dropped.
            images: takes("IMAGE").unwrap_or(true),
            // Documents have another way: their text.
            documents: takes("DOCUMENT").unwrap_or(false),
            caching: self.prompt_caching.unwrap_or_default().rules(),
            description: self.description.filter(|text| !text.is_empty()),
            multiplier: self.rate_multiplier,
            fields_schema: self.additional_model_request_fields_schema.filter(|schema| !schema.is_null()),
        }
    }
}
