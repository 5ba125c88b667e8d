//! A refusal, as OAuth (RFC 6749 section 5.2, RFC 8628 section 3.5) and AWS word it.

use serde::Deserialize;

/// How the providers say no.
#[derive(Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    error_description: Option<String>,
    #[serde(default, rename = "__type")]
    kind: Option<String>,
    #[serde(default, alias = "Message")]
    message: Option<String>,
}

impl Refusal {
    /// What the service calls it. `__type` may carry a namespace: `com.amazonaws.ssooidc#ExpiredTokenException`.
    pub(super) fn name(&self) -> Option<&str> {
        let name = self.error.as_deref().or(self.kind.as_deref())?;
        Some(name.rsplit('#').next().unwrap_or(name))
    }

    /// What the service says about it; empty when it says nothing.
    pub(super) fn words(&self) -> &str {
        self.error_description.as_deref().or(self.message.as_deref()).unwrap_or_default()
    }
}
