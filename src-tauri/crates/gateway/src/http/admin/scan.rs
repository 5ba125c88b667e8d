//! Logins of other programs on this machine: looked at, and added as copies or shared. Nothing of theirs is changed.

use super::extract::Body;
use super::incoming::{ImportResult, LoginPreview};
use super::transfer::{context, take_in};
use crate::account::LinkOwner;
use crate::error::{Problem, ProblemCode};
use crate::transfer::{ImportReport, Rejected};
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// A login of another program.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FoundLogin {
    /// Names it for the next ten minutes.
    id: String,
    /// The program.
    owner: LinkOwner,
    /// Where it keeps the login.
    path: String,
    /// The login.
    #[serde(flatten)]
    login: LoginPreview,
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
    let found = found.into_iter().map(|(id, found)| FoundLogin {
        id,
        owner: found.link.owner,
        path: found.link.path.clone(),
        login: LoginPreview::of(&gateway, &found.new, found.expires_at),
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
    /// For a shared login: write rotated tokens into the program's file. Without it whoever refreshes first can sign the other out.
    #[serde(default)]
    write_back: bool,
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
                Ok(mut new) => {
                    if let Some(link) = &mut new.account.link {
                        link.write_back = request.write_back;
                    }
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

/// Work that blocks on the file system.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Problem::new(ProblemCode::Internal, "reading the logins of other programs met a fault of ours"))
}
