//! What the APIs know and Kiro has nothing for: by its path, and in words that say what to use instead.

use super::{Dialect, Route};

/// What Kiro has nothing for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    Embeddings,
    Images,
    Audio,
    Video,
    Moderations,
    Files,
    Batches,
    Caches,
    Tuning,
    Realtime,
    Agents,
    OldCompletions,
}

impl Absent {
    /// What to tell the caller.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Embeddings => "Kiro offers no embedding models. Use another provider for embeddings",
            Self::Images => "Kiro makes no images. Use another provider for pictures",
            Self::Audio => "Kiro neither hears nor speaks. Use another provider for audio",
            Self::Video => "Kiro makes no videos. Use another provider for them",
            Self::Moderations => "Kiro offers no moderation models",
            Self::Files => "files cannot be uploaded here. Send pictures and documents inside the conversation",
            Self::Batches => {
                "batches are not offered: Kiro answers one request at a time. Send the requests one by one"
            }
            Self::Caches => {
                "caches cannot be managed here: Kiro caches by itself, and cache marks inside a request are passed on"
            }
            Self::Tuning => "Kiro's models cannot be tuned",
            Self::Realtime => "there is no realtime connection here. Use streamed answers",
            Self::Agents => "assistants, threads and stored conversations are not offered. Use /v1/responses",
            Self::OldCompletions => "this old call of Anthropic's is not offered. Use /v1/messages",
        }
    }
}

/// What these APIs know and Kiro has not.
pub(super) fn absent(path: &str) -> Option<Absent> {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let first = first.split(':').next().unwrap_or_default();
    Some(match first {
        "messages" if path.starts_with("/messages/batches") => Absent::Batches,
        "complete" => Absent::OldCompletions,
        "embeddings" => Absent::Embeddings,
        "images" => Absent::Images,
        "audio" => Absent::Audio,
        "videos" => Absent::Video,
        "moderations" => Absent::Moderations,
        "files" | "uploads" | "vector_stores" | "fileSearchStores" | "corpora" | "containers" => Absent::Files,
        "batches" => Absent::Batches,
        "cachedContents" => Absent::Caches,
        "fine_tuning" | "tunedModels" | "evals" => Absent::Tuning,
        "realtime" => Absent::Realtime,
        "assistants" | "threads" | "conversations" | "agents" | "skills" => Absent::Agents,
        _ => return None,
    })
}

/// The family that alone has something of this name.
pub(super) fn absent_dialect(route: &Route<'_>, path: &str) -> Option<Dialect> {
    let Route::Absent(_) = route else { return None };
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    match first {
        "messages" => Some(Dialect::Anthropic),
        "models" | "cachedContents" | "tunedModels" | "corpora" | "fileSearchStores" => Some(Dialect::Gemini),
        "embeddings" | "images" | "audio" | "videos" | "moderations" | "uploads" | "vector_stores" | "fine_tuning"
        | "evals" | "realtime" | "assistants" | "threads" | "conversations" | "containers" => Some(Dialect::OpenAi),
        _ => None,
    }
}
