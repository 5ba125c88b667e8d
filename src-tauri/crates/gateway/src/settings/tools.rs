//! What the gateway does with tools on its own.

use super::check::FieldErrors;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the gateway does with tools on its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ToolSettings {
    /// Search the web for clients that ask the server side to. Searches run on the account that answers.
    #[schema(default = true)]
    pub web_search: bool,
    /// How often one answer may search and read on before the model has to finish.
    #[schema(minimum = 1, maximum = 20, default = 5)]
    pub search_rounds: u32,
    /// Tell the model, in the descriptions of tools that write files, to write long files in pieces. Makes cut-off calls rarer
    /// and changes what the model reads.
    #[schema(default = false)]
    pub size_hint: bool,
}

impl Default for ToolSettings {
    fn default() -> Self {
        Self { web_search: true, search_rounds: 5, size_hint: false }
    }
}

impl ToolSettings {
    pub(super) fn check(&self, errors: &mut FieldErrors) {
        errors.range("tools.searchRounds", self.search_rounds.into(), 1, 20);
    }
}
