//! Every setting, said once: name, meaning, default, bounds. The file format, the admin API's schema, the form and the
//! command line follow from here. One file per section.

mod accounts;
pub(crate) mod check;
mod flows;
mod limits;
mod listener;
mod login;
mod logs;
mod look;
mod media;
mod models;
mod network;
mod openai;
mod pace;
mod quota;
mod responses;
mod startup;
pub(crate) mod store;
mod tools;

pub use accounts::AccountSettings;
pub use flows::{FlowSettings, FlowStore};
pub use limits::LimitSettings;
pub use listener::ListenerSettings;
pub use login::LoginSettings;
pub use logs::{LogLevel, LogSettings};
pub use look::{Language, LookSettings, Theme};
pub use media::MediaSettings;
pub(crate) use models::check_rules;
pub use models::{AliasListing, MatchKind, ModelRule, ModelSettings};
pub use network::NetworkSettings;
pub use openai::{OpenAiSettings, ReasoningPlace};
pub use pace::PaceSettings;
pub use quota::QuotaSettings;
pub use responses::{AnswerStore, ResponseSettings};
pub use startup::StartupSettings;
pub use tools::ToolSettings;

use crate::error::FieldProblem;
use check::FieldErrors;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// All settings.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// The door for clients.
    pub listener: ListenerSettings,
    /// How the user interface looks.
    pub look: LookSettings,
    /// What happens at the start.
    pub startup: StartupSettings,
    /// Logs.
    pub logs: LogSettings,
    /// Records of requests.
    pub flows: FlowSettings,
    /// Patience and retries.
    pub limits: LimitSettings,
    /// Model names.
    pub models: ModelSettings,
    /// What is particular to OpenAI's protocols.
    pub openai: OpenAiSettings,
    /// Answers that are kept for `previous_response_id`.
    pub responses: ResponseSettings,
    /// What the gateway does with tools on its own.
    pub tools: ToolSettings,
    /// Pictures and documents.
    pub media: MediaSettings,
    /// What is watched of the accounts' quotas.
    pub quota: QuotaSettings,
    /// Which account serves.
    pub accounts: AccountSettings,
    /// How quickly requests follow each other.
    pub pace: PaceSettings,
    /// The way to the internet.
    pub network: NetworkSettings,
    /// How sign-in pages are opened.
    pub login: LoginSettings,
}

impl Settings {
    /// What they say about the choice of an account.
    pub(crate) fn selection(&self) -> crate::account::SelectionRules {
        crate::account::SelectionRules { pace: self.pace.rules(), ..self.accounts.rules() }
    }

    /// Every field that is not acceptable, by path. Empty when all is well.
    pub fn validate(&self) -> BTreeMap<String, FieldProblem> {
        let mut errors = FieldErrors::default();
        self.listener.check(&mut errors);
        self.logs.check(&mut errors);
        self.flows.check(&mut errors);
        self.limits.check(&mut errors);
        self.models.check(&mut errors);
        self.responses.check(&mut errors);
        self.tools.check(&mut errors);
        self.media.check(&mut errors);
        self.quota.check(&mut errors);
        self.accounts.check(&mut errors);
        self.pace.check(&mut errors);
        self.network.check(&mut errors);
        self.login.check(&mut errors);
        errors.fields
    }
}

/// Path of every setting, such as `listener.port`.
pub fn paths() -> Vec<String> {
    let Ok(Value::Object(sections)) = serde_json::to_value(Settings::default()) else { return Vec::new() };
    let mut paths = Vec::new();
    for (section, fields) in &sections {
        if let Value::Object(fields) = fields {
            paths.extend(fields.keys().map(|field| format!("{section}.{field}")));
        }
    }
    paths
}

/// Settings that have another path than they had: the old one, still read from files, flags and the environment, and the new
/// one.
pub(crate) const MOVED: [(&str, &str); 1] = [("limits.accountConcurrency", "accounts.concurrency")];

/// The environment variable of a setting: `listener.maxConnections` is `KIRO_PROXY__LISTENER__MAX_CONNECTIONS`.
pub fn environment_name(path: &str) -> String {
    let mut name = String::from("KIRO_PROXY__");
    for c in path.chars() {
        if c == '.' {
            name.push_str("__");
        } else {
            if c.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(c.to_ascii_uppercase());
        }
    }
    name
}
