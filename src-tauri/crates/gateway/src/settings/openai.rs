//! What is particular to OpenAI's protocols.

use kiro_protocol::codec::ReasoningStyle;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is particular to OpenAI's protocols.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OpenAiSettings {
    /// How reasoning is written in chat completions, which have no field of their own for it. A request can say otherwise
    /// with the header `x-kiro-proxy-reasoning`.
    #[schema(default = "content")]
    pub reasoning: ReasoningPlace,
}

/// How reasoning is written in chat completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ReasoningPlace {
    /// In `reasoning_content`, beside the text.
    #[default]
    Content,
    /// Left out.
    Removed,
    /// In the text, between `<thinking>` tags.
    Tagged,
    /// In the text, without tags.
    Plain,
}

impl From<ReasoningPlace> for ReasoningStyle {
    fn from(place: ReasoningPlace) -> Self {
        match place {
            ReasoningPlace::Content => Self::Content,
            ReasoningPlace::Removed => Self::Removed,
            ReasoningPlace::Tagged => Self::Tagged,
            ReasoningPlace::Plain => Self::Plain,
        }
    }
}
