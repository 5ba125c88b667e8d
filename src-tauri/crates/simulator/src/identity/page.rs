//! Sign-in pages for a real browser: a form and its buttons. What is pressed comes back to the same address as a parameter.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::http_server::{ResponseBody, full};
use crate::router::Call;
use crate::state::Decision;

/// The person's answer to a page, or the page that asks for it.
pub(super) enum Answer {
    Allowed,
    Denied,
    Page(Response<ResponseBody>),
}

/// Asks whether the person agrees. `buttons` are (name, value, text); where pages are off, the person agrees at once.
pub(super) fn consent(call: &Call, title: &str, buttons: &[(&str, &str, &str)]) -> Answer {
    if call.query.get("answer").is_some_and(|answer| answer == "deny") {
        return Answer::Denied;
    }
    let answered = buttons.iter().any(|(name, value, _)| call.query.get(*name).is_some_and(|given| given == value));
    if answered || !call.state.memory().pages {
        return Answer::Allowed;
    }
    Answer::Page(ask(call, title, buttons, ""))
}

/// Where a device code is confirmed.
pub(super) fn device(call: &Call) -> Response<ResponseBody> {
    let get = |name: &str| call.query.get(name).map_or("", String::as_str);
    let decision = match get("answer") {
        "allow" => Decision::Approved,
        "deny" => Decision::Denied,
        _ => {
            let code = escape(get("user_code"));
            // The portals of AWS carry the code behind the `#`, which only a script can read.
            let field = format!(
                "<label>Code <input name=\"user_code\" value=\"{code}\"></label>\
                 <script>const m=location.hash.match(/user_code=([^&]+)/);if(m)document.querySelector('[name=user_code]').value=decodeURIComponent(m[1])</script>"
            );
            return ask(call, "Confirm the code", &[("answer", "allow", "Allow")], &field);
        }
    };
    let mut memory = call.state.memory();
    match memory.devices.values_mut().find(|device| device.user_code == get("user_code")) {
        Some(device) => {
            device.decision = decision;
            html(StatusCode::OK, "<h1>Done</h1><p>You can close this window.</p>")
        }
        None => html(StatusCode::NOT_FOUND, "<h1>Unknown code</h1>"),
    }
}

fn ask(call: &Call, title: &str, buttons: &[(&str, &str, &str)], fields: &str) -> Response<ResponseBody> {
    let mut hidden = String::new();
    let own =
        |name: &str| name == "answer" || name == "user_code" || buttons.iter().any(|(known, _, _)| *known == name);
    let mut pairs: Vec<_> = call.query.iter().filter(|(name, _)| !own(name)).collect();
    pairs.sort();
    for (name, value) in pairs {
        let _ = write!(hidden, "<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value));
    }
    let mut pressed = String::new();
    for (name, value, text) in buttons {
        let _ = write!(pressed, "<p><button name=\"{name}\" value=\"{value}\">{text}</button></p>");
    }
    html(
        StatusCode::OK,
        &format!(
            "<h1>{title}</h1><p>This page belongs to the stand-in: nothing here is real.</p>\
             <form method=\"get\" action=\"{}\">{hidden}{fields}{pressed}<p><button name=\"answer\" value=\"deny\">Refuse</button></p></form>",
            escape(&call.path)
        ),
    )
}

fn html(status: StatusCode, body: &str) -> Response<ResponseBody> {
    let page = format!("<!doctype html><meta charset=\"utf-8\"><title>Stand-in</title>{body}");
    let mut response = Response::new(full(Bytes::from(page)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
