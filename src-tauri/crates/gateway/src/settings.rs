//! Every setting, said once: name, meaning, default, bounds. The file format, the admin API's schema, the form and the
//! command line follow from here.

pub(crate) mod store;

use crate::error::FieldProblem;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
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
    /// Patience and retries.
    pub limits: LimitSettings,
    /// Model names.
    pub models: ModelSettings,
}

/// The door for clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenerSettings {
    /// The port clients connect to.
    #[schema(minimum = 1, maximum = 65535, default = 8080)]
    pub port: u16,
    /// The address to listen on. Only this machine for now: `localhost` is both `127.0.0.1` and `::1`; either of them
    /// alone is served alone.
    #[schema(default = "localhost")]
    pub host: String,
    /// Largest request body in MiB.
    #[schema(minimum = 1, maximum = 256, default = 32)]
    pub max_body_mebibytes: u32,
    /// Most client connections at the same time.
    #[schema(minimum = 16, maximum = 16384, default = 2048)]
    pub max_connections: u32,
    /// Seconds a client may take to send its body.
    #[schema(minimum = 5, maximum = 600, default = 60)]
    pub body_read_seconds: u32,
    /// Seconds open answers get to finish when the gateway stops.
    #[schema(minimum = 0, maximum = 300, default = 30)]
    pub drain_seconds: u32,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        Self {
            port: 8080,
            host: "localhost".to_owned(),
            max_body_mebibytes: 32,
            max_connections: 2048,
            body_read_seconds: 60,
            drain_seconds: 30,
        }
    }
}

impl ListenerSettings {
    /// Largest request body in bytes.
    pub fn max_body_bytes(&self) -> usize {
        self.max_body_mebibytes as usize * 1024 * 1024
    }

    fn check(&self, errors: &mut FieldErrors) {
        errors.range("listener.maxBodyMebibytes", self.max_body_mebibytes.into(), 1, 256);
        errors.range("listener.maxConnections", self.max_connections.into(), 16, 16384);
        errors.range("listener.bodyReadSeconds", self.body_read_seconds.into(), 5, 600);
        errors.range("listener.drainSeconds", self.drain_seconds.into(), 0, 300);
        if !matches!(self.host.as_str(), "127.0.0.1" | "::1" | "localhost") {
            errors.refuse(
                "listener.host",
                "not_loopback",
                format!(
                    "{:?} is not an address of this machine's loopback. Only 127.0.0.1, ::1 and localhost are served: \
                     reaching the gateway from other machines needs a protected door that does not exist yet",
                    self.host
                ),
            );
        }
    }
}

/// Language of the user interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub enum Language {
    /// As the system.
    #[default]
    #[serde(rename = "system")]
    System,
    /// English.
    #[serde(rename = "en")]
    English,
    /// Simplified Chinese.
    #[serde(rename = "zh-CN")]
    SimplifiedChinese,
}

/// Colours of the user interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Theme {
    /// As the system.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// How the user interface looks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LookSettings {
    /// Language of the window and the tray.
    #[schema(default = "system")]
    pub language: Language,
    /// Colours of the window.
    #[schema(default = "system")]
    pub theme: Theme,
}

/// What happens at the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StartupSettings {
    /// Start the desktop app when the person logs in.
    #[schema(default = false)]
    pub at_login: bool,
    /// Start in the tray without a window.
    #[schema(default = false)]
    pub hidden: bool,
    /// Let clients connect as soon as the app runs.
    #[schema(default = true)]
    pub start_gateway: bool,
}

impl Default for StartupSettings {
    fn default() -> Self {
        Self { at_login: false, hidden: false, start_gateway: true }
    }
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum LogLevel {
    /// Only what broke.
    Error,
    /// Also what looks wrong.
    Warn,
    /// One line per request.
    #[default]
    Info,
    /// For finding faults.
    Debug,
    /// Everything but contents.
    Trace,
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LogSettings {
    /// How much is logged.
    #[schema(default = "info")]
    pub level: LogLevel,
    /// Largest log file in MiB before the next one begins.
    #[schema(minimum = 1, maximum = 64, default = 8)]
    pub max_file_mebibytes: u32,
    /// How many log files are kept.
    #[schema(minimum = 1, maximum = 20, default = 5)]
    pub max_files: u32,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: LogLevel::Info, max_file_mebibytes: 8, max_files: 5 }
    }
}

impl LogSettings {
    fn check(&self, errors: &mut FieldErrors) {
        errors.range("logs.maxFileMebibytes", self.max_file_mebibytes.into(), 1, 64);
        errors.range("logs.maxFiles", self.max_files.into(), 1, 20);
    }
}

/// Patience and retries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LimitSettings {
    /// Seconds until the first event of an answer.
    #[schema(minimum = 10, maximum = 1800, default = 300)]
    pub first_event_seconds: u32,
    /// Seconds of silence inside an answer before it counts as broken off.
    #[schema(minimum = 10, maximum = 1800, default = 120)]
    pub idle_seconds: u32,
    /// Seconds between signs of life to the client while the upstream is silent.
    #[schema(minimum = 1, maximum = 120, default = 15)]
    pub keep_alive_seconds: u32,
    /// How often one request may be tried again before anything was delivered.
    #[schema(minimum = 0, maximum = 5, default = 2)]
    pub retries: u32,
    /// How many requests may use one account at the same time.
    #[schema(minimum = 1, maximum = 4096, default = 256)]
    pub account_concurrency: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            first_event_seconds: 300,
            idle_seconds: 120,
            keep_alive_seconds: 15,
            retries: 2,
            account_concurrency: 256,
        }
    }
}

impl LimitSettings {
    /// Patience until the first event.
    pub fn first_event(&self) -> Duration {
        Duration::from_secs(self.first_event_seconds.into())
    }

    /// Patience inside an answer.
    pub fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_seconds.into())
    }

    /// Time between signs of life.
    pub fn keep_alive(&self) -> Duration {
        Duration::from_secs(self.keep_alive_seconds.into())
    }

    fn check(&self, errors: &mut FieldErrors) {
        errors.range("limits.firstEventSeconds", self.first_event_seconds.into(), 10, 1800);
        errors.range("limits.idleSeconds", self.idle_seconds.into(), 10, 1800);
        errors.range("limits.keepAliveSeconds", self.keep_alive_seconds.into(), 1, 120);
        errors.range("limits.retries", self.retries.into(), 0, 5);
        errors.range("limits.accountConcurrency", self.account_concurrency.into(), 1, 4096);
    }
}

/// Model names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelSettings {
    /// The model of the test question, and of requests that name none.
    #[schema(default = "auto")]
    pub default: String,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self { default: "auto".to_owned() }
    }
}

impl ModelSettings {
    fn check(&self, errors: &mut FieldErrors) {
        let fits = (1..=128).contains(&self.default.len()) && self.default.chars().all(|c| c.is_ascii_graphic());
        if !fits {
            errors.refuse(
                "models.default",
                "invalid_value",
                "a model name has 1 to 128 visible ASCII characters".into(),
            );
        }
    }
}

impl Settings {
    /// Every field that is not acceptable, by path. Empty when all is well.
    pub fn validate(&self) -> BTreeMap<String, FieldProblem> {
        let mut errors = FieldErrors::default();
        self.listener.check(&mut errors);
        self.logs.check(&mut errors);
        self.limits.check(&mut errors);
        self.models.check(&mut errors);
        errors.fields
    }
}

/// Collects refused fields.
#[derive(Debug, Default)]
struct FieldErrors {
    fields: BTreeMap<String, FieldProblem>,
}

impl FieldErrors {
    fn refuse(&mut self, path: &str, code: &str, message: String) {
        self.fields.insert(path.to_owned(), FieldProblem { code: code.to_owned(), message });
    }

    fn range(&mut self, path: &str, value: u64, least: u64, most: u64) {
        if !(least..=most).contains(&value) {
            self.refuse(path, "out_of_range", format!("must be between {least} and {most}"));
        }
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
