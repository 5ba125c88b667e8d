//! Models: what the accounts are offered, and what a name would mean.

use super::extract::Body;
use crate::account::AccountId;
use crate::catalog::{Catalog, ModelTrace, Names, OfferedModel, OtherName};
use crate::client_key::{KeyId, KeyOptions};
use crate::error::{Problem, ProblemCode};
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// What the accounts are offered.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ModelList {
    /// In the order of the upstream's lists. While no list is known, a built-in table stands in.
    models: Vec<OfferedModel>,
    /// Other names that the gateway knows for them. Not every name that works is here.
    aliases: Vec<OtherName>,
    /// True when at least one account's list is known.
    list_known: bool,
    /// Ids of the accounts whose list is not known.
    unlisted: Vec<AccountId>,
}

/// What the accounts are offered, and other names for it.
#[utoipa::path(get, path = "/api/models", operation_id = "listModels", responses((status = 200, body = ModelList)))]
pub(super) async fn list(State(gateway): State<Gateway>) -> Json<ModelList> {
    gateway.parts.pipeline.first_list().await;
    Json(view(&gateway))
}

/// Asks the upstream again what it offers, for every account. What cannot be loaded stays as it was.
#[utoipa::path(post, path = "/api/models/refresh", operation_id = "refreshModels",
    responses((status = 200, body = ModelList)))]
pub(super) async fn refresh(State(gateway): State<Gateway>) -> Json<ModelList> {
    gateway.parts.pipeline.catalog.distrust_all();
    gateway.parts.pipeline.learn_models().await;
    Json(view(&gateway))
}

fn view(gateway: &Gateway) -> ModelList {
    let pool = gateway.parts.pipeline.pool();
    let catalog: &Catalog = &gateway.parts.pipeline.catalog;
    let unlisted: Vec<AccountId> =
        pool.iter().filter(|account| !catalog.knows(&account.id)).map(|account| account.id.clone()).collect();
    ModelList {
        models: catalog.offered(&pool),
        aliases: catalog.other_names(&pool),
        list_known: unlisted.len() < pool.len(),
        unlisted,
    }
}

/// A name to try.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NameTest {
    /// The name as a client would send it; empty for a request that names no model.
    #[schema(max_length = 256)]
    name: String,
    /// The key whose rules hold too.
    #[serde(default)]
    key_id: Option<String>,
}

/// What would happen to a name.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NameTestResult {
    /// How it becomes a model.
    trace: ModelTrace,
    /// Ids of the accounts that would be asked. Empty: any.
    accounts: Vec<AccountId>,
    /// The offered model that the name looks like, when it would be passed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    nearest: Option<String>,
}

/// Tells what would happen to a name. Nothing is sent.
#[utoipa::path(post, path = "/api/models/test", operation_id = "testModelName", request_body = NameTest,
    responses((status = 200, body = NameTestResult), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn test(
    State(gateway): State<Gateway>,
    Body(test): Body<NameTest>,
) -> Result<Json<NameTestResult>, Problem> {
    let parts = &gateway.parts;
    let options = match test.key_id {
        None => Arc::new(KeyOptions::default()),
        Some(id) => {
            let id = KeyId::from_text(id);
            if !parts.keys.list().iter().any(|key| key.id == id) {
                return Err(Problem::new(ProblemCode::NotFound, "there is no such key"));
            }
            parts.keys.options(&id)
        }
    };
    parts.pipeline.first_list().await;
    let (settings, pool) = (gateway.settings(), parts.pipeline.pool());
    let catalog = &parts.pipeline.catalog;
    let resolved = catalog
        .resolve(&test.name, &Names::new(&settings, &options), &pool)
        .map_err(|failure| Problem::new(ProblemCode::InvalidRequest, failure.message).param("reason", failure.code))?;
    let trace = resolved.trace;
    let nearest = if trace.offered { None } else { catalog.nearest(&trace.asked, &pool) };
    let accounts = catalog.among(&trace.model, &pool).unwrap_or_default();
    Ok(Json(NameTestResult { trace, accounts, nearest }))
}
