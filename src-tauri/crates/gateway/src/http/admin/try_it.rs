//! A test question, answered by the same path that clients' requests take.

use super::extract::Body as JsonBody;
use crate::account::AccountId;
use crate::client_key::KeyOptions;
use crate::error::{Problem, ProblemCode};
use crate::http::reply;
use crate::pipeline::rounds::Rounds;
use crate::wiring::Gateway;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use kiro_protocol::anthropic::AnthropicMessages;
use kiro_protocol::codec::{Delivery, Echo, Inbound};
use kiro_protocol::conversation::{Block, Conversation, Message, Role};
use kiro_protocol::failure::{Failure, FailureClass};
use kiro_protocol::sse::SseWriter;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longer questions are no test.
const MAX_QUESTION: usize = 16 * 1024;

/// A test question.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TestQuestion {
    /// What to ask.
    #[schema(min_length = 1, max_length = 16384)]
    question: String,
    /// Which model; the default one when absent.
    #[serde(default)]
    model: Option<String>,
}

/// Who answers; the first event of the answer, named `receipt`.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Receipt {
    /// Id of the request, as in the list of flows.
    request: String,
    /// Id of the account.
    account: String,
    /// True when the answer is made up on this machine.
    simulated: bool,
}

/// Asks a test question. The answer is a stream of Anthropic's events after one `receipt`.
#[utoipa::path(post, path = "/api/try", operation_id = "tryQuestion", request_body = TestQuestion,
    responses((status = 200, body = Receipt, content_type = "text/event-stream"), (status = 502, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn ask(
    State(gateway): State<Gateway>,
    JsonBody(question): JsonBody<TestQuestion>,
) -> Result<Response, Problem> {
    let text = question.question.trim().to_owned();
    if text.is_empty() || text.len() > MAX_QUESTION {
        return Err(Problem::new(ProblemCode::InvalidRequest, "a question has 1 to 16384 bytes"));
    }
    let parts = &gateway.parts;
    let settings = gateway.settings();
    let model = question.model.unwrap_or_else(|| settings.models.default.clone());
    let exchange = begin(&gateway, &text, &model, None).await?;
    let created = u64::try_from(parts.clock.now().unix_seconds()).unwrap_or_default();
    let echo = Echo { request_id: exchange.flow().id(), model, created, ..Echo::default() };
    let echo = Echo { input_tokens: Some(exchange.input_estimate()), ..echo };
    let mut writer = SseWriter::default();
    let flow = exchange.flow();
    let account = flow.account().unwrap_or_default();
    let receipt = Receipt { request: flow.id(), account, simulated: flow.simulated() };
    writer.json(Some("receipt"), &receipt);
    let manner = reply::Manner { keep_alive: settings.limits.keep_alive(), ..reply::Manner::default() };
    let body = reply::stream::<AnthropicMessages>(exchange, echo, manner, &parts.cut, writer);
    Ok(([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")], body).into_response())
}

/// Begins to answer a person's own question, by one account alone when that is named. Returns once somebody answers.
pub(super) async fn begin(
    gateway: &Gateway,
    text: &str,
    model: &str,
    only: Option<AccountId>,
) -> Result<Rounds, Problem> {
    let parts = &gateway.parts;
    let request_id = uuid::Uuid::new_v4().simple().to_string();
    let message = Message { role: Role::User, content: vec![Block::Text { text: text.to_owned(), cache: false }] };
    let inbound = Inbound {
        conversation: Conversation { model: model.to_owned(), messages: vec![message], ..Conversation::default() },
        delivery: Delivery::Stream,
        echo: Echo { request_id: request_id.clone(), model: model.to_owned(), ..Echo::default() },
        notices: Vec::new(),
        keep: None,
        forgets_signatures: false,
    };
    let flow = parts.flows.open(request_id, "try", None);
    let settings = gateway.settings();
    let begun = parts.pipeline.begin(inbound, flow, &settings, &KeyOptions::default(), only).await;
    let mut rounds = begun.map_err(|(failure, flow)| {
        flow.failed(&failure);
        problem(&failure)
    })?;
    rounds.connect().await.map_err(|failure| problem(&failure))?;
    Ok(rounds)
}

pub(super) fn problem(failure: &Failure) -> Problem {
    let code = match failure.class {
        FailureClass::NotFound
        | FailureClass::InvalidRequest
        | FailureClass::TooLarge
        | FailureClass::ContextWindow => ProblemCode::InvalidRequest,
        FailureClass::Internal => ProblemCode::Internal,
        FailureClass::Authentication
        | FailureClass::Permission
        | FailureClass::RateLimit
        | FailureClass::Quota
        | FailureClass::Overloaded
        | FailureClass::Timeout
        | FailureClass::Upstream => {
            if failure.code.contains("account") {
                ProblemCode::NoAccount
            } else {
                ProblemCode::UpstreamFailed
            }
        }
    };
    Problem::new(code, failure.message.clone()).param("reason", failure.code)
}
