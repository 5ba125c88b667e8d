//! The control endpoints for other processes, under `/__sim/`.

use bytes::Bytes;
use http::{Method, Response};
use serde::Deserialize;
use serde_json::json;

use crate::http_server::ResponseBody;
use crate::refusal::json_response;
use crate::script::{Script, Target};
use crate::state::State;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Queued {
    #[serde(default = "anyone")]
    target: Target,
    #[serde(flatten)]
    script: serde_json::Value,
}

#[derive(Deserialize)]
struct CreditsUsed {
    account: String,
    used: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignInWish {
    #[serde(default)]
    pages: Option<bool>,
    #[serde(default)]
    auto_approve: Option<bool>,
    #[serde(default, rename = "as")]
    account: Option<String>,
}

fn anyone() -> Target {
    Target::Any
}

pub(crate) fn answer(state: &State, method: &Method, path: &str, body: &Bytes) -> Response<ResponseBody> {
    match (method, path) {
        (&Method::GET, "journal") => json_response(200, &json!({"entries": state.memory().journal.entries()})),
        (&Method::GET, "violations") => json_response(200, &json!({"violations": state.memory().journal.violations()})),
        (&Method::GET, "counters") => json_response(200, &json!(state.memory().counters)),
        // The demo account's login, so that a program in another process can import an account that works here.
        (&Method::GET, "credentials") => json_response(200, &crate::demo::credentials()),
        (&Method::GET, "scenarios") => json_response(
            200,
            &json!({"scenarios": state.catalogue.scenario_names(), "errors": state.catalogue.error_ids()}),
        ),
        (&Method::POST, "scripts") => queue(state, body),
        (&Method::POST, "credits") => credits(state, body),
        (&Method::POST, "signin") => sign_in(state, body),
        (&Method::POST, "release") => {
            state.release.send_modify(|n| *n += 1);
            json_response(200, &json!({}))
        }
        (&Method::POST, "reset") => {
            state.reset();
            json_response(200, &json!({}))
        }
        _ => json_response(404, &json!({"message": "no such control endpoint"})),
    }
}

fn queue(state: &State, body: &Bytes) -> Response<ResponseBody> {
    let parsed = serde_json::from_slice::<Queued>(body)
        .and_then(|q| serde_json::from_value::<Script>(q.script).map(|script| (q.target, script)));
    match parsed {
        Ok(queued) => {
            state.memory().scripts.push_back(queued);
            json_response(200, &json!({}))
        }
        Err(e) => json_response(400, &json!({"message": e.to_string()})),
    }
}

/// How sign-ins go from now on.
fn sign_in(state: &State, body: &Bytes) -> Response<ResponseBody> {
    match serde_json::from_slice::<SignInWish>(body) {
        Ok(wish) => {
            let mut memory = state.memory();
            memory.pages = wish.pages.unwrap_or(memory.pages);
            memory.auto_approve = wish.auto_approve.unwrap_or(memory.auto_approve);
            memory.sign_in_as = wish.account.or(memory.sign_in_as.take());
            json_response(200, &json!({}))
        }
        Err(e) => json_response(400, &json!({"message": e.to_string()})),
    }
}

/// Sets how many credits an account has used, so that a long run does not end at its plan's limit.
fn credits(state: &State, body: &Bytes) -> Response<ResponseBody> {
    match serde_json::from_slice::<CreditsUsed>(body) {
        Ok(wish) => {
            if let Some(account) = state.memory().accounts.iter_mut().find(|account| account.seed.id == wish.account) {
                account.credits_used = wish.used;
                return json_response(200, &json!({}));
            }
            json_response(404, &json!({"message": "no such account"}))
        }
        Err(e) => json_response(400, &json!({"message": e.to_string()})),
    }
}
