//! Keys for clients: list, create, revoke, reveal.

use super::extract::Body;
use crate::admin_event::AdminEvent;
use crate::client_key::{ClientKey, KeyError, KeyId, KeyOptions};
use crate::error::{FieldProblem, Problem, ProblemCode};
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// All keys, without their text.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyList {
    /// Oldest first.
    pub(super) keys: Vec<ClientKey>,
}

/// All keys, without their text.
#[utoipa::path(get, path = "/api/keys", operation_id = "listKeys", responses((status = 200, body = KeyList)))]
pub(super) async fn list(State(gateway): State<Gateway>) -> Json<KeyList> {
    Json(KeyList { keys: gateway.parts.keys.list() })
}

/// A key to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewKey {
    /// Its name for people.
    #[schema(min_length = 1, max_length = 100)]
    pub(super) name: String,
}

/// A key just made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreatedKeyView {
    /// As lists show it.
    pub(super) key: ClientKey,
    /// Its text.
    pub(super) secret: String,
}

/// Makes a random key.
#[utoipa::path(post, path = "/api/keys", operation_id = "createKey", request_body = NewKey,
    responses((status = 201, body = CreatedKeyView), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn create(
    State(gateway): State<Gateway>,
    Body(new): Body<NewKey>,
) -> Result<(StatusCode, Json<CreatedKeyView>), Problem> {
    let created = gateway.parts.keys.create(&new.name).await.map_err(|error| problem(&error))?;
    gateway.parts.announcer.tell(AdminEvent::Keys);
    let view = CreatedKeyView { key: created.key, secret: created.secret.expose_secret().to_owned() };
    Ok((StatusCode::CREATED, Json(view)))
}

/// A change of a key: only what changes.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyChange {
    /// Its name for people.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// All options of the key; what is left out of them goes back to its default.
    #[serde(default)]
    options: Option<KeyOptions>,
}

/// Changes a key's name or options. Requests that are under way keep the options they began with.
#[utoipa::path(patch, path = "/api/keys/{id}", operation_id = "changeKey", params(("id" = String, Path)),
    request_body = KeyChange,
    responses((status = 200, body = ClientKey), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn change(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    Body(change): Body<KeyChange>,
) -> Result<Json<ClientKey>, Problem> {
    let keys = Arc::clone(&gateway.parts.keys);
    let saved =
        tokio::task::spawn_blocking(move || keys.update(&KeyId::from_text(id), change.name.as_deref(), change.options));
    let saved = saved.await.map_err(|_| Problem::new(ProblemCode::Internal, "saving met a fault of ours"))?;
    let key = saved.map_err(|error| problem(&error))?.ok_or_else(unknown)?;
    gateway.parts.announcer.tell(AdminEvent::Keys);
    Ok(Json(key))
}

/// Ends a key at once.
#[utoipa::path(delete, path = "/api/keys/{id}", operation_id = "revokeKey", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn revoke(State(gateway): State<Gateway>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let revoked = gateway.parts.keys.revoke(&KeyId::from_text(id)).await.map_err(|error| problem(&error))?;
    gateway.parts.announcer.tell(AdminEvent::Keys);
    if revoked { Ok(StatusCode::NO_CONTENT) } else { Err(unknown()) }
}

/// The text of a key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RevealedKey {
    /// Its text.
    pub(super) secret: String,
}

/// Shows the text of a key, to put it into a client.
#[utoipa::path(post, path = "/api/keys/{id}/reveal", operation_id = "revealKey", params(("id" = String, Path)),
    responses((status = 200, body = RevealedKey), (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn reveal(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
) -> Result<Json<RevealedKey>, Problem> {
    let found = gateway.parts.keys.reveal(&KeyId::from_text(id)).await.map_err(|error| problem(&error))?;
    let secret = found.ok_or_else(unknown)?;
    Ok(Json(RevealedKey { secret: secret.expose_secret().to_owned() }))
}

fn unknown() -> Problem {
    Problem::new(ProblemCode::NotFound, "there is no such key, or its text is not in the store")
}

fn problem(error: &KeyError) -> Problem {
    let code = match error {
        KeyError::Name | KeyError::Options(_) => ProblemCode::InvalidFields,
        KeyError::Store(_) => ProblemCode::StoreUnavailable,
        KeyError::Damaged { .. } | KeyError::Newer { .. } | KeyError::Io(_) => ProblemCode::Storage,
    };
    let mut problem = Problem::new(code, error.to_string()).action(error.action()).param("reason", error.code());
    match error {
        KeyError::Name => {
            let field = FieldProblem { code: "invalid_value".to_owned(), message: error.to_string() };
            problem.fields.insert("name".to_owned(), field);
        }
        KeyError::Options(fields) => problem.fields.clone_from(fields),
        KeyError::Store(_) | KeyError::Damaged { .. } | KeyError::Newer { .. } | KeyError::Io(_) => {}
    }
    problem
}
