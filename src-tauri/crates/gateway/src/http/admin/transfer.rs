//! Accounts that come in: from files and pasted text, from a sealed export, and from other programs on this machine. Secrets
//! go in and never come out: a preview has none of them.

use super::accounts::{AccountView, book_problem, changed, view};
use super::extract::Body;
use crate::account::{
    Account, AccountId, AccountOrigin, AccountWarning, Added, AuthMethod, LinkOwner, NewAccount, Provider,
    normal_machine_id,
};
use crate::clock::Timestamp;
use crate::error::{Problem, ProblemCode};
use crate::status::ListenerState;
use crate::transfer::{
    Companion, ImportContext, ImportReport, Rejected, SealError, import as read_accounts, is_sealed, masked,
    open_export,
};
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::State;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
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

/// A record that is no account.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RejectedRecord {
    /// Position, from 0.
    index: usize,
    /// Stable code.
    code: String,
    /// Plain words.
    message: String,
}

impl From<Rejected> for RejectedRecord {
    fn from(rejected: Rejected) -> Self {
        Self { index: rejected.index, code: rejected.code.to_owned(), message: rejected.message }
    }
}

/// An account that an import would bring, without any secret.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImportCandidate {
    /// Position, from 0.
    index: usize,
    /// Its name for people.
    label: String,
    /// The person's address with most of its letters hidden.
    email: Option<String>,
    /// How it proves itself.
    method: AuthMethod,
    /// Who the person signed in with.
    provider: Option<Provider>,
    /// Region of the data plane.
    region: String,
    /// When its access token ends.
    expires_at: Option<Timestamp>,
    /// Our account of the same person, if there is one: it would stay as it is.
    known: Option<AccountId>,
    /// What a person should know.
    warnings: Vec<AccountWarning>,
}

/// What a person should know about an account that was added.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountNotes {
    /// The account.
    account: AccountId,
    /// What about it.
    warnings: Vec<AccountWarning>,
}

/// What became of an import, or what would become of it.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImportResult {
    /// Accounts that were added, or that work again.
    pub(super) imported: Vec<AccountView>,
    /// Records that are no accounts.
    pub(super) rejected: Vec<RejectedRecord>,
    /// Ids of accounts that were known already.
    pub(super) duplicates: Vec<AccountId>,
    /// What a person should know about added accounts.
    pub(super) notes: Vec<AccountNotes>,
    /// In a preview: the accounts that would be added.
    found: Vec<ImportCandidate>,
    /// In a preview: the text is a sealed export, and its passphrase is needed to see more.
    sealed: bool,
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

/// A login of another program on this machine, without any secret.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FoundLogin {
    /// Names it for the next ten minutes.
    id: String,
    /// The program.
    owner: LinkOwner,
    /// Where it keeps the login.
    path: String,
    /// A name for people.
    label: String,
    /// The person's address with most of its letters hidden.
    email: Option<String>,
    /// How it proves itself.
    method: AuthMethod,
    /// Who the person signed in with.
    provider: Option<Provider>,
    /// Region of the data plane.
    region: String,
    /// When the program's access token ends.
    expires_at: Option<Timestamp>,
    /// Our account of the same person, if there is one.
    known: Option<AccountId>,
    /// What a person should know.
    warnings: Vec<AccountWarning>,
}

/// A place with something that is no usable login.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScanTrouble {
    /// The program.
    owner: LinkOwner,
    /// The file.
    path: String,
    /// Stable code.
    code: String,
    /// Plain words.
    message: String,
}

/// What a look around this machine brought.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScanResult {
    /// Logins.
    found: Vec<FoundLogin>,
    /// Places that could not be used.
    problems: Vec<ScanTrouble>,
}

/// Looks for logins of Kiro IDE, kiro-cli, Amazon Q and the original KiroProxy on this machine. Nothing is changed.
#[utoipa::path(get, path = "/api/accounts/scan", operation_id = "scanAccounts",
    responses((status = 200, body = ScanResult)))]
pub(super) async fn scan(State(gateway): State<Gateway>) -> Result<Json<ScanResult>, Problem> {
    let (desk, context) = (Arc::clone(&gateway.parts.desk), context(&gateway));
    let (found, scanned) = blocking(move || desk.look(&context)).await?;
    let found = found.into_iter().map(|(id, found)| {
        let account = &found.new.account;
        FoundLogin {
            id,
            owner: found.link.owner,
            path: found.link.path.clone(),
            label: preview_label(account),
            email: account.email.as_deref().map(masked),
            method: account.method,
            provider: account.provider,
            region: account.data_region().to_owned(),
            expires_at: found.expires_at,
            known: gateway.parts.book.known(account).map(|known| known.id.clone()),
            warnings: found.new.warnings.clone(),
        }
    });
    let found = found.collect();
    let problems = scanned.problems.into_iter().map(|problem| ScanTrouble {
        owner: problem.owner,
        path: problem.path,
        code: problem.code.to_owned(),
        message: problem.message,
    });
    Ok(Json(ScanResult { found, problems: problems.collect() }))
}

/// Which logins of a scan to add.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScanAddRequest {
    /// Ids of the scan, valid for ten minutes.
    #[schema(max_items = 200)]
    ids: Vec<String>,
    /// Share the login with its program in place of taking a copy.
    #[serde(default)]
    link: bool,
}

/// Adds logins that a scan found. Each is read anew: one that its program has changed since is refused.
#[utoipa::path(post, path = "/api/accounts/scan/add", operation_id = "addScannedAccounts", request_body = ScanAddRequest,
    responses((status = 200, body = ImportResult), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn add_scanned(
    State(gateway): State<Gateway>,
    Body(request): Body<ScanAddRequest>,
) -> Result<Json<ImportResult>, Problem> {
    let (desk, context) = (Arc::clone(&gateway.parts.desk), context(&gateway));
    let report = blocking(move || {
        let mut report = ImportReport::default();
        for (index, id) in request.ids.iter().enumerate().take(200) {
            match desk.take(id, request.link, &context) {
                Ok(new) => {
                    report.accounts.push(new);
                    report.positions.push(index);
                }
                Err(rejected) => report.rejected.push(Rejected { index, ..rejected }),
            }
        }
        report
    })
    .await?;
    take_in(&gateway, report, false).await
}

/// Adds what was understood, or only tells it.
async fn take_in(gateway: &Gateway, report: ImportReport, preview: bool) -> Result<Json<ImportResult>, Problem> {
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
        result.found = candidates.map(|(new, index)| candidate(gateway, new, index)).collect();
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

fn candidate(gateway: &Gateway, new: &NewAccount, index: usize) -> ImportCandidate {
    let account = &new.account;
    ImportCandidate {
        index,
        label: preview_label(account),
        email: account.email.as_deref().map(masked),
        method: account.method,
        provider: account.provider,
        region: account.data_region().to_owned(),
        expires_at: new.access.as_ref().map(|(_, end)| *end),
        known: gateway.parts.book.known(account).map(|known| known.id.clone()),
        warnings: new.warnings.clone(),
    }
}

/// Without a name of its own an account is called by its address, which a preview hides.
fn preview_label(account: &Account) -> String {
    match &account.email {
        Some(email) if *email == account.label => masked(email),
        Some(_) | None => account.label.clone(),
    }
}

pub(super) fn context(gateway: &Gateway) -> ImportContext {
    let parts = &gateway.parts;
    ImportContext { now: parts.clock.now(), machine_id: parts.machine_id.clone(), origin: AccountOrigin::Imported }
}

/// Work that blocks on the file system.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Problem::new(ProblemCode::Internal, "reading the logins of other programs met a fault of ours"))
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
