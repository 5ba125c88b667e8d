//! What the page of a sign-in link looks like. Everything that came from elsewhere is escaped.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;

use crate::error::Problem;
use crate::login::page::{Language, escape, whole};
use crate::login::shown::{Awaits, LoginState, Shown};

/// The page looks again after this many seconds.
const AGAIN: u32 = 3;

type Page = Response<Full<Bytes>>;

pub(super) fn nothing_here(status: StatusCode, language: Language) -> Page {
    fixed(status, language, "gone")
}

/// The first page: pressing the button makes the link this session's.
pub(super) fn welcome(language: Language, token: &str) -> Page {
    let content = format!(
        "<p>{}</p><form method=\"post\" action=\"/{token}\"><button>{}</button></form><p class=\"quiet\">{}</p>",
        language.words("signIn.remote.welcome.text"),
        language.words("signIn.remote.welcome.go"),
        language.words("signIn.remote.welcome.once"),
    );
    page(language, "welcome", &content, false)
}

/// How to sign in.
pub(super) fn choose(language: Language, home: &str, problem: Option<&Problem>) -> Page {
    let mut content = told(language, problem);
    let _ = write!(content, "<form method=\"post\" action=\"{home}/begin\">");
    for (kind, name) in
        [("google", "Google"), ("github", "GitHub"), ("builderId", "AWS Builder ID"), ("microsoft", "Microsoft")]
    {
        let _ = write!(content, "<p><button name=\"kind\" value=\"{kind}\">{name}</button></p>");
    }
    let _ = write!(
        content,
        "</form><form method=\"post\" action=\"{home}/begin\"><h2>{}</h2>\
         <label>{} <input name=\"startUrl\" type=\"url\" required placeholder=\"https://example.awsapps.com/start\"></label>\
         <label>{} <input name=\"region\" required placeholder=\"us-east-1\"></label>\
         <button name=\"kind\" value=\"idc\">{}</button></form>",
        language.words("signIn.remote.idc.title"),
        language.words("signIn.remote.idc.startUrl"),
        language.words("signIn.remote.idc.region"),
        language.words("signIn.remote.welcome.go"),
    );
    page(language, "choose", &content, false)
}

/// What to do at the provider.
pub(super) fn signing(language: Language, home: &str, inner: &Shown, problem: Option<&Problem>) -> Page {
    let mut content = told(language, problem);
    let takes_paste = inner.awaits.takes_paste();
    match &inner.url {
        Some(url) if inner.awaits == Awaits::DeviceCode || takes_paste => {
            let address = escape(url.as_str());
            let _ = write!(
                content,
                "<p>{}</p><p><a href=\"{address}\" target=\"_blank\" rel=\"noopener noreferrer\">{address}</a></p>",
                language.words("signIn.remote.open"),
            );
            if let Some(code) = &inner.user_code {
                let _ = write!(
                    content,
                    "<p>{}</p><p><code>{}</code></p>",
                    language.words("signIn.remote.code"),
                    escape(code)
                );
            }
            if takes_paste {
                let _ = write!(
                    content,
                    "<form method=\"post\" action=\"{home}/paste\"><label>{}<textarea name=\"text\" rows=\"4\" required></textarea></label>\
                     <button>{}</button></form>",
                    language.words("signIn.remote.paste"),
                    language.words("signIn.remote.welcome.go"),
                );
            }
            content.push_str(&picture(inner));
            let _ = write!(
                content,
                "<form method=\"post\" action=\"{home}/again\"><button>{}</button></form>",
                language.words("signIn.remote.again"),
            );
        }
        Some(_) | None => {
            let _ = write!(content, "<p>{}</p>", language.words("signIn.remote.working"));
        }
    }
    // A page that reloads itself would throw away what is being pasted.
    page(language, "signing", &content, !takes_paste)
}

/// How it ended.
pub(super) fn ended(language: Language, outer: &Shown) -> Page {
    let name = if outer.state == LoginState::Done { "done" } else { "notDone" };
    fixed(StatusCode::OK, language, name)
}

fn fixed(status: StatusCode, language: Language, name: &str) -> Page {
    let title = language.words(&format!("signIn.remote.{name}.title"));
    let text = language.words(&format!("signIn.remote.{name}.text"));
    whole(status, language, &title, &format!("<p>{text}</p>"), "")
}

fn page(language: Language, name: &str, content: &str, reloads: bool) -> Page {
    let head = if reloads { format!("<meta http-equiv=\"refresh\" content=\"{AGAIN}\">") } else { String::new() };
    let title = language.words(&format!("signIn.remote.{name}.title"));
    whole(StatusCode::OK, language, &title, content, &head)
}

/// A problem in the person's language where the catalogue has it.
fn told(language: Language, problem: Option<&Problem>) -> String {
    let Some(problem) = problem else { return String::new() };
    if !problem.fields.is_empty() {
        let words: Vec<String> = problem.fields.values().map(|field| escape(&field.message)).collect();
        return format!("<p role=\"alert\">{}</p>", words.join("<br>"));
    }
    let code = serde_json::to_value(problem.code).ok().and_then(|code| code.as_str().map(str::to_owned));
    let code = code.unwrap_or_default();
    let mut what = language.words(&format!("problem.{code}.what"));
    for (name, value) in &problem.params {
        what = what.replace(&format!("{{{name}}}"), &escape(value));
    }
    let next = language.words(&format!("problem.{code}.next"));
    format!("<p role=\"alert\">{what}<br>{next}</p>")
}

/// The QR code as a drawing in the page itself: nothing is loaded.
fn picture(inner: &Shown) -> String {
    let Some(qr) = inner.qr() else { return String::new() };
    let mut path = String::new();
    for (y, row) in qr.rows.iter().enumerate() {
        for (x, _) in row.bytes().enumerate().filter(|(_, module)| *module == b'1') {
            let _ = write!(path, "M{} {}h1v1h-1z", x + 4, y + 4);
        }
    }
    let side = qr.size + 8;
    format!(
        "<p><svg viewBox=\"0 0 {side} {side}\" width=\"220\" height=\"220\" role=\"img\" aria-label=\"QR\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{path}\" fill=\"#000\"/></svg></p>"
    )
}
