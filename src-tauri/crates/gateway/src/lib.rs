//! The running system: settings, accounts, the upstream, the client API and the admin API.
//!
//! A face (desktop shell, command line, tests) opens a [`Gateway`] with [`Options`] and talks to it through
//! [`Gateway::admin_router`]. It never learns how the parts are wired; the gateway never learns which face is asking.

pub mod account;
mod admin_event;
pub mod client_key;
pub mod clock;
pub mod credential;
pub mod data_dir;
mod error;
mod http;
mod options;
pub mod settings;
mod status;
pub mod transfer;
pub mod upstream;
mod wiring;

pub use admin_event::AdminEvent;
pub use error::{FieldProblem, OpenError, Problem, ProblemCode};
pub use http::admin::openapi_document;
pub use options::{
    DemoHost, DemoSession, LogChoice, Options, Override, OverrideSource, StoreChoice, UiAsset, UiAssets, VaultKeySource,
};
pub use settings::Settings;
pub use status::{AccountCounts, ListenerState, Status, StoreCondition, StoreName, StoreStatus};
pub use wiring::Gateway;

/// The version shown in `status` and sent to nobody else.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
