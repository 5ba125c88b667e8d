//! The gateway at a glance, and its switch.

use crate::error::Problem;
use crate::status::Status;
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The gateway at a glance.
#[utoipa::path(get, path = "/api/status", operation_id = "getStatus", responses((status = 200, body = Status)))]
pub(super) async fn status(State(gateway): State<Gateway>) -> Json<Status> {
    Json(gateway.status())
}

/// Whether clients should be able to connect.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub(super) struct ListenerSwitch {
    /// The wish.
    pub(super) listening: bool,
}

/// Opens or closes the door for clients.
#[utoipa::path(post, path = "/api/listener", operation_id = "setListening", request_body = ListenerSwitch,
    responses((status = 200, body = Status), (status = 409, body = Problem)))]
pub(super) async fn listener(
    State(gateway): State<Gateway>,
    Json(switch): Json<ListenerSwitch>,
) -> Result<Json<Status>, Problem> {
    gateway.set_listening(switch.listening).await.map(Json)
}
