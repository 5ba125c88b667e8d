//! How fast the service is reached from here.

use super::account_checks::named;
use super::extract::Body;
use crate::error::{Problem, ProblemCode};
use crate::speed::{HostSpeed, ROUNDS, measure};
use crate::upstream::http::Route;
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which way to measure.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SpeedTest {
    /// Id of an account whose way is measured, its own proxy included; as everything goes when absent.
    #[serde(default)]
    account: Option<String>,
}

/// What was measured.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SpeedReport {
    /// How often each host was asked.
    rounds: u32,
    /// Every host of the service's data plane, the fastest first.
    hosts: Vec<HostSpeed>,
}

/// Measures how fast each host of the service is reached. Nothing is spent: no credential is sent.
#[utoipa::path(post, path = "/api/speed-test", operation_id = "speedTest", request_body = SpeedTest,
    responses((status = 200, body = SpeedReport), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn speed_test(
    State(gateway): State<Gateway>,
    Body(wish): Body<SpeedTest>,
) -> Result<Json<SpeedReport>, Problem> {
    let route = match wish.account {
        None => Route::anonymous(),
        Some(id) => {
            let account = named(&gateway, id)?;
            if account.is_demo() {
                let words = "the demo account reaches no host of the service: its answers are made on this machine";
                return Err(Problem::new(ProblemCode::InvalidRequest, words));
            }
            Route::of(&account)
        }
    };
    let hosts = tokio::select! {
        hosts = measure(&gateway.parts.http, &route) => hosts,
        () = gateway.parts.cut.cancelled() => {
            return Err(Problem::new(ProblemCode::Stopping, "the gateway is stopping"));
        }
    };
    Ok(Json(SpeedReport { rounds: ROUNDS, hosts }))
}
