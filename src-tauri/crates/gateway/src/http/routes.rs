//! What a path means. Pure: a table in, a table out.
//!
//! Clients put their path behind whatever base URL a person gave them, so a prefix with the protocol's name, a doubled version
//! and a missing one are understood: a wrong base URL is the most common reason for a 404.

mod absent;

use super::dialect::Dialect;
pub(crate) use absent::Absent;
use absent::{absent, absent_dialect};
use http::Method;

/// What a path means, and whose words its caller understands when the path alone tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found<'a> {
    pub(crate) route: Route<'a>,
    /// `None`: the headers must tell.
    pub(crate) dialect: Option<Dialect>,
}

/// What is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// What anybody on this machine may ask without a key.
    Open(Open),
    /// What was used since the start.
    Usage,
    /// Anthropic Messages.
    Messages,
    /// Anthropic's token count.
    CountTokens,
    /// OpenAI Chat Completions.
    Chat,
    /// OpenAI's old completions.
    Completions,
    /// OpenAI Responses.
    Responses,
    /// OpenAI's token count.
    CountResponses,
    /// OpenAI's compaction of a conversation.
    Compact,
    /// A kept answer, by id.
    Kept(&'a str),
    /// The input of a kept answer.
    KeptInput(&'a str),
    /// Stops a kept answer that is still being made.
    Cancel(&'a str),
    /// Gemini, with the model as it was written.
    Gemini(&'a str, GeminiCall),
    /// The list of models.
    Models,
    /// One model.
    Model(&'a str),
    /// Known, and not offered by Kiro.
    Absent(Absent),
    /// No such path.
    Unknown,
}

/// What needs no key, because it tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    /// Alive.
    Health,
    /// Whether a request would be answered now, and why not.
    Ready,
    /// Claude Code knocks here at its start.
    Hello,
    /// Usage statistics that clients send home: taken and dropped.
    Telemetry,
}

/// What is asked of a Gemini model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GeminiCall {
    Generate,
    Stream,
    Count,
}

impl GeminiCall {
    /// As it stands in the path.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Generate => "generateContent",
            Self::Stream => "streamGenerateContent",
            Self::Count => "countTokens",
        }
    }
}

const GET: &str = "GET, HEAD";
const POST: &str = "POST";

impl Route<'_> {
    /// The methods a path takes; `None` when it does not matter, because there is nothing.
    pub(crate) fn methods(&self) -> Option<&'static str> {
        match self {
            Route::Open(Open::Health | Open::Ready | Open::Hello)
            | Route::Usage
            | Route::Models
            | Route::Model(_)
            | Route::KeptInput(_) => Some(GET),
            Route::Kept(_) => Some("GET, HEAD, DELETE"),
            Route::Open(Open::Telemetry)
            | Route::Messages
            | Route::CountTokens
            | Route::Chat
            | Route::Completions
            | Route::Responses
            | Route::CountResponses
            | Route::Compact
            | Route::Cancel(_)
            | Route::Gemini(..) => Some(POST),
            Route::Absent(_) | Route::Unknown => None,
        }
    }

    /// Whether the path takes this method.
    pub(crate) fn accepts(&self, method: &Method) -> bool {
        self.methods().is_none_or(|methods| methods.split(", ").any(|known| known == method.as_str()))
    }

    /// The family whose call this is, when only one family has it.
    fn dialect(&self) -> Option<Dialect> {
        match self {
            Route::Messages | Route::CountTokens | Route::Absent(Absent::OldCompletions) => Some(Dialect::Anthropic),
            Route::Chat
            | Route::Completions
            | Route::Responses
            | Route::CountResponses
            | Route::Compact
            | Route::Kept(_)
            | Route::KeptInput(_)
            | Route::Cancel(_) => Some(Dialect::OpenAi),
            Route::Gemini(..) => Some(Dialect::Gemini),
            Route::Open(_) | Route::Usage | Route::Models | Route::Model(_) | Route::Absent(_) | Route::Unknown => None,
        }
    }
}

/// Finds what a path means.
pub(crate) fn find(path: &str) -> Found<'_> {
    let (prefix, rest) = family(path);
    let (versions, beta, rest) = versions(rest);
    let route = match rest {
        "/health" => Route::Open(Open::Health),
        "/ready" => Route::Open(Open::Ready),
        "/usage" => Route::Usage,
        "/api/hello" => Route::Open(Open::Hello),
        _ if is_telemetry(rest) => Route::Open(Open::Telemetry),
        // A version alone is no resource.
        "" | "/" => Route::Unknown,
        _ => resource(rest),
    };
    let by_version = (versions > 0 && beta).then_some(Dialect::Gemini);
    let dialect = route.dialect().or_else(|| absent_dialect(&route, rest)).or(prefix).or(by_version);
    Found { route, dialect }
}

/// A prefix with a family's name, which people put into base URLs.
fn family(path: &str) -> (Option<Dialect>, &str) {
    for (prefix, dialect) in
        [("/anthropic", Dialect::Anthropic), ("/openai", Dialect::OpenAi), ("/gemini", Dialect::Gemini)]
    {
        if let Some(rest) = path.strip_prefix(prefix).filter(|rest| rest.starts_with('/')) {
            return (Some(dialect), rest);
        }
    }
    (None, path)
}

/// Takes off up to two versions; tells how many there were, whether one was Gemini's, and what is left.
fn versions(path: &str) -> (usize, bool, &str) {
    let (mut rest, mut count, mut beta) = (path, 0, false);
    while count < 2 {
        let found = [("/v1beta", true), ("/v1alpha", true), ("/v1", false)].into_iter().find_map(|(version, beta)| {
            let rest = rest.strip_prefix(version)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((rest, beta))
        });
        let Some((left, is_beta)) = found else { break };
        rest = left;
        beta |= is_beta;
        count += 1;
    }
    (count, beta, rest)
}

fn is_telemetry(path: &str) -> bool {
    let path = path.strip_prefix("/api").unwrap_or(path);
    matches!(path, "/event_logging/batch" | "/event_logging/v2/batch")
}

fn resource(path: &str) -> Route<'_> {
    match path {
        "/messages" => return Route::Messages,
        "/messages/count_tokens" => return Route::CountTokens,
        "/chat/completions" => return Route::Chat,
        "/completions" => return Route::Completions,
        "/responses" => return Route::Responses,
        "/responses/input_tokens" => return Route::CountResponses,
        "/responses/compact" => return Route::Compact,
        "/models" => return Route::Models,
        _ => {}
    }
    if let Some(rest) = path.strip_prefix("/responses/") {
        return kept(rest);
    }
    if let Some(rest) = path.strip_prefix("/models/") {
        return model(rest);
    }
    if let Some(call @ Route::Gemini(..)) = path.strip_prefix("/tunedModels/").map(model) {
        return call;
    }
    absent(path).map_or(Route::Unknown, Route::Absent)
}

fn kept(rest: &str) -> Route<'_> {
    match rest.split_once('/') {
        None if !rest.is_empty() => Route::Kept(rest),
        Some((id, "input_items")) if !id.is_empty() => Route::KeptInput(id),
        Some((id, "cancel")) if !id.is_empty() => Route::Cancel(id),
        Some(_) | None => Route::Unknown,
    }
}

/// A model, or a call to one: names may hold colons, so that only known calls part them.
fn model(rest: &str) -> Route<'_> {
    for call in [GeminiCall::Stream, GeminiCall::Generate, GeminiCall::Count] {
        if let Some(name) = called(rest, call.name()) {
            return Route::Gemini(name, call);
        }
    }
    for (call, what) in [
        ("embedContent", Absent::Embeddings),
        ("batchEmbedContents", Absent::Embeddings),
        ("asyncBatchEmbedContent", Absent::Embeddings),
        ("embedText", Absent::Embeddings),
        ("predict", Absent::Images),
        ("predictLongRunning", Absent::Video),
        ("batchGenerateContent", Absent::Batches),
        ("bidiGenerateContent", Absent::Realtime),
    ] {
        if called(rest, call).is_some() {
            return Route::Absent(what);
        }
    }
    if rest.is_empty() { Route::Unknown } else { Route::Model(rest) }
}

fn called<'a>(rest: &'a str, call: &str) -> Option<&'a str> {
    let name = rest.strip_suffix(call)?;
    let name = [":", "%3A", "%3a"].into_iter().find_map(|colon| name.strip_suffix(colon))?;
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests;
