//! Removing accounts, for good or so that it can be undone for a moment.

use super::accounts::{AccountView, book_problem, changed, view};
use super::extract::Params;
use crate::account::{AccountId, BookError};
use crate::clock::Timestamp;
use crate::error::{Problem, ProblemCode};
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// Longest time for an undo, in seconds.
const LONGEST_UNDO: u64 = 60;

/// How an account is removed.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct RemoveQuery {
    /// For how many seconds the removal can be undone; without it the account is gone for good at once.
    #[serde(default)]
    #[param(minimum = 1, maximum = 60)]
    undo_seconds: Option<u64>,
}

/// An account that was removed and can be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RemovedAccount {
    /// Its id.
    id: AccountId,
    /// Its name for people.
    label: String,
    /// Until when.
    undo_until: Timestamp,
}

/// What can be taken back now.
pub(super) fn removed(gateway: &Gateway) -> Vec<RemovedAccount> {
    let leaving = gateway.parts.book.roster.leaving();
    let takable = leaving.iter().filter_map(|one| {
        let undo_until = one.undo_until?;
        Some(RemovedAccount { id: one.account.id.clone(), label: one.account.label.clone(), undo_until })
    });
    takable.collect()
}

/// Removes an account and its secrets. No request uses it from now on, whether the removal can be undone or not.
#[utoipa::path(delete, path = "/api/accounts/{id}", operation_id = "removeAccount",
    params(("id" = String, Path), RemoveQuery),
    responses((status = 200, body = RemovedAccount, description = "Removed; can be undone"),
        (status = 204, description = "Removed for good"), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn remove(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    Params(query): Params<RemoveQuery>,
) -> Result<Response, Problem> {
    let id = AccountId::from_text(id);
    match query.undo_seconds {
        None => {
            let removed = gateway.remove_account(&id).await;
            changed(&gateway);
            if removed.map_err(|error| book_problem(&error))? {
                Ok(StatusCode::NO_CONTENT.into_response())
            } else {
                Err(unknown())
            }
        }
        Some(seconds @ 1..=LONGEST_UNDO) => {
            let removed = gateway.remove_account_later(&id, Duration::from_secs(seconds)).await;
            let (account, undo_until) = removed.map_err(|error| book_problem(&error))?.ok_or_else(unknown)?;
            changed(&gateway);
            let removed = RemovedAccount { id, label: account.label.clone(), undo_until };
            Ok(Json(removed).into_response())
        }
        Some(_) => {
            let words = format!("a removal can be undone for 1 to {LONGEST_UNDO} seconds");
            Err(Problem::new(ProblemCode::InvalidRequest, words))
        }
    }
}

/// Takes a removed account back, with everything that belonged to it.
#[utoipa::path(post, path = "/api/accounts/{id}/undo-removal", operation_id = "undoRemoval", params(("id" = String, Path)),
    responses((status = 200, body = AccountView), (status = 404, body = Problem)))]
pub(super) async fn undo(State(gateway): State<Gateway>, Path(id): Path<String>) -> Result<Json<AccountView>, Problem> {
    let book = gateway.parts.book.clone();
    let taken = tokio::task::spawn_blocking(move || book.take_back(&AccountId::from_text(id))).await;
    let taken = taken.map_err(|_| Problem::new(ProblemCode::Internal, "saving met a fault of ours"))?;
    let account = taken.map_err(|error: BookError| book_problem(&error))?.ok_or_else(|| {
        Problem::new(ProblemCode::NotFound, "it is too late to take this account back")
            .action("Add it again: sign in, or import it.")
    })?;
    changed(&gateway);
    Ok(Json(view(&gateway, &account)))
}

fn unknown() -> Problem {
    Problem::new(ProblemCode::NotFound, "there is no such account")
}
