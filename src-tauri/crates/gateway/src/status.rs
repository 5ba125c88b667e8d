//! What a face shows at a glance.

use crate::clock::Timestamp;
use crate::credential::{StoreKind, StoreState};
use crate::error::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether clients can connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ListenerState {
    /// A person stopped it, or it was never started.
    Stopped,
    /// It is about to listen.
    Starting,
    /// Clients can connect.
    Running,
    /// Open requests are being finished.
    Stopping,
    /// It should listen but cannot; see `problem`.
    Failed,
}

/// How many accounts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountCounts {
    /// All, the demo account included.
    pub total: usize,
    /// Those that could answer now.
    pub usable: usize,
    /// Demo accounts.
    pub demo: usize,
}

/// The secret store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreStatus {
    /// Which one.
    pub kind: StoreKind,
    /// Whether it can be used.
    pub state: StoreState,
}

/// Refresh tokens that are at risk, and what refreshes that were cut short have cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefreshStatus {
    /// Accounts whose newest refresh token is in memory only, because the store would not take it.
    pub unsaved: usize,
    /// Refreshes that ended before their answer was safe, on this machine so far.
    pub cut_short: u64,
    /// Logins that this cost: the unavoidable window between the service's commit and the arrival of its answer.
    pub logins_lost: u64,
}

/// The gateway at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// Whether clients can connect.
    pub state: ListenerState,
    /// Base URLs for clients, while running.
    pub addresses: Vec<String>,
    /// The port in use, or the one that would be used.
    pub port: u16,
    /// When the gateway was opened.
    pub started_at: Timestamp,
    /// The data directory.
    pub data_dir: String,
    /// Client requests being answered now.
    pub in_flight: usize,
    /// Accounts.
    pub accounts: AccountCounts,
    /// The secret store.
    pub store: StoreStatus,
    /// Refreshes of the accounts' logins.
    pub refreshes: RefreshStatus,
    /// Why the listener is not running although it should.
    pub problem: Option<Problem>,
    /// True when answers come from the demo account now.
    pub simulated: bool,
}
