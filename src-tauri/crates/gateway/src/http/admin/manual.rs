//! An account typed in by hand, shown to the service once before it is saved.

use super::accounts::{changed, view};
use super::extract::Body;
use super::incoming::ImportResult;
use super::transfer::{add, context};
use crate::account::AccountWarning;
use crate::error::{Problem, ProblemCode};
use crate::transfer::{Typed, typed};
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use std::time::Duration;
use utoipa::ToSchema;

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
    /// Token endpoint of a company directory, on one of Microsoft's sign-in hosts.
    #[serde(default)]
    token_endpoint: Option<String>,
    /// Space-separated scopes of a company directory.
    #[serde(default)]
    scopes: Option<String>,
    /// Save it also when the service cannot be asked about it. One that it refuses is never saved.
    #[serde(default)]
    unchecked: bool,
}

/// Adds one account from typed text. The token is exchanged once first, a key is asked about: what the service does not accept is not
/// saved.
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
        token_endpoint: request.token_endpoint,
        scopes: request.scopes,
    };
    let mut new = match typed(words, &context(&gateway)) {
        Ok(new) => new,
        Err(rejected) => {
            result.rejected.push(rejected.into());
            return Ok(Json(result));
        }
    };
    // Exchanging the token of an account that is here already would take it away from where it is in use.
    if let Some(known) = parts.book.known(&new.account) {
        if parts.book.leases.stopped(&known.id).is_none() {
            result.duplicates.push(known.id.clone());
            return Ok(Json(result));
        }
        // The token is tried on the account's own way to the service.
        new.account.keep_from(&known);
    }
    // The exchange can use the token up: what comes back must find a place.
    parts.book.credentials.probe().await.map_err(|error| {
        Problem::new(ProblemCode::StoreUnavailable, error.to_string())
            .action(error.action())
            .param("reason", error.code())
    })?;
    match parts.trial.login(&mut new).await {
        Ok(()) => {}
        Err(doubt) if request.unchecked && doubt.is_open() => new.warnings.push(AccountWarning::NotChecked),
        Err(doubt) => return Err(doubt.problem()),
    }
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
