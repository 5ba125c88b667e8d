//! An account typed in by hand, tried once before it is saved.

use super::accounts::{changed, view};
use super::extract::Body;
use super::transfer::{ImportResult, add, context};
use crate::account::{AccountWarning, AuthMethod, NewAccount};
use crate::error::{Problem, ProblemCode};
use crate::transfer::{Typed, typed};
use crate::upstream::identity::IdentityError;
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use std::time::Duration;
use utoipa::ToSchema;

/// An access token without a word about its end lives this long.
const USUAL_LIFE: Duration = Duration::from_secs(3600);

/// How long the answer waits for what the service says about the account.
const PATIENCE: Duration = Duration::from_secs(20);

/// A login as a person types it.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ManualAccount {
    /// Its name for people.
    #[serde(default)]
    label: Option<String>,
    /// An access token that may still be good; a new one is bought in any case.
    #[serde(default)]
    access_token: Option<String>,
    /// The refresh token, or a `ksk_` key.
    refresh_token: String,
    /// The sign-in method in the words of any program; guessed from the other fields when absent.
    #[serde(default)]
    method: Option<String>,
    /// Region of the identity instance, or of the key.
    #[serde(default)]
    region: Option<String>,
    /// The registered client of an AWS sign-in.
    #[serde(default)]
    client_id: Option<String>,
    /// Its secret.
    #[serde(default)]
    client_secret: Option<String>,
}

/// Adds one account from typed text. The token is exchanged once first: what the service does not accept is not saved.
#[utoipa::path(post, path = "/api/accounts/manual", operation_id = "addManualAccount", request_body = ManualAccount,
    responses((status = 200, body = ImportResult), (status = 422, body = Problem), (status = 502, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn add_manual(
    State(gateway): State<Gateway>,
    Body(request): Body<ManualAccount>,
) -> Result<Json<ImportResult>, Problem> {
    let mut result = ImportResult::default();
    let parts = &gateway.parts;
    let words = Typed {
        label: request.label,
        access_token: request.access_token,
        refresh_token: request.refresh_token,
        method: request.method,
        region: request.region,
        client_id: request.client_id,
        client_secret: request.client_secret,
    };
    let new = match typed(words, &context(&gateway)) {
        Ok(new) => new,
        Err(rejected) => {
            result.rejected.push(rejected.into());
            return Ok(Json(result));
        }
    };
    // Exchanging the token of an account that is here already would take it away from where it is in use.
    if let Some(known) = parts.book.known(&new.account).filter(|known| known.stopped.is_none()) {
        result.duplicates.push(known.id.clone());
        return Ok(Json(result));
    }
    let new = match new.account.method {
        // A key is exchanged for nothing; the first question shows whether it is accepted.
        AuthMethod::ApiKey => new,
        AuthMethod::Social | AuthMethod::Idc | AuthMethod::ExternalIdp => tried(&gateway, new).await?,
    };
    add(&gateway, new, &mut result).await?;
    if let Some(added) = result.imported.first_mut() {
        // Somebody waits for it and wants to see that it works; what cannot be found out now is no reason to refuse it.
        let looked = parts.inspector.inspect(&added.id);
        if let Ok(Err(problem)) = tokio::time::timeout(PATIENCE, looked).await {
            tracing::warn!(account = %added.id, %problem, "the new account could not be looked at");
        }
        if let Some(account) = parts.book.roster.get(&added.id) {
            *added = view(&gateway, &account);
        }
    }
    changed(&gateway);
    Ok(Json(result))
}

/// Exchanges the refresh token once and keeps what came back.
async fn tried(gateway: &Gateway, mut new: NewAccount) -> Result<NewAccount, Problem> {
    let parts = &gateway.parts;
    // The exchange can use the token up: what comes back must find a place.
    parts.book.credentials.probe().await.map_err(|error| {
        Problem::new(ProblemCode::StoreUnavailable, error.to_string())
            .action(error.action())
            .param("reason", error.code())
    })?;
    let refreshed = parts.identity.refresh(&new.account, &new.secrets).await.map_err(|error| match error {
        IdentityError::Dead(reason) | IdentityError::Rejected(reason) => {
            Problem::new(ProblemCode::LoginRefused, format!("the service does not accept this login: {reason}"))
                .action("Copy the tokens again from the program they come from, whole, and check method and region.")
                .param("reason", reason)
        }
        IdentityError::Unanswered(message) => Problem::new(ProblemCode::UpstreamFailed, message)
            .action("Try again. If the token is refused then, it was used up by this attempt: sign in again."),
        IdentityError::Transient { message, .. } => {
            Problem::new(ProblemCode::UpstreamFailed, message).action("Try again in a moment. Nothing was saved.")
        }
    })?;
    if refreshed.refresh_token.is_some() {
        new.secrets.refresh_token = refreshed.refresh_token;
    }
    new.account.profile_arn = new.account.profile_arn.or(match new.account.method {
        AuthMethod::Social => refreshed.profile_arn,
        AuthMethod::Idc | AuthMethod::ExternalIdp | AuthMethod::ApiKey => None,
    });
    let end = parts.clock.now().plus(refreshed.expires_in.unwrap_or(USUAL_LIFE));
    new.access = Some((refreshed.access_token, end));
    // Tried is better than guessed.
    new.warnings.retain(|warning| *warning != AccountWarning::KindGuessed);
    Ok(new)
}
