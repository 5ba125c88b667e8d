//! Logins shared with another program: whether rotated tokens are handed to it, and what a person decides when it signed in
//! as somebody else.

use super::accounts::{AccountView, book_problem, changed, view};
use super::extract::Body;
use crate::account::{AccountId, Link, LinkError, LinkOwner};
use crate::clock::Timestamp;
use crate::error::{Problem, ProblemCode};
use crate::owner::OwnerError;
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The program that shares a login.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LinkView {
    /// Which one.
    owner: LinkOwner,
    /// Its file.
    path: String,
    /// Whether rotated tokens are written into it.
    write_back: bool,
    /// Since when it has a refresh token that was used up here.
    diverged_at: Option<Timestamp>,
    /// When it was seen with another login; the account is stopped since.
    switched_at: Option<Timestamp>,
}

impl LinkView {
    pub(super) fn of(link: &Link) -> Self {
        Self {
            owner: link.owner,
            path: link.path.clone(),
            write_back: link.write_back,
            diverged_at: link.diverged_at,
            switched_at: link.switched_at,
        }
    }
}

/// What to do about the login that the other program has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum LinkDecision {
    /// Take it, whoever it belongs to.
    Adopt,
    /// Keep the account's own tokens. It is ours alone from then on, and the other program's file is not looked at again.
    Keep,
}

/// What to change of a shared login; the rest stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LinkChange {
    /// Write rotated tokens into the other program's file, so that it stays signed in.
    #[serde(default)]
    write_back: Option<bool>,
    /// End the stop after the other program signed in as somebody else, or end the sharing.
    #[serde(default)]
    decision: Option<LinkDecision>,
}

/// Changes how an account shares its login with another program.
#[utoipa::path(patch, path = "/api/accounts/{id}/link", operation_id = "changeLink", params(("id" = String, Path)),
    request_body = LinkChange,
    responses((status = 200, body = AccountView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn change(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    Body(wish): Body<LinkChange>,
) -> Result<Json<AccountView>, Problem> {
    let id = AccountId::from_text(id);
    let book = &gateway.parts.book;
    let mut account = book.roster.get(&id).ok_or_else(unknown)?;
    if let Some(on) = wish.write_back {
        account = book.set_write_back(&id, on).await.map_err(|error| problem(&error))?.ok_or_else(unknown)?;
    }
    let decided = match wish.decision {
        None => Some(account),
        Some(LinkDecision::Adopt) => {
            book.adopt_owner(&id, gateway.parts.clock.as_ref()).await.map_err(|error| problem(&error))?
        }
        Some(LinkDecision::Keep) => book.keep_own(&id).await.map_err(|error| problem(&error))?,
    };
    changed(&gateway);
    let account = decided.ok_or_else(unknown)?;
    Ok(Json(view(&gateway, &account)))
}

fn unknown() -> Problem {
    Problem::new(ProblemCode::NotFound, "there is no such account")
}

fn problem(error: &LinkError) -> Problem {
    match error {
        LinkError::NotLinked => Problem::new(ProblemCode::NotLinked, error.to_string())
            .action("Add the login again from the scan and choose to share it."),
        LinkError::SignedOut => Problem::new(ProblemCode::OwnerUnusable, error.to_string())
            .action("Sign in there, or sign in here.")
            .param("reason", "signedOut"),
        LinkError::Owner(owner) => Problem::new(ProblemCode::OwnerUnusable, error.to_string())
            .action("Close the other program for a moment and try again, or sign in here.")
            .param("reason", reason(owner)),
        LinkError::Book(book) => book_problem(book),
        LinkError::Roster(roster) => {
            Problem::new(ProblemCode::Storage, error.to_string()).action(roster.action()).param("reason", roster.code())
        }
    }
}

fn reason(error: &OwnerError) -> &'static str {
    error.code()
}
