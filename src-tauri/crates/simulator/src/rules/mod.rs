//! The service's validation rules (kiro-upstream §2.3), one file per group.
//!
//! Every rule is checked, every finding recorded, and the first one decides the answer. Where the sources disagree
//! the lenient reading is used and said so in the file of the group: a legitimate request is never reported.

mod media;
mod model;
mod request;
mod shape;
mod size;
mod tools;
mod turns;

use serde::Deserialize;
use serde_json::Value;

use crate::account::AccountSeed;
use crate::auth;
use crate::models::Model;
use crate::refusal::Refusal;
use crate::router::Call;

/// What was found in one request, most decisive first.
#[derive(Debug, Default)]
struct Findings {
    refusals: Vec<Refusal>,
    notes: Vec<(&'static str, String)>,
}

impl Findings {
    fn refuse(&mut self, refusal: Refusal) {
        self.refusals.push(refusal);
    }

    /// Something the service lets pass although a caller should not send it.
    fn note(&mut self, rule: &'static str, detail: &str) {
        self.notes.push((rule, detail.to_owned()));
    }
}

fn at_turn(n: usize) -> String {
    format!("history[{n}]")
}

/// Checks a chat request; answers the model that it goes to.
pub(crate) fn check(call: &Call, caller: &AccountSeed, body: &Value) -> Result<Model, Refusal> {
    let request = match request::Request::deserialize(body) {
        Ok(request) => request,
        Err(e) => {
            call.enforce(Refusal::malformed("V25", format!("wrong type: {e}")).reason("REQUEST_BODY_INVALID"))?;
            return fallback(call);
        }
    };
    let mut found = Findings::default();
    if let Err(refusal) = auth::check_arn(call, caller, request.profile_arn.as_deref()) {
        found.refuse(refusal);
    }
    shape::check(&request, &mut found);
    let model = model::find(call, caller, &request, &mut found);
    if let Some(model) = &model {
        model::fields(&request, model, &mut found);
    }
    turns::check(&request, &mut found);
    tools::check(&request, &mut found);
    media::check(&request, model.as_ref(), &mut found);
    size::check(&request, call.body.len(), model.as_ref(), &mut found);
    model::reasoning(call, &request, &mut found);
    headers(call, &mut found);

    for (rule, detail) in found.notes {
        call.record(rule, detail);
    }
    let strict = call.state.config.strict;
    let mut refusals = found.refusals.into_iter();
    let first = if strict { refusals.next() } else { None };
    for refusal in refusals {
        if let Some((rule, detail)) = refusal.violation {
            call.record(rule, detail);
        }
    }
    match (first, model) {
        (Some(refusal), _) => Err(refusal),
        (None, Some(model)) => Ok(model),
        (None, None) => fallback(call),
    }
}

/// In the recording-only mode even a request without a usable model is answered.
fn fallback(call: &Call) -> Result<Model, Refusal> {
    let found = call.state.models.find("auto").cloned();
    found.ok_or_else(|| Refusal::new(500, "InternalServerException", "the catalogue has no default model"))
}

/// Headers that are recommended: their absence is fine, a wrong value is not (kiro-upstream §1.5).
fn headers(call: &Call, found: &mut Findings) {
    if let Some(id) = call.header("amz-sdk-invocation-id")
        && uuid::Uuid::parse_str(id).is_err()
    {
        found.note("header.invocation-id", &format!("{id:?} is no UUID"));
    }
    if let Some(attempt) = call.header("amz-sdk-request")
        && !attempt.starts_with("attempt=")
    {
        found.note("header.sdk-request", &format!("{attempt:?}"));
    }
    if let Some(optout) = call.header("x-amzn-codewhisperer-optout")
        && !matches!(optout, "true" | "false")
    {
        found.note("header.optout", &format!("{optout:?}"));
    }
    if let Some(mode) = call.header("x-amzn-kiro-agent-mode")
        && !matches!(mode, "vibe" | "spec")
    {
        found.note("header.agent-mode", &format!("{mode:?}"));
    }
}
