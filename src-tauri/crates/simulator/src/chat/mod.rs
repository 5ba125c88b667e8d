//! Chat: checks the request, lets the brain or a script decide the answer, and streams it.

mod answer;
mod brain;
mod form;
mod reading;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use rand::RngExt;
use serde_json::{Value, json};

use crate::account::AccountSeed;
use crate::credits;
use crate::delivery::{self, Ended, Part, Plan};
use crate::frame::StreamMessage;
use crate::models::Model;
use crate::refusal::Refusal;
use crate::router::{Call, Outcome, plain};
use crate::rules;
use crate::scenario::{Scenario, Step};
use crate::script::{Answer, Cut, End, Faults, Flip, Script, Stall};

pub(crate) use answer::signature_of;

pub(crate) async fn answer(call: &Call, caller: &AccountSeed) -> Outcome {
    call.state.memory().counters.generate += 1;
    let body = match call.json() {
        Ok(body) => body,
        Err(refusal) => return Outcome::Refused(refusal),
    };
    let conversation = body["conversationState"]["conversationId"].as_str().map(str::to_owned);
    call.note(|entry| entry.conversation.clone_from(&conversation));
    let model = match rules::check(call, caller, &body) {
        Ok(model) => model,
        Err(refusal) => return Outcome::Refused(refusal),
    };
    if let Some(refusal) = out_of_credits(call, caller) {
        return Outcome::Refused(refusal);
    }
    let script = choose_script(call, &caller.id, conversation.as_deref());
    tokio::time::sleep(Duration::from_millis(script.faults.headers_after_ms)).await;
    if script.faults.refuse {
        return Outcome::Abort;
    }
    if let Some(response) = plain(call, &script) {
        return Outcome::Answer(response);
    }
    let conversation = conversation.unwrap_or_else(|| call.state.memory().uuid());
    match stream(call, caller, &body, &model, &script, &conversation) {
        Ok(response) => Outcome::Answer(response),
        Err(refusal) => Outcome::Refused(refusal),
    }
}

fn out_of_credits(call: &Call, caller: &AccountSeed) -> Option<Refusal> {
    let memory = call.state.memory();
    let account = memory.account(&caller.id)?;
    credits::is_used_up(account, call.state.clock.now_ms()).then(|| {
        Refusal::new(402, "ServiceQuotaExceededException", "You have reached the limit.")
            .reason("MONTHLY_REQUEST_COUNT")
    })
}

fn choose_script(call: &Call, account: &str, conversation: Option<&str>) -> Script {
    let mut memory = call.state.memory();
    let queued = memory.take_script(call.operation.name(), account, conversation);
    let share = memory.random_faults.clamp(0.0, 1.0);
    let script = match queued {
        Some(script) => Some(script),
        None if share > 0.0 && memory.rng.random_bool(share) => Some(random_script(&mut memory.rng)),
        None => None,
    };
    drop(memory);
    if script.is_some() {
        call.note(|entry| entry.scripted = true);
    }
    script.unwrap_or_default()
}

/// One fault of each kind is equally likely; all numbers come from the seed.
fn random_script(rng: &mut rand::rngs::StdRng) -> Script {
    let mut script = Script::default();
    let faults = &mut script.faults;
    match rng.random_range(0..9) {
        0 => faults.chunks = (0..8).map(|_| rng.random_range(1..40)).collect(),
        1 => faults.flip = vec![Flip { at: rng.random_range(0..400), bit: rng.random_range(0..8) }],
        2 => faults.cut = Some(Cut { at: rng.random_range(0..400), end: End::Eof }),
        3 => faults.cut = Some(Cut { at: rng.random_range(0..400), end: End::Reset }),
        4 => faults.stall = vec![Stall { at: rng.random_range(0..400), for_ms: Some(rng.random_range(1..50)) }],
        5 => faults.first_byte_after_ms = rng.random_range(1..100),
        6 => faults.refuse = true,
        7 => {
            let message = StreamMessage::exception(
                "InternalServerException",
                json!({"message": "Encountered an unexpected error when processing the request."}),
            );
            faults.insert = vec![crate::script::Insert { before: rng.random_range(0..6), message }];
        }
        _ => script.answer = Answer::Error("throttled".to_owned()),
    }
    script
}

fn stream(
    call: &Call,
    caller: &AccountSeed,
    body: &Value,
    model: &Model,
    script: &Script,
    conversation: &str,
) -> Result<Response<crate::http_server::ResponseBody>, Refusal> {
    let unknown =
        |what: &str| Refusal::new(500, "InternalServerException", format!("the script names an unknown {what}"));
    let scenario = match &script.answer {
        Answer::Scenario(name) => {
            call.state.catalogue.scenario(name).cloned().ok_or_else(|| unknown(&format!("scenario: {name}")))?
        }
        Answer::Messages(scenario) => scenario.clone(),
        Answer::Text(text) => answer::scenario(call, body, model, conversation, &brain::Reply::text(text.clone())),
        Answer::CutCall { characters, stop } => {
            let whole = answer::scenario(call, body, model, conversation, &brain::reply(body));
            answer::cut_call(whole, *characters, *stop)
        }
        Answer::Normal | Answer::Error(_) | Answer::Http { .. } | Answer::ToolFailed(_) | Answer::RpcError(_) => {
            answer::scenario(call, body, model, conversation, &brain::reply(body))
        }
    };
    remember(call, caller, &scenario);
    let plan = plan(&scenario, &script.faults);
    let state = call.state.clone();
    let seq = call.seq;
    let finished = Box::new(move |ended: Ended, sent: u64| {
        let mut memory = state.memory();
        if ended == Ended::CallerLeft {
            memory.counters.abandoned += 1;
        }
        memory.journal.update(seq, |entry| {
            entry.ended = ended;
            entry.stream_bytes = sent;
        });
    });
    let body =
        delivery::body(plan, &script.faults, call.state.release.subscribe(), call.connection.reset.clone(), finished);
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(&scenario.content_type) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    for (name, value) in
        [("x-amzn-requestid", call.request_id.as_str()), ("x-amzn-codewhisperer-conversation-id", conversation)]
    {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

/// Keeps what the answer promises: credits are charged, and signed reasoning will be recognised on replay.
fn remember(call: &Call, caller: &AccountSeed, scenario: &Scenario) {
    let mut text = String::new();
    let now_ms = call.state.clock.now_ms();
    let mut memory = call.state.memory();
    let mut credits = 0.0;
    for step in &scenario.messages {
        let Step::Message(StreamMessage::Event { event_type, payload }) = step else { continue };
        match event_type.as_str() {
            "reasoningContentEvent" => {
                text.push_str(payload["text"].as_str().unwrap_or_default());
                if let Some(signature) = payload["signature"].as_str() {
                    memory.reasoning.insert((std::mem::take(&mut text), signature.to_owned()));
                }
            }
            "meteringEvent" => credits += payload["usage"].as_f64().unwrap_or_default(),
            _ => {}
        }
    }
    if let Some(account) = memory.account_mut(&caller.id) {
        credits::charge(account, credits, now_ms);
        account.requests += 1;
    }
}

fn plan(scenario: &Scenario, faults: &Faults) -> Plan {
    let mut steps = scenario.messages.clone();
    let mut inserts: Vec<_> = faults.insert.iter().collect();
    inserts.sort_by_key(|i| std::cmp::Reverse(i.before));
    for insert in inserts {
        let messages = steps.iter().enumerate().filter(|(_, s)| matches!(s, Step::Message(_)));
        let at = messages.map(|(at, _)| at).nth(insert.before).unwrap_or(steps.len());
        steps.insert(at, Step::Message(insert.message.clone()));
    }
    let mut parts: Vec<Part> = Vec::with_capacity(steps.len());
    let mut cut = 0;
    for step in steps {
        match step {
            Step::Message(message) => {
                let bytes = message.to_bytes();
                let keep = bytes.len().saturating_sub(std::mem::take(&mut cut));
                parts.push(Part { bytes: bytes.slice(..keep), pause: Duration::ZERO });
            }
            Step::Pause { pause_ms } => {
                let pause = Duration::from_millis(pause_ms);
                match parts.last_mut() {
                    Some(part) => part.pause += pause,
                    None => parts.push(Part { bytes: Bytes::new(), pause }),
                }
            }
            Step::CutNext { cut_last_frame_bytes } => cut = cut_last_frame_bytes,
        }
    }
    Plan { parts, end: scenario.end }
}
