//! A conversation becomes a request body. The one place where the upstream's rules are met (kiro-upstream §2.3).
//!
//! The service validates strictly and often answers no more than "improperly formed request", so that every rule is
//! repaired before sending, and every repair is noticed:
//!
//! | rules | where |
//! |---|---|
//! | V1, V22, V29 turns alternate, the user first and last; reasoning only with its signature | `ledger` |
//! | V4–V7 every call answered once, right after it; tool history as text when no tool may be called | `pairing` |
//! | V8–V14 tool list: names, descriptions, schemas, placeholders | `specs`, [`super::tools`], `schema` |
//! | V2, V3, V17, V30 system text, fillers, limits of a text, tool choice in words | `text` |
//! | V20, V21 images and documents | `media` |
//! | §3.7 cache points | `caching` |
//! | V24 thinking and effort as the model's schema lists them | `fields` |
//!
//! V26 and V27 cannot be broken: [`super::wire`] leaves out what is empty, and inputs are objects by type. V16, the size of
//! the whole body, is reported and not repaired: what to leave out is for the caller to decide.

mod caching;
mod fields;
mod ledger;
mod media;
mod notices;
mod pairing;
mod size;
mod specs;
mod text;

pub use media::document_format;
pub use size::rough_tokens;

use super::tools::ToolNames;
use super::wire::{self, GenerateRequest};
use crate::codec::Notice;
use crate::conversation::{Conversation, ToolChoice};
use ledger::{AssistantTurn, Turn, UserTurn};
use notices::Notices;
use serde_json::Value;
use std::sync::Arc;

/// What a request needs to know besides the conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildContext {
    /// The model's id, exactly as the catalogue writes it.
    pub model_id: String,
    /// Stable per client conversation; a UUID.
    pub conversation_id: String,
    /// A UUID, for the IDE identity only.
    pub continuation_id: Option<String>,
    /// `AI_EDITOR`, or `KIRO_CLI` for API keys.
    pub origin: &'static str,
    /// A larger body is noticed as `body_over_limit`. The service's own limit depends on model and host.
    pub max_body_bytes: usize,
    /// The model's `additionalModelRequestFieldsSchema`.
    pub fields_schema: Option<Value>,
    /// The model takes images.
    pub images_allowed: bool,
    /// The model takes documents. Otherwise text documents become text and others are left out.
    pub documents_allowed: bool,
    /// Most cache points the model takes; 0 sends none.
    pub cache_points: usize,
    /// Tokens that must come before a cache point; the model caches nothing shorter.
    pub cache_minimum: u64,
    /// Place cache points where the client marked nothing.
    pub cache_unmarked: bool,
    /// Ask models without a schema to think by tags in the system text.
    pub prompt_thinking: bool,
    /// Leave out all reasoning of earlier turns: for the one retry after the service refused a signature.
    pub strip_reasoning: bool,
}

impl Default for BuildContext {
    fn default() -> Self {
        Self {
            model_id: String::new(),
            conversation_id: String::new(),
            continuation_id: None,
            origin: "AI_EDITOR",
            max_body_bytes: usize::MAX,
            fields_schema: None,
            images_allowed: true,
            documents_allowed: true,
            cache_points: 0,
            cache_minimum: 0,
            cache_unmarked: false,
            prompt_thinking: false,
            strip_reasoning: false,
        }
    }
}

/// A request, ready to be sent any number of times.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// What was repaired, changed or left out.
    pub notices: Vec<Notice>,
    /// Restores names in the answer.
    pub names: ToolNames,
    /// Thinking was asked for by prompt tags: the answer's text may hold `<thinking>` tags
    /// ([`super::event::DecodeOptions::inline_thinking`]).
    pub inline_thinking: bool,
    request: GenerateRequest,
    /// The body up to where the profile ARN goes.
    head: Vec<u8>,
    /// The body after it.
    tail: Vec<u8>,
}

impl Built {
    /// The request without a profile ARN.
    pub fn request(&self) -> &GenerateRequest {
        &self.request
    }

    /// The body for one attempt. The ARN is the account's, which may change between attempts; an empty one is left out.
    pub fn to_bytes(&self, profile_arn: Option<&str>) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.size() + 160);
        body.extend_from_slice(&self.head);
        if let Some(arn) = profile_arn.filter(|arn| !arn.is_empty()) {
            body.extend_from_slice(b",\"profileArn\":");
            body.extend_from_slice(Value::from(arn).to_string().as_bytes());
        }
        body.extend_from_slice(&self.tail);
        body
    }

    /// Gives the conversation another id; every other byte stays. Another account must not go on under the id of the first.
    pub fn set_conversation_id(&mut self, id: &str) {
        let known = &mut self.request.conversation_state.conversation_id;
        if known == id {
            return;
        }
        let field = |id: &str| format!("\"conversationId\":{}", Value::from(id));
        let (old, new) = (field(known), field(id));
        // Only constants stand before it, so that the first hit is the field itself.
        if let Some(at) = memchr::memmem::find(&self.head, old.as_bytes()) {
            self.head.splice(at..at + old.len(), new.into_bytes());
        }
        id.clone_into(known);
    }

    /// Size of the body in bytes, without the profile ARN.
    pub fn size(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// Estimated input tokens by [`rough_tokens`]. Real counts may differ by a third.
    pub fn estimate_tokens(&self) -> u64 {
        self.measure_tokens(&mut rough_tokens)
    }

    /// Input tokens when `text` counts each piece of text. Pictures are counted by their pixels, documents by their bytes.
    pub fn measure_tokens(&self, text: &mut dyn FnMut(&str) -> u64) -> u64 {
        size::measure(&self.request, text)
    }
}

/// Builds the request for a conversation. Never fails: whatever breaks a rule is repaired and noticed.
pub fn build(conversation: &Conversation, context: &BuildContext) -> Built {
    let mut notices = Notices::default();
    ignored(conversation, &mut notices);
    let mut turns = ledger::turns(&conversation.messages, context, &mut notices);
    if conversation.tool_choice == ToolChoice::None {
        pairing::fold_all(&mut turns, &mut notices);
    }
    pairing::pair(&mut turns, &mut notices);
    let mut specs = specs::build(conversation, &mut turns, context, &mut notices);
    let fields = fields::build(conversation, context, &mut notices);
    text::complete(conversation, &mut turns, &specs, &fields, &mut notices);
    let inline_thinking = fields.prompt_tags.is_some();
    specs.measure();
    let cache_points = caching::place(&mut turns, &mut specs, context, &mut notices);
    let names = std::mem::take(&mut specs.names);
    let state = state(turns, std::mem::take(&mut specs.tools), cache_points, context);
    let request = GenerateRequest { conversation_state: state, additional_model_request_fields: fields.additional };
    let (head, tail) = serialize(&request);
    let size = head.len() + tail.len();
    if specs.count > specs::MANY_TOOLS || specs.bytes > specs::MANY_BYTES {
        let (count, bytes) = (specs.count, specs.bytes);
        notices.add(
            "many_tools",
            "tools",
            format!("{count} tools of about {bytes} bytes go with every request; all were sent"),
        );
    }
    if size > context.max_body_bytes {
        notices.add("body_over_limit", "", format!("the body has {size} bytes, above {}", context.max_body_bytes));
    }
    Built { notices: notices.into_vec(), names, inline_thinking, request, head, tail }
}

/// Wishes that nothing upstream corresponds to.
fn ignored(conversation: &Conversation, notices: &mut Notices) {
    let sampling = &conversation.sampling;
    let wishes = [("temperature", sampling.temperature.is_some()), ("top_p", sampling.top_p.is_some())];
    for (name, _) in wishes.into_iter().filter(|(_, given)| *given) {
        notices.add("sampling_ignored", name, "the service has no such field");
    }
    for index in 0..conversation.server_tools.len() {
        // Whoever runs such a tool declares a function for it instead.
        notices.add("server_tool_ignored", format!("server_tools[{index}]"), "nobody here runs this tool");
    }
}

fn state(
    mut turns: Vec<Turn>,
    tools: Vec<wire::Tool>,
    cache_points: bool,
    context: &BuildContext,
) -> wire::ConversationState {
    // The command-line identity names the model once and sends no continuation id.
    let cli = context.origin.ends_with("CLI");
    let model: Arc<str> = context.model_id.as_str().into();
    let cache = |mark: bool| (mark && cache_points).then(wire::CachePoint::default);
    let user = |turn: UserTurn, tools: Vec<wire::Tool>, model: Option<Arc<str>>| {
        let tool_results: Vec<_> = turn.results.into_iter().map(result).collect();
        let context_of_turn = wire::UserInputMessageContext { tools, tool_results };
        let empty = context_of_turn.tools.is_empty() && context_of_turn.tool_results.is_empty();
        wire::Message::UserInputMessage(Box::new(wire::UserInputMessage {
            content: turn.text,
            model_id: model,
            origin: context.origin,
            images: turn.images,
            documents: turn.documents,
            cache_point: cache(turn.cache),
            user_input_message_context: (!empty).then_some(context_of_turn),
        }))
    };
    let assistant = |turn: AssistantTurn| {
        let call = |call: ledger::ToolCall| wire::ToolUse { tool_use_id: call.id, name: call.name, input: call.input };
        wire::Message::AssistantResponseMessage(Box::new(wire::AssistantResponseMessage {
            content: turn.text,
            tool_uses: turn.calls.into_iter().map(call).collect(),
            reasoning_content: turn.reasoning,
            cache_point: cache(turn.cache),
        }))
    };
    let current = match turns.pop() {
        Some(Turn::User(turn)) => turn,
        Some(Turn::Assistant(_)) | None => unreachable!("the ledger ends with the user's turn"),
    };
    let history = turns.into_iter().map(|turn| match turn {
        Turn::User(turn) => user(turn, Vec::new(), (!cli).then(|| Arc::clone(&model))),
        Turn::Assistant(turn) => assistant(turn),
    });
    wire::ConversationState {
        agent_task_type: "vibe",
        chat_trigger_type: "MANUAL",
        conversation_id: context.conversation_id.clone(),
        agent_continuation_id: context.continuation_id.clone().filter(|_| !cli),
        history: history.collect(),
        current_message: user(current, tools, Some(model)),
    }
}

fn result(result: ledger::ToolResult) -> wire::ToolResult {
    wire::ToolResult {
        tool_use_id: result.id,
        content: result.texts.into_iter().map(wire::ToolResultContent::Text).collect(),
        status: if result.is_error { "error" } else { "success" },
    }
}

/// Serializes once; only the ARN between the two halves changes from attempt to attempt.
fn serialize(request: &GenerateRequest) -> (Vec<u8>, Vec<u8>) {
    let mut head = b"{\"conversationState\":".to_vec();
    serde_json::to_writer(&mut head, &request.conversation_state).expect("a request always serializes");
    let mut tail = Vec::new();
    if let Some(fields) = &request.additional_model_request_fields {
        tail.extend_from_slice(b",\"additionalModelRequestFields\":");
        serde_json::to_writer(&mut tail, fields).expect("a JSON value always serializes");
    }
    tail.push(b'}');
    (head, tail)
}
