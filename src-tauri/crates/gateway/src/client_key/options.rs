//! What a key changes for the requests that come with it, and what of that is acceptable.

use serde::{Deserialize, Serialize};

use super::KeyError;
use crate::account::wrong_tags;
use crate::settings::check::FieldErrors;
use crate::settings::{ModelRule, check_rules};

/// What a key changes for the requests that come with it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct KeyOptions {
    /// Hold the beginning of a streamed answer back until its true input tokens are known, where the protocol names them
    /// first. Costs the wait for the first event.
    #[schema(default = false)]
    pub buffered_start: bool,
    /// Rules for model names that hold for this key only, before the rules for all keys.
    #[schema(max_items = 200)]
    pub model_rules: Vec<ModelRule>,
    /// Only accounts with one of these tags answer requests of this key. Without any, every account does.
    #[schema(max_items = 50)]
    pub account_tags: Vec<String>,
}

impl KeyOptions {
    pub(super) fn check(&self) -> Result<(), KeyError> {
        let mut errors = FieldErrors::default();
        check_rules("options.modelRules", &self.model_rules, &mut errors);
        if let Some(wrong) = wrong_tags(&self.account_tags) {
            errors.refuse("options.accountTags", "invalid_value", wrong);
        }
        if errors.fields.is_empty() { Ok(()) } else { Err(KeyError::Options(errors.fields)) }
    }
}
