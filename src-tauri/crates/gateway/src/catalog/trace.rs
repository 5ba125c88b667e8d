//! How a name became a model, for people: in the record of a request and in the tester.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a name became a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelTrace {
    /// The name as the client wrote it; the default model's when it wrote none.
    pub asked: String,
    /// True when the client named no model.
    pub defaulted: bool,
    /// Who decided.
    pub by: Decider,
    /// The rule that decided, when one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<TracedRule>,
    /// Ids that were looked for, in this order; the first that is offered is taken.
    pub candidates: Vec<TracedCandidate>,
    /// The id that the upstream is asked for.
    pub model: String,
    /// True when a list has it. Without any list: when the built-in table has it.
    pub offered: bool,
    /// True when the upstream has said what it offers; without that the built-in table stands in.
    pub list_known: bool,
    /// True when the name asks for thinking.
    pub thinking: bool,
    /// The effort that the name asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<String>,
}

/// Who decided what a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Decider {
    /// The name is an offered model's, maybe in another spelling.
    Name,
    /// A name that the gateway knows for an offered model.
    Alias,
    /// A rule of the client's key.
    KeyRule,
    /// A rule for all keys.
    Rule,
    /// Nobody: the name goes to the upstream, which may refuse it.
    PassedOn,
}

/// A rule that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TracedRule {
    /// Its place in its list, from 0.
    pub at: u32,
    /// What it compares with.
    #[serde(rename = "match")]
    pub pattern: String,
}

/// An id that was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TracedCandidate {
    /// The id.
    pub id: String,
    /// True when it is offered.
    pub offered: bool,
}
