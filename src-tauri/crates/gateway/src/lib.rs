//! The running system: settings, accounts, the upstream, the client API and the admin API.
//!
//! A face (desktop shell, command line, tests) opens a [`Gateway`] with [`Options`] and talks to it through
//! [`Gateway::admin_router`]. It never learns how the parts are wired; the gateway never learns which face is asking.

pub mod account;
mod admin_event;
mod argon2id;
mod background;
mod browser;
mod catalog;
pub mod client_key;
pub mod clock;
mod conditions;
pub mod credential;
pub mod data_dir;
mod demo;
mod disk;
mod dispatch;
mod error;
mod flow;
mod health;
mod http;
mod inherited;
mod inquiry;
mod inspect;
mod kept;
mod login;
mod media;
mod notify;
mod options;
mod own_addresses;
pub mod owner;
mod pipeline;
pub mod protect;
mod quota;
pub mod settings;
mod speed;
mod status;
mod telemetry;
mod tokens;
pub mod transfer;
mod trial;
pub mod upstream;
mod usage;
mod wiring;

pub use admin_event::AdminEvent;
pub use browser::{AddressError, Browser, BrowserError, BrowserKind, Desktop, SignInPages};
pub use catalog::{Decider, ModelTrace, TracedCandidate, TracedRule};
pub use credential::{
    KeySource, PassphraseFor, PassphrasePrompt, StoreChoice, StoreError, StoreKind as StoreName,
    StoreState as StoreCondition, VaultKeySource, recorded_key_source,
};
pub use error::{FieldProblem, OpenError, Problem, ProblemCode};
pub use flow::{
    AttemptReason, FlowAttempt, FlowDelivery, FlowMarks, FlowNotice, FlowOperation, FlowOutcome, FlowTokenSource,
    FlowUsage, FlowView,
};
pub use http::admin::openapi_document;
pub use http::holder::PortHolder;
pub use http::local::{Duplex, LocalDoor, LocalStream};
pub use inherited::{Inherited, InheritedEffect, InheritedName};
pub use notify::NotificationKind;
pub use options::{
    DemoHost, DemoSession, LogChoice, Options, Override, OverrideSource, UiAsset, UiAssets, check_environment,
};
pub use settings::Settings;
pub use settings::store::{OverrideView, SettingsView};
pub use status::{AccountCounts, ListenerState, RefreshStatus, Status, StoreStatus};
pub use telemetry::tell_faults_by_place;
pub use wiring::Gateway;

/// The version shown in `status` and sent to nobody else.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
