//! The stream of an answer, and that stream folded into a whole reply.

use crate::conversation::JsonObject;
use serde_json::Value;

/// One step of an answer, in the order the model produced it.
///
/// Tool calls are strictly sequential: `ToolUseStart`, any number of `ToolInput`, then `ToolUseEnd`, never interleaved
/// with text or another call. The upstream edge guarantees that the fragments of a call that ended parse as one JSON object.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A piece of visible text.
    Text(String),
    /// A piece of reasoning text.
    Thinking(String),
    /// The signature of the reasoning that came before it.
    ThinkingSignature(String),
    /// Encrypted reasoning, base64.
    RedactedThinking(String),
    /// A tool call begins. The name is the client's own (already restored).
    ToolUseStart {
        /// Call id.
        id: String,
        /// Tool name as the client declared it.
        name: String,
    },
    /// A fragment of the JSON text of the call's input.
    ToolInput(String),
    /// The call is complete.
    ToolUseEnd,
    /// The answer was cut inside the open call: it will never be complete and must not look as if it were. Only ever when
    /// the client asked for live input; then [`StopReason::MaxTokens`] follows.
    ToolUseCut,
    /// The gateway searches the web.
    SearchStart {
        /// Id of the search, unique in the answer.
        id: String,
        /// What is searched for.
        query: String,
    },
    /// The search is over. Always right after its start, apart from usage.
    SearchDone {
        /// Id of the search.
        id: String,
        /// What was found, or a stable code: `unavailable`, `max_uses_exceeded`, `query_too_long`, `too_many_requests`.
        outcome: Result<Vec<SearchHit>, &'static str>,
    },
    /// Token counts, credits or context fill; each field may arrive in an event of its own.
    Usage(Usage),
    /// The answer is complete. Exactly one, last, and only for a complete answer.
    Stop(StopReason),
}

/// One result of a web search.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchHit {
    /// Title of the page.
    pub title: String,
    /// Its address.
    pub url: String,
    /// A piece of its text.
    pub snippet: String,
    /// When it was published, as `YYYY-MM-DD`, when known.
    pub published: Option<String>,
}

/// Why a complete answer ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StopReason {
    /// The model was done.
    #[default]
    EndTurn,
    /// The client must run the tools that were called.
    ToolUse,
    /// The output limit was reached.
    MaxTokens,
    /// This stop sequence was found (and removed).
    StopSequence(String),
    /// The context window is full.
    ContextWindow,
    /// The model refused.
    Refusal,
}

/// Where a token count comes from. Later sources never overwrite better ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum UsageSource {
    /// Estimated from text length.
    #[default]
    Estimate,
    /// Counted by a local tokenizer, which is not the model's own.
    Tokenizer,
    /// Derived from the context percentage and the model's window.
    ContextPercentage,
    /// Counted by the upstream.
    Upstream,
}

/// What an answer cost. `None` means: not known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// Input tokens that were not read from or written to a cache.
    pub input_tokens: Option<u64>,
    /// Output tokens, reasoning included.
    pub output_tokens: Option<u64>,
    /// Input tokens read from the provider's cache. Only ever the upstream's own figure.
    pub cache_read_tokens: Option<u64>,
    /// Input tokens written to the provider's cache. Only ever the upstream's own figure.
    pub cache_write_tokens: Option<u64>,
    /// Fill of the context window after the turn, in percent (0–100, may exceed).
    pub context_percentage: Option<f64>,
    /// Credits charged.
    pub credits: Option<f64>,
    /// Web searches that the gateway ran.
    pub web_searches: Option<u32>,
    /// Quality of the input count.
    pub input_source: UsageSource,
    /// Quality of the output count.
    pub output_source: UsageSource,
}

impl Usage {
    /// Takes every figure that `other` knows; token counts only from a source at least as good.
    pub fn merge(&mut self, other: &Usage) {
        let take = |mine: &mut Option<u64>, source: &mut UsageSource, theirs: Option<u64>, quality: UsageSource| {
            if theirs.is_some() && (mine.is_none() || quality >= *source) {
                (*mine, *source) = (theirs, quality);
            }
        };
        take(&mut self.input_tokens, &mut self.input_source, other.input_tokens, other.input_source);
        take(&mut self.output_tokens, &mut self.output_source, other.output_tokens, other.output_source);
        self.cache_read_tokens = other.cache_read_tokens.or(self.cache_read_tokens);
        self.cache_write_tokens = other.cache_write_tokens.or(self.cache_write_tokens);
        self.context_percentage = other.context_percentage.or(self.context_percentage);
        if let Some(credits) = other.credits {
            self.credits = Some(self.credits.unwrap_or(0.0) + credits);
        }
        if let Some(searches) = other.web_searches {
            self.web_searches = Some(self.web_searches.unwrap_or(0) + searches);
        }
    }
}

/// A complete answer: the stream folded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// The content in order.
    pub blocks: Vec<ReplyBlock>,
    /// Why it ended.
    pub stop: StopReason,
    /// What it cost.
    pub usage: Usage,
    /// True when a tool call was cut off and left out ([`Event::ToolUseCut`]).
    pub call_cut: bool,
}

/// One piece of a complete answer.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplyBlock {
    /// Visible text.
    Text(String),
    /// Reasoning with its signature.
    Thinking {
        /// The text; may be empty when only a signature came.
        text: String,
        /// The signature, when one came.
        signature: Option<String>,
    },
    /// Encrypted reasoning, base64.
    RedactedThinking(String),
    /// A tool call.
    ToolUse {
        /// Call id.
        id: String,
        /// Tool name.
        name: String,
        /// Parsed arguments.
        input: JsonObject,
    },
    /// A web search that the gateway ran.
    Search {
        /// Id of the search.
        id: String,
        /// What was searched for.
        query: String,
        /// What was found, or a stable code as in [`Event::SearchDone`].
        outcome: Result<Vec<SearchHit>, &'static str>,
    },
}

/// Folds events into a [`Reply`].
#[derive(Debug, Default)]
pub struct ReplyBuilder {
    reply: Reply,
    open_tool: Option<(String, String, String)>,
    open_search: Option<String>,
    stopped: bool,
}

/// The events did not form a complete answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IncompleteReply {
    /// No [`Event::Stop`] came.
    #[error("the answer has no end")]
    NoStop,
    /// A tool call has no end or its input is not a JSON object.
    #[error("tool call {0} is not complete")]
    ToolCall(String),
}

impl ReplyBuilder {
    /// Adds one event.
    pub fn push(&mut self, event: &Event) -> Result<(), IncompleteReply> {
        match event {
            // An empty piece neither opens nor parts blocks: encoders send nothing for it.
            Event::Text(piece) | Event::Thinking(piece) if piece.is_empty() => {}
            Event::Text(piece) => match self.reply.blocks.last_mut() {
                Some(ReplyBlock::Text(text)) => text.push_str(piece),
                Some(_) | None => self.reply.blocks.push(ReplyBlock::Text(piece.clone())),
            },
            Event::Thinking(piece) => match self.reply.blocks.last_mut() {
                Some(ReplyBlock::Thinking { text, signature: None }) => text.push_str(piece),
                Some(_) | None => {
                    self.reply.blocks.push(ReplyBlock::Thinking { text: piece.clone(), signature: None });
                }
            },
            Event::ThinkingSignature(piece) => match self.reply.blocks.last_mut() {
                Some(ReplyBlock::Thinking { signature, .. }) => {
                    signature.get_or_insert_default().push_str(piece);
                }
                Some(_) | None => {
                    self.reply.blocks.push(ReplyBlock::Thinking { text: String::new(), signature: Some(piece.clone()) })
                }
            },
            Event::RedactedThinking(data) => self.reply.blocks.push(ReplyBlock::RedactedThinking(data.clone())),
            Event::ToolUseStart { id, name } => self.open_tool = Some((id.clone(), name.clone(), String::new())),
            Event::ToolInput(piece) => {
                if let Some((_, _, input)) = &mut self.open_tool {
                    input.push_str(piece);
                }
            }
            Event::ToolUseEnd => {
                if let Some((id, name, input)) = self.open_tool.take() {
                    let input = parse_tool_input(&input).ok_or_else(|| IncompleteReply::ToolCall(id.clone()))?;
                    self.reply.blocks.push(ReplyBlock::ToolUse { id, name, input });
                }
            }
            // A whole reply has no place for half a call.
            Event::ToolUseCut => self.reply.call_cut |= self.open_tool.take().is_some(),
            Event::SearchStart { query, .. } => self.open_search = Some(query.clone()),
            Event::SearchDone { id, outcome } => {
                let query = self.open_search.take().unwrap_or_default();
                self.reply.blocks.push(ReplyBlock::Search { id: id.clone(), query, outcome: outcome.clone() });
            }
            Event::Usage(usage) => self.reply.usage.merge(usage),
            Event::Stop(reason) => {
                self.reply.stop = reason.clone();
                self.stopped = true;
            }
        }
        Ok(())
    }

    /// The reply, if the answer was complete.
    pub fn finish(self) -> Result<Reply, IncompleteReply> {
        if let Some((id, _, _)) = self.open_tool {
            return Err(IncompleteReply::ToolCall(id));
        }
        if self.stopped { Ok(self.reply) } else { Err(IncompleteReply::NoStop) }
    }
}

/// Parses the joined fragments of a tool call. An empty text is an empty object (kiro-upstream §3.4).
pub fn parse_tool_input(text: &str) -> Option<JsonObject> {
    if text.trim().is_empty() {
        return Some(JsonObject::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Some(map),
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) | Err(_) => None,
    }
}
