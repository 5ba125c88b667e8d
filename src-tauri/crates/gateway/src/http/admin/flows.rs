//! The newest requests and what became of them.

use crate::flow::FlowView;
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// How many to list.
#[derive(Debug, Clone, Deserialize, IntoParams)]
pub(super) struct FlowQuery {
    /// At most this many; 50 when absent.
    #[serde(default)]
    limit: Option<usize>,
}

/// The newest requests.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlowList {
    /// Newest first.
    #[schema(value_type = Vec<FlowView>)]
    flows: Vec<Arc<FlowView>>,
}

/// The newest requests and what became of them; metadata only.
#[utoipa::path(get, path = "/api/flows", operation_id = "listFlows", params(FlowQuery),
    responses((status = 200, body = FlowList)))]
pub(super) async fn list(State(gateway): State<Gateway>, Query(query): Query<FlowQuery>) -> Json<FlowList> {
    Json(FlowList { flows: gateway.parts.flows.newest(query.limit.unwrap_or(50)) })
}
