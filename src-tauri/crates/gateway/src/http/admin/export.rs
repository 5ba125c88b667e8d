//! Accounts that leave: the one call of the admin API whose answer can hold secrets, sealed unless a person insists.

use super::extract::Body;
use super::transfer::sealing;
use crate::account::AccountId;
use crate::error::{FieldProblem, Problem, ProblemCode};
use crate::transfer::{SHORTEST_PASSPHRASE, Skipped, export as collect, seal_export};
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a person types or ticks to get secrets in plain text.
const CONFIRMATION: &str = "plain";

/// What to export, and how.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportRequest {
    /// These accounts; all when absent.
    #[serde(default)]
    ids: Option<Vec<String>>,
    /// Seals the export; at least 12 characters.
    #[serde(default)]
    #[schema(min_length = 12)]
    passphrase: Option<String>,
    /// In plain text: everybody who reads the file can use the accounts.
    #[serde(default)]
    plain: bool,
    /// The word `plain`, as a sign that a person has understood.
    #[serde(default)]
    confirm: Option<String>,
}

/// An account that is not in the export.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SkippedAccount {
    /// The account.
    id: AccountId,
    /// Why.
    reason: Skipped,
}

/// An export.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportResult {
    /// A name for the file.
    file_name: String,
    /// The file's content. Sealed, or with every secret in plain text.
    content: String,
    /// How many accounts are in it.
    accounts: usize,
    /// Those of them whose login another program keeps too: what is exported is a copy of a shared login.
    shared: Vec<AccountId>,
    /// Accounts that are not in it.
    skipped: Vec<SkippedAccount>,
}

/// Exports accounts with their secrets, labels, wishes and machine ids, sealed with a passphrase.
#[utoipa::path(post, path = "/api/accounts/export", operation_id = "exportAccounts", request_body = ExportRequest,
    responses((status = 200, body = ExportResult), (status = 404, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn export(
    State(gateway): State<Gateway>,
    Body(request): Body<ExportRequest>,
) -> Result<Response, Problem> {
    let passphrase = form(&request)?;
    let parts = &gateway.parts;
    let only: Option<Vec<AccountId>> = request.ids.map(|ids| ids.into_iter().map(AccountId::from_text).collect());
    if only.iter().flatten().any(|id| parts.book.roster.get(id).is_none()) {
        return Err(Problem::new(ProblemCode::NotFound, "there is no such account"));
    }
    let now = parts.clock.now();
    let export = collect(&parts.book.roster, &parts.book.credentials, only.as_deref(), now).await;
    let export = export.map_err(|error| {
        Problem::new(ProblemCode::StoreUnavailable, error.to_string())
            .action(error.action())
            .param("reason", error.code())
    })?;
    if export.accounts == 0 {
        return Err(Problem::new(ProblemCode::NothingToExport, "there is no account that could be exported"));
    }
    let (accounts, shared) = (export.accounts, export.shared.clone());
    let skipped =
        export.skipped.iter().map(|(id, reason)| SkippedAccount { id: id.clone(), reason: *reason }).collect();
    let day: String = now.to_rfc3339().chars().take(10).collect();
    let (sealed, ending) = (passphrase.is_some(), if passphrase.is_some() { "sealed.json" } else { "json" });
    let content = match passphrase {
        Some(passphrase) => sealing(&gateway, move || seal_export(&export, &passphrase))
            .await?
            .map_err(|error| Problem::new(ProblemCode::Internal, error.to_string()))?,
        None => String::from_utf8_lossy(&export.plain).into_owned(),
    };
    tracing::warn!(accounts, sealed, shared = shared.len(), "accounts were exported with their secrets");
    let file_name = format!("kiro-proxy-accounts-{day}.{ending}");
    let answer = Json(ExportResult { file_name, content, accounts, shared, skipped });
    Ok(([(CACHE_CONTROL, "no-store")], answer).into_response())
}

/// The passphrase, or `None` for a plain export that was confirmed.
fn form(request: &ExportRequest) -> Result<Option<SecretString>, Problem> {
    let wrong = |field: &str, code: &str, message: String| {
        let mut problem = Problem::new(ProblemCode::InvalidFields, message.clone());
        problem.fields.insert(field.to_owned(), FieldProblem { code: code.to_owned(), message });
        problem
    };
    match (&request.passphrase, request.plain) {
        (Some(_), true) => Err(wrong("plain", "invalid_value", "an export is either sealed or plain".to_owned())),
        (Some(text), false) if text.chars().count() < SHORTEST_PASSPHRASE => {
            let message = format!("a passphrase has at least {SHORTEST_PASSPHRASE} characters");
            Err(wrong("passphrase", "out_of_range", message))
        }
        (Some(text), false) => Ok(Some(SecretString::from(text.clone()))),
        (None, true) if request.confirm.as_deref() == Some(CONFIRMATION) => Ok(None),
        (None, true) => {
            Err(wrong("confirm", "invalid_value", format!("a plain export is confirmed with the word {CONFIRMATION}")))
        }
        (None, false) => Err(wrong("passphrase", "invalid_value", "give a passphrase".to_owned())),
    }
}
