//! The gateway at a glance, its switch, and who holds a port.

use super::extract::Body;
use crate::error::Problem;
use crate::http::holder::{self, PortHolder};
use crate::status::Status;
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::{Path, State};
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

/// Opens or closes the door for clients. Closing waits until open answers are finished or their time is over.
#[utoipa::path(post, path = "/api/listener", operation_id = "setListening", request_body = ListenerSwitch,
    responses((status = 200, body = Status), (status = 409, body = Problem)))]
pub(super) async fn listener(
    State(gateway): State<Gateway>,
    Body(switch): Body<ListenerSwitch>,
) -> Result<Json<Status>, Problem> {
    gateway.set_listening(switch.listening).await.map(Json)
}

/// Whether a port can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PortView {
    /// The port.
    pub(super) port: u16,
    /// Nobody holds it.
    pub(super) free: bool,
    /// We hold it ourselves.
    pub(super) ours: bool,
    /// Who else holds it, as far as the system tells.
    pub(super) holder: Option<PortHolder>,
}

/// Whether a port can be used, and who holds it.
#[utoipa::path(get, path = "/api/ports/{port}", operation_id = "getPort", params(("port" = u16, Path, minimum = 1)),
    responses((status = 200, body = PortView), (status = 400, body = Problem)))]
pub(super) async fn port(State(gateway): State<Gateway>, Path(text): Path<String>) -> Result<Json<PortView>, Problem> {
    let invalid = || Problem::new(crate::ProblemCode::InvalidRequest, "a port is a number from 1 to 65535");
    let port = text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(invalid)?;
    let status = gateway.status();
    let ours = !status.addresses.is_empty() && status.port == port;
    let look = move || {
        let free = !ours && holder::is_free(port);
        let holder = if free || ours { None } else { holder::holder(port) };
        PortView { port, free, ours, holder }
    };
    let view = tokio::task::spawn_blocking(look).await;
    view.map(Json).map_err(|_| Problem::new(crate::ProblemCode::Internal, "the port could not be looked at"))
}
