//! Settings as a file: to keep, or to take to another machine.

use super::extract::Body;
use crate::error::{Problem, ProblemCode};
use crate::settings::store::SettingsImport;
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// A file of settings.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SettingsFile {
    /// A name for it.
    file_name: String,
    /// Its text: JSON with everything that was changed from the defaults. No secrets, no accounts, no keys.
    content: String,
}

/// What is saved, without what holds for this run only.
#[utoipa::path(get, path = "/api/settings/export", operation_id = "exportSettings",
    responses((status = 200, body = SettingsFile)))]
pub(super) async fn export(State(gateway): State<Gateway>) -> Json<SettingsFile> {
    let content = format!("{:#}\n", gateway.parts.settings.exported());
    Json(SettingsFile { file_name: "kiro-proxy-settings.json".to_owned(), content })
}

/// A file of settings to take over.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SettingsImportRequest {
    /// Its text.
    content: String,
    /// Only tell what it would change.
    #[serde(default)]
    preview: bool,
}

/// Takes over what the file says and leaves everything else as it is: all of it, or nothing.
#[utoipa::path(post, path = "/api/settings/import", operation_id = "importSettings", request_body = SettingsImportRequest,
    responses((status = 200, body = SettingsImport), (status = 400, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn import(
    State(gateway): State<Gateway>,
    Body(request): Body<SettingsImportRequest>,
) -> Result<Json<SettingsImport>, Problem> {
    let store = Arc::clone(&gateway.parts.settings);
    let imported = tokio::task::spawn_blocking(move || store.import(&request.content, request.preview)).await;
    imported.map_err(|_| Problem::new(ProblemCode::Internal, "reading the settings met a fault of ours"))?.map(Json)
}
