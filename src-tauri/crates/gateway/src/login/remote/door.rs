//! Who may see and press what on the page of a sign-in link.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use secrecy::SecretString;
use tokio::sync::oneshot;

use super::{Chosen, Link, Stage, html};
use crate::error::Problem;
use crate::login::callback::Query;
use crate::login::page::{self, Language};
use crate::login::serve::is_meant_for;
use crate::login::shown::LoginKind;
use crate::login::wish::{FormWish, LoginWish, Opening, Plan, Task};
use crate::login::{Awaits, Said};

/// A pasted address is the longest thing that is sent here.
const LONGEST_BODY: usize = 32 * 1024;

pub(super) async fn answer(link: Arc<Link>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let language = Language::of(request.headers());
    if !is_meant_for(&request, &link.authority) {
        return html::nothing_here(StatusCode::MISDIRECTED_REQUEST, language);
    }
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (token, rest) = parts.split_first().map_or(("", &[][..]), |(token, rest)| (*token, rest));
    if !link.is_token(token) {
        return html::nothing_here(StatusCode::NOT_FOUND, language);
    }
    let method = request.method().clone();
    match (&method, rest) {
        // Programs that look at links ahead of the person only GET them: looking does not use the link up.
        (&Method::GET, []) if !link.is_claimed() => html::welcome(language, &link.token),
        (&Method::POST, []) => match link.claim() {
            Some(session) => {
                link.outer.show(|shown| {
                    shown.awaits = Awaits::RemoteSignIn;
                    shown.url = None;
                });
                see_other(&format!("/{}/{session}", link.token), language)
            }
            None => html::nothing_here(StatusCode::GONE, language),
        },
        (&Method::GET, []) => html::nothing_here(StatusCode::GONE, language),
        (method, [session, action @ ..]) if link.is_session(session) => {
            let home = format!("/{}/{session}", link.token);
            match (method.as_str(), action) {
                ("GET", []) => show(&link, &home, language, None),
                ("POST", ["begin"]) => {
                    let form = form(request).await;
                    begin(&link, &form);
                    see_other(&home, language)
                }
                ("POST", ["paste"]) => {
                    let form = form(request).await;
                    match paste(&link, form.get("text").unwrap_or_default()).await {
                        Ok(()) => see_other(&home, language),
                        Err(problem) => show(&link, &home, language, Some(&problem)),
                    }
                }
                ("POST", ["again"]) => {
                    if let Stage::Signing(inner) = link.stage() {
                        inner.cancel.cancel();
                        link.set_stage(Stage::Choosing(None));
                    }
                    see_other(&home, language)
                }
                _ => html::nothing_here(StatusCode::NOT_FOUND, language),
            }
        }
        _ => html::nothing_here(StatusCode::NOT_FOUND, language),
    }
}

fn show(link: &Link, home: &str, language: Language, problem: Option<&Problem>) -> Response<Full<Bytes>> {
    let outer = link.outer.shown();
    if outer.ended_at.is_some() {
        link.seen.notify_one();
        return html::ended(language, &outer);
    }
    match link.stage() {
        Stage::Choosing(last) => html::choose(language, home, problem.or(last.as_ref())),
        Stage::Signing(inner) => html::signing(language, home, &inner.shown(), problem),
    }
}

/// Begins what the person chose; what cannot be begun is told on the page.
fn begin(link: &Link, form: &Query) {
    let kind = match form.get("kind") {
        Some("google") => LoginKind::Google,
        Some("github") => LoginKind::Github,
        Some("builderId") => LoginKind::BuilderId,
        Some("idc") => LoginKind::Idc,
        Some("microsoft") => LoginKind::Microsoft,
        Some(_) | None => return,
    };
    if let Stage::Signing(_) = link.stage() {
        return;
    }
    // A directory has no device code: its last address is pasted.
    let form_wish = if kind == LoginKind::Microsoft { FormWish::Browser } else { FormWish::Device };
    let of = |name: &str| form.get(name).map(str::to_owned).filter(|text| !text.is_empty());
    let wish = LoginWish {
        start_url: of("startUrl"),
        region: of("region"),
        ..LoginWish::new(kind, form_wish, Opening::Nothing)
    };
    match Plan::new(wish, false) {
        Ok(plan) => {
            let form = plan.form();
            if let Task::Direct(way) = plan.task {
                // Full: the person pressed twice.
                let _ = link.chosen.try_send(Chosen { kind, form, way });
            }
        }
        Err(problem) => link.set_stage(Stage::Choosing(Some(problem))),
    }
}

async fn paste(link: &Link, text: &str) -> Result<(), Problem> {
    let Stage::Signing(inner) = link.stage() else { return Ok(()) };
    let (answer, answered) = oneshot::channel();
    inner.say(Said::Pasted(SecretString::from(text), answer), answered, Awaits::takes_paste).await
}

async fn form(request: Request<Incoming>) -> Query {
    match Limited::new(request.into_body(), LONGEST_BODY).collect().await {
        Ok(body) => Query::parse(&String::from_utf8_lossy(&body.to_bytes())),
        Err(_) => Query::default(),
    }
}

fn see_other(to: &str, language: Language) -> Response<Full<Bytes>> {
    let mut response = page::whole(StatusCode::SEE_OTHER, language, "", "", "");
    if let Ok(value) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}
