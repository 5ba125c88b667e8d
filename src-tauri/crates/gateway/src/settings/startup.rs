//! What happens at the start.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
