//! Accounts that come in: from files, pasted text and sealed exports. Secrets go in and never come out: a preview has none of them.

use super::accounts::{book_problem, changed, view};
use super::extract::Body;
use super::incoming::{AccountNotes, ImportCandidate, ImportResult, LoginPreview, RejectedRecord};
use crate::account::{AccountId, AccountOrigin, Added, NewAccount, normal_machine_id};
use crate::error::{Problem, ProblemCode};
use crate::status::ListenerState;
use crate::transfer::{
    Companion, ImportContext, ImportReport, SealError, import as read_accounts, is_sealed, open_export,
};
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::State;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

/// A file beside the imported one.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompanionFile {
    /// Its name.
    name: String,
    /// Its content.
    content: String,
}

/// What to import.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImportRequest {
    /// The content of a file of another program or of our own export, or pasted text.
    content: String,
    /// Files beside it, such as the client registration that Kiro IDE keeps apart.
    #[serde(default)]
    companions: Vec<CompanionFile>,
    /// Machine id for accounts that bring none; this installation's own when absent.
    #[serde(default)]
    machine_id: Option<String>,
    /// Only tell what would be imported.
    #[serde(default)]
    preview: bool,
}

/// A sealed export of ours, with its passphrase.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SealedImportRequest {
    /// The file's content.
    content: String,
    /// What it was sealed with.
    passphrase: String,
    /// Only tell what would be imported.
    #[serde(default)]
    preview: bool,
}

/// Imports accounts from the content of a file or from pasted text, or tells what would be imported.
#[utoipa::path(post, path = "/api/accounts/import", operation_id = "importAccounts", request_body = ImportRequest,
    responses((status = 200, body = ImportResult), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn import(
    State(gateway): State<Gateway>,
    Body(request): Body<ImportRequest>,
) -> Result<Json<ImportResult>, Problem> {
    if is_sealed(&request.content) {
        if request.preview {
            return Ok(Json(ImportResult { sealed: true, ..ImportResult::default() }));
        }
        return Err(Problem::new(ProblemCode::PassphraseNeeded, "this is a sealed export")
            .action("Give the passphrase that it was made with."));
    }
    let mut context = context(&gateway);
    if let Some(text) = &request.machine_id {
        context.machine_id = normal_machine_id(text)
            .ok_or_else(|| Problem::new(ProblemCode::InvalidRequest, "a machine id has 64 hex digits or is a UUID"))?;
    }
    let companions: Vec<Companion> =
        request.companions.into_iter().map(|file| Companion { name: file.name, content: file.content }).collect();
    take_in(&gateway, read_accounts(&request.content, &companions, &context), request.preview).await
}

/// Imports the accounts of a sealed export, or tells what would be imported.
#[utoipa::path(post, path = "/api/accounts/import/sealed", operation_id = "importSealedAccounts",
    request_body = SealedImportRequest,
    responses((status = 200, body = ImportResult), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn import_sealed(
    State(gateway): State<Gateway>,
    Body(request): Body<SealedImportRequest>,
) -> Result<Json<ImportResult>, Problem> {
    let passphrase = SecretString::from(request.passphrase);
    let content = request.content;
    let opened = sealing(&gateway, move || open_export(&content, &passphrase)).await?;
    let text = opened.map_err(|error| match error {
        SealError::NotSealed(_) | SealError::Costs => Problem::new(ProblemCode::NothingToImport, error.to_string())
            .action("Give the whole content of a sealed export of Kiro Proxy."),
        SealError::WrongOrChanged => Problem::new(ProblemCode::PassphraseWrong, error.to_string())
            .action("Try the passphrase again. If it is right, the file is damaged: use another copy."),
    })?;
    let report = read_accounts(&text, &[], &context(&gateway));
    take_in(&gateway, report, request.preview).await
}

/// Adds what was understood, or only tells it.
pub(super) async fn take_in(
    gateway: &Gateway,
    report: ImportReport,
    preview: bool,
) -> Result<Json<ImportResult>, Problem> {
    if report.accounts.is_empty() && report.rejected.is_empty() {
        return Err(Problem::new(ProblemCode::NothingToImport, "there is no account in this text")
            .action("Give the content of Kiro IDE's kiro-auth-token.json, or of an export of another program."));
    }
    let mut result = ImportResult {
        rejected: report.rejected.into_iter().map(RejectedRecord::from).collect(),
        ..ImportResult::default()
    };
    if preview {
        let candidates = report.accounts.iter().zip(report.positions);
        let found =
            candidates.map(|(new, index)| ImportCandidate { index, login: LoginPreview::of(gateway, new, None) });
        result.found = found.collect();
        return Ok(Json(result));
    }
    for new in report.accounts {
        add(gateway, new, &mut result).await?;
    }
    changed(gateway);
    look_at(gateway, result.imported.iter().map(|account| account.id.clone()).collect());
    Ok(Json(result))
}

/// Finds out about new accounts what their files do not say: profile, plan, credits, models. One after another and behind the
/// answer; only while clients are served, for a command that merely looks after state should not call the service.
fn look_at(gateway: &Gateway, accounts: Vec<AccountId>) {
    if accounts.is_empty() || gateway.status().state != ListenerState::Running {
        return;
    }
    let looking = gateway.clone();
    gateway.parts.tasks.spawn(async move {
        let stop = looking.parts.stop.clone();
        for id in accounts {
            tokio::select! {
                () = stop.cancelled() => return,
                // What could not be found out stands in the log and is asked for again by a person or by use.
                _ = looking.parts.inspector.inspect(&id) => changed(&looking),
            }
        }
    });
}

/// Adds one account and writes down what became of it.
pub(super) async fn add(gateway: &Gateway, new: NewAccount, result: &mut ImportResult) -> Result<(), Problem> {
    let warnings = new.warnings.clone();
    match gateway.parts.book.add(new).await {
        Ok(Added::New(account)) => {
            if !warnings.is_empty() {
                result.notes.push(AccountNotes { account: account.id.clone(), warnings });
            }
            result.imported.push(view(gateway, &account));
            Ok(())
        }
        Ok(Added::Known(account)) => {
            result.duplicates.push(account.id.clone());
            Ok(())
        }
        Err(error) => {
            changed(gateway);
            Err(book_problem(&error))
        }
    }
}

pub(super) fn context(gateway: &Gateway) -> ImportContext {
    let parts = &gateway.parts;
    ImportContext { now: parts.clock.now(), machine_id: parts.machine_id.clone(), origin: AccountOrigin::Imported }
}

/// Work that takes much memory and a moment: one at a time.
pub(super) async fn sealing<T: Send + 'static>(
    gateway: &Gateway,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let fault = || Problem::new(ProblemCode::Internal, "the seal met a fault of ours");
    let _one = gateway.parts.desk.sealing.acquire().await.map_err(|_| fault())?;
    tokio::task::spawn_blocking(work).await.map_err(|_| fault())
}
