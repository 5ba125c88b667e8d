//! Settings: read and patch.

use super::extract::Body;
use crate::error::{FieldProblem, Problem, ProblemCode};
use crate::settings::store::SettingsView;
use crate::upstream::http::extra_roots;
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// The settings, their defaults, and what holds for this run only.
#[utoipa::path(get, path = "/api/settings", operation_id = "getSettings", responses((status = 200, body = SettingsView)))]
pub(super) async fn settings(State(gateway): State<Gateway>) -> Json<SettingsView> {
    Json(gateway.parts.settings.view())
}

/// A change.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SettingsPatch {
    /// The revision the change was made from.
    pub(super) revision: u64,
    /// A merge patch (RFC 7396): only what changes; `null` goes back to the default.
    #[schema(value_type = Object)]
    pub(super) patch: serde_json::Value,
}

/// Changes settings and saves them.
#[utoipa::path(patch, path = "/api/settings", operation_id = "patchSettings", request_body = SettingsPatch,
    responses((status = 200, body = SettingsView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn patch(
    State(gateway): State<Gateway>,
    Body(change): Body<SettingsPatch>,
) -> Result<Json<SettingsView>, Problem> {
    let store = Arc::clone(&gateway.parts.settings);
    let saved = tokio::task::spawn_blocking(move || {
        readable_roots(&change.patch)?;
        store.patch(change.revision, &change.patch)
    });
    let saved = saved.await;
    saved.map_err(|_| Problem::new(ProblemCode::Internal, "saving met a fault of ours"))??;
    Ok(Json(gateway.parts.settings.view()))
}

/// Refuses a file of certificates that could not be used: with it saved, nothing would be sent any more.
fn readable_roots(patch: &serde_json::Value) -> Result<(), Problem> {
    let named = patch.pointer("/network/extraCaFile").and_then(serde_json::Value::as_str).map(str::trim);
    let Some(file) = named.filter(|file| std::path::Path::new(file).is_absolute()) else { return Ok(()) };
    extra_roots(std::path::Path::new(file)).map(|_| ()).map_err(|why| {
        let mut problem = Problem::new(ProblemCode::InvalidFields, format!("network.extraCaFile: {why}"));
        let field = FieldProblem { code: "invalid_value".to_owned(), message: why };
        problem.fields.insert("network.extraCaFile".to_owned(), field);
        problem
    })
}
