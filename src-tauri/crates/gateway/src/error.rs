//! What can go wrong, in the two forms that leave the gateway: [`Problem`] for the admin API, `Failure` for clients.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use utoipa::ToSchema;

/// A stable code that faces translate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// The request of the face is malformed.
    InvalidRequest,
    /// Some fields are not acceptable; see `fields`.
    InvalidFields,
    /// Somebody else saved settings in between.
    RevisionConflict,
    /// No such thing.
    NotFound,
    /// The port is taken by another program (params: `port`, `holder`, `pid`).
    PortInUse,
    /// The port cannot be opened for another reason, such as missing rights (params: `port`).
    PortUnavailable,
    /// No account can answer now.
    NoAccount,
    /// The secret store cannot be used now (params: `store`, `state`).
    StoreUnavailable,
    /// A file of the data directory cannot be read or written.
    Storage,
    /// The imported text has no account that can be used.
    NothingToImport,
    /// There is no account that an export could hold.
    NothingToExport,
    /// The text is a sealed export: its passphrase is needed.
    PassphraseNeeded,
    /// The passphrase is wrong, or the sealed export was changed.
    PassphraseWrong,
    /// The service does not accept the login (params: `reason`).
    LoginRefused,
    /// The service could not be asked about a login; it is saved only if the person says so (params: `reason`).
    LoginUnchecked,
    /// The upstream refused or failed.
    UpstreamFailed,
    /// This face has no demo account to offer.
    DemoUnavailable,
    /// The account shares its login with no other program.
    NotLinked,
    /// The login of the program that an account shares it with cannot be used (params: `reason`).
    OwnerUnusable,
    /// The gateway is stopping.
    Stopping,
    /// The person, or the provider on their behalf, refused the sign-in (params: `reason`).
    SignInDenied,
    /// Nobody signed in in time.
    SignInExpired,
    /// The service does not accept the API key (params: `reason`).
    ApiKeyRefused,
    /// The provider does not accept what a sign-in sent (params: `reason`).
    SignInRefused,
    /// The sign-in service cannot be reached (params: `reason`).
    SignInUnreachable,
    /// The proxy of the account that signs in again cannot be used; nothing was sent past it.
    ProxyDown,
    /// A page that is none of the provider's was named; it was not opened (params: `what`).
    SignInUnsafe,
    /// No port is free to which the provider's page could come back (params: `ports`).
    CallbackPortTaken,
    /// What was pasted is of no use to this sign-in (params: `reason`: `notTheAddress`, `notFinished`, `otherLogin`, `notNow`).
    PasteRefused,
    /// Too many sign-ins are under way (params: `most`).
    TooManyLogins,
    /// No browser can be opened on this machine.
    BrowserUnavailable,
    /// A fault of ours.
    Internal,
}

/// Why one field was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldProblem {
    /// Stable code: `unknown_setting`, `invalid_value`, `out_of_range`, `not_loopback`, `overridden`, `duplicate`.
    pub code: String,
    /// Plain words, for logs and the command line.
    pub message: String,
}

/// An error of the admin API: what happened, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub struct Problem {
    /// What faces translate.
    pub code: ProblemCode,
    /// Plain English, for logs and the command line.
    pub message: String,
    /// What a person can do about it, in plain English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Values for the placeholders of the translated text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Refused fields by path, such as `listener.port`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, FieldProblem>,
}

impl Problem {
    /// A problem with words only.
    pub fn new(code: ProblemCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), action: None, params: BTreeMap::new(), fields: BTreeMap::new() }
    }

    /// Adds what a person can do.
    #[must_use]
    pub fn action(mut self, action: impl Into<String>) -> Self {
        self.action = Some(action.into());
        self
    }

    /// Adds a placeholder value.
    #[must_use]
    pub fn param(mut self, name: &str, value: impl ToString) -> Self {
        self.params.insert(name.to_owned(), value.to_string());
        self
    }

    /// The status the admin API answers with.
    pub fn status(&self) -> StatusCode {
        match self.code {
            ProblemCode::InvalidRequest => StatusCode::BAD_REQUEST,
            ProblemCode::InvalidFields
            | ProblemCode::NothingToImport
            | ProblemCode::PasteRefused
            | ProblemCode::NothingToExport
            | ProblemCode::PassphraseNeeded
            | ProblemCode::PassphraseWrong
            | ProblemCode::LoginRefused
            | ProblemCode::ApiKeyRefused => StatusCode::UNPROCESSABLE_ENTITY,
            ProblemCode::RevisionConflict
            | ProblemCode::PortInUse
            | ProblemCode::PortUnavailable
            | ProblemCode::NotLinked
            | ProblemCode::OwnerUnusable
            | ProblemCode::CallbackPortTaken
            | ProblemCode::BrowserUnavailable => StatusCode::CONFLICT,
            ProblemCode::TooManyLogins => StatusCode::TOO_MANY_REQUESTS,
            ProblemCode::NotFound => StatusCode::NOT_FOUND,
            ProblemCode::NoAccount
            | ProblemCode::StoreUnavailable
            | ProblemCode::DemoUnavailable
            | ProblemCode::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            ProblemCode::UpstreamFailed
            | ProblemCode::SignInDenied
            | ProblemCode::SignInExpired
            | ProblemCode::LoginUnchecked
            | ProblemCode::SignInRefused
            | ProblemCode::SignInUnreachable
            | ProblemCode::ProxyDown
            | ProblemCode::SignInUnsafe => StatusCode::BAD_GATEWAY,
            ProblemCode::Storage | ProblemCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status(), axum::Json(self)).into_response()
    }
}

/// Why a gateway cannot be opened. Nothing was changed on disk.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process owns the data directory.
    #[error("another Kiro Proxy{} is using {}", holder.map(|pid| format!(" (process {pid})")).unwrap_or_default(), path.display())]
    Locked {
        /// The data directory.
        path: PathBuf,
        /// Process id of the owner, when known.
        holder: Option<u32>,
    },
    /// The data directory cannot be used.
    #[error("the data directory {} cannot be used: {reason}", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The settings cannot be used; they were left as they are.
    #[error("the settings cannot be used: {0}")]
    Settings(String),
    /// An override from the environment or a flag cannot be used.
    #[error("{origin} cannot be used: {reason}")]
    Override {
        /// Such as `KIRO_PROXY__LISTENER__PORT` or `--set listener.port`.
        origin: String,
        /// Why.
        reason: String,
    },
    /// `KIRO_PROXY_ENDPOINTS` names something that is not on this machine.
    #[error("KIRO_PROXY_ENDPOINTS must be an http URL on 127.0.0.1, [::1] or localhost, not {0}")]
    Endpoints(String),
    /// There is no place to keep secrets, or it cannot be opened; the error inside says which of the reasons it is.
    #[error("{0}")]
    Store(crate::credential::StoreError),
    /// Saved accounts or keys cannot be read; they were left as they are.
    #[error("{0}")]
    Saved(String),
    /// A part could not be built.
    #[error("the gateway cannot start: {0}")]
    Internal(String),
}

impl OpenError {
    /// Stable code for scripts and the command line.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "data_dir_locked",
            Self::DataDir { .. } => "data_dir_unusable",
            Self::Settings(_) => "settings_unusable",
            Self::Override { .. } => "override_invalid",
            Self::Endpoints(_) => "endpoints_not_loopback",
            Self::Store(_) => "store_unavailable",
            Self::Saved(_) => "saved_state_unreadable",
            Self::Internal(_) => "internal",
        }
    }

    /// What a person can do about it.
    pub fn action(&self) -> String {
        match self {
            Self::Locked { .. } => "use the gateway that is running, stop it first, or give another --data-dir".into(),
            Self::DataDir { .. } => "give a folder of your own that you can write to: --data-dir DIR".into(),
            Self::Settings(_) => {
                "correct settings.json in the data directory, or move it away to begin with the defaults".into()
            }
            Self::Override { .. } => "correct the value, or leave it away to use the saved setting".into(),
            Self::Endpoints(_) => "unset KIRO_PROXY_ENDPOINTS, or point it at a stand-in on this machine".into(),
            Self::Store(error) => error.action(),
            Self::Saved(_) => "restore the file from its .prev copy or a backup; it was left as it is".into(),
            Self::Internal(_) => "see the log in the data directory, and report it".into(),
        }
    }
}
