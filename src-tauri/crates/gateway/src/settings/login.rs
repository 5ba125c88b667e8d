//! How sign-in pages are opened.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::FieldErrors;

const LONGEST_BROWSER: usize = 100;

/// How sign-in pages are opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LoginSettings {
    /// Open sign-in pages in a window of the desktop app, which forgets everything afterwards; otherwise in a browser.
    #[schema(default = true)]
    pub popup: bool,
    /// Browser for sign-in pages, by its id; empty for the system's own.
    #[schema(default = "", max_length = 100)]
    pub browser: String,
    /// Open the browser in a private window, so that several accounts do not mix.
    #[schema(default = false)]
    pub private_window: bool,
}

impl Default for LoginSettings {
    fn default() -> Self {
        Self { popup: true, browser: String::new(), private_window: false }
    }
}

impl LoginSettings {
    pub(super) fn check(&self, errors: &mut FieldErrors) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.browser.len() > LONGEST_BROWSER || !self.browser.chars().all(plain) {
            errors.refuse("login.browser", "invalid_value", "a browser is named by its id, such as firefox".to_owned());
        }
    }
}
