//! The list of models: the cheapest question there is, so that the check of an idle account asks it, too. Two hosts know it
//! (kiro-upstream §1.2, §9.1); the one that answered an account is asked first the next time.

use super::{Kiro, MAX_LIST, MAX_PAGES, answered, capped, checked, not_sent};
use crate::account::{AccessToken, Account, AccountId};
use crate::upstream::classify::{Kind, UpstreamError};
use crate::upstream::endpoint::{self, Rung};
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

/// Which host listed an account's models last.
#[derive(Debug, Default)]
pub(super) struct Learned(Mutex<HashMap<AccountId, String>>);

impl Kiro {
    /// Asks the likelier host, and the other one when that one says nothing about models at all.
    pub(super) async fn list_models(
        &self,
        account: &Account,
        token: &AccessToken,
    ) -> Result<Vec<UpstreamModel>, UpstreamError> {
        let mut rungs = endpoint::control_planes(account);
        {
            let learned = self.lists.0.lock().unwrap_or_else(PoisonError::into_inner);
            let known = learned.get(&account.id);
            rungs.sort_by_key(|rung| known != Some(&rung.host));
        }
        let mut first: Option<UpstreamError> = None;
        for rung in &rungs {
            match self.models_at(account, token, rung).await {
                Ok(models) => {
                    let mut learned = self.lists.0.lock().unwrap_or_else(PoisonError::into_inner);
                    learned.insert(account.id.clone(), rung.host.clone());
                    return Ok(models);
                }
                Err(error) if is_about_the_host(error.kind) => {
                    // The likelier host's refusal says most about the account.
                    first.get_or_insert(error);
                }
                Err(error) => return Err(first.unwrap_or(error)),
            }
        }
        Err(first.unwrap_or_else(|| UpstreamError::local(Kind::NotSent, "there is no host to ask for models")))
    }

    async fn models_at(
        &self,
        account: &Account,
        token: &AccessToken,
        rung: &Rung,
    ) -> Result<Vec<UpstreamModel>, UpstreamError> {
        let mut models: Vec<UpstreamModel> = Vec::new();
        let mut page: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let request = self.models_page(account, token, rung, page.as_deref()).await?;
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
        rung: &Rung,
        page: Option<&str>,
    ) -> Result<RequestBuilder, UpstreamError> {
        let route = Route::of(account);
        let mut headers = self.plain_headers(account, token, 1)?;
        if !endpoint::is_management(&rung.host) {
            let path = list_path(rung.profile_arn.as_deref(), page);
            let request = self.http.request(&route, Method::GET, &rung.host, &path).await.map_err(not_sent)?;
            return Ok(request.headers(headers));
        }
        checked(&mut headers, "content-type", "application/x-amz-json-1.0")?;
        checked(&mut headers, "x-amz-target", TARGET)?;
        let mut question = json!({"origin": "AI_EDITOR", "maxResults": PAGE});
        for (name, value) in [("profileArn", rung.profile_arn.as_deref()), ("nextToken", page)] {
            if let Some(value) = value {
                question[name] = value.into();
            }
        }
        let request = self.http.request(&route, Method::POST, &rung.host, "/").await.map_err(not_sent)?;
        Ok(request.headers(headers).body(question.to_string()))
    }
}

/// Whether another host may answer what this one did not.
fn is_about_the_host(kind: Kind) -> bool {
    match kind {
        Kind::WrongRung | Kind::Forbidden | Kind::NoSuchPath | Kind::Transport => true,
        Kind::Malformed
        | Kind::Invalid
        | Kind::ContextTooLong
        | Kind::UnknownModel
        | Kind::ConversationId
        | Kind::ReasoningSignature
        | Kind::FieldsUnsupported
        | Kind::TokenRejected
        | Kind::Suspended
        | Kind::Gate
        | Kind::Organisation
        | Kind::MonthlyQuota
        | Kind::DailyQuota
        | Kind::Throttled
        | Kind::RiskControl
        | Kind::ModelBusy
        | Kind::Unavailable
        | Kind::ServerError
        | Kind::GaveUp
        | Kind::Blocked
        | Kind::TimedOut
        | Kind::Truncated
        | Kind::Corrupt
        | Kind::BrokenToolCall
        | Kind::Empty
        | Kind::ProxyDown
        | Kind::NotSent => false,
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
