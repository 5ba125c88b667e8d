//! The loopback address to which a provider's page comes back (RFC 8252 §7.3).
//!
//! Promises: bound on 127.0.0.1 and ::1 or not at all; GET only, under the exact host of the redirect address; every arrival is judged by
//! the sign-in that waits, junk is answered and forgotten however much of it comes; no page repeats anything of a request.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use url::Url;

use super::page::{self, Page};
use super::paste;
use super::serve::{Doorway, is_meant_for, loopback};
use super::{Inbox, Parts, Said};
use crate::error::{Problem, ProblemCode};

/// Arrivals that wait for their judgement; more wait at the socket.
const QUEUE: usize = 16;
const LONGEST_QUERY: usize = 16 * 1024;
/// With port 0 the first family chooses; the other may not get the same, so some more are tried.
const TRIES: usize = 16;

/// The name in the redirect address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// What the portal's list has.
    Localhost,
    /// What AWS registers.
    Address,
}

/// The open callback address.
pub(super) struct Callback {
    /// Such as `http://localhost:3128`.
    pub(super) base: String,
    pub(super) port: u16,
    arrivals: mpsc::Receiver<Arrival>,
    door: Doorway,
}

/// A page that came back, or an address that a person pasted.
pub(super) struct Arrival {
    pub(super) came: Came,
    reply: Reply,
}

/// What came.
#[derive(Debug)]
pub(super) enum Came {
    /// An address, by its path and query.
    Address { path: String, query: Query },
    /// A code alone, typed or pasted by the person themselves.
    Code(String),
}

enum Reply {
    Browser(oneshot::Sender<Verdict>),
    Person(oneshot::Sender<Result<(), Problem>>),
}

/// What the sign-in makes of an arrival.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It belongs to no sign-in that waits here.
    Foreign,
    /// The person goes on there.
    Go(Url),
    /// That was it.
    Received,
    /// It was the right one, and says that there will be no sign-in.
    Refused,
}

/// The parameters of an address. A name that comes twice has no value: two readers could take different ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }
}

impl Callback {
    /// Opens the first of `ports` that is free on both families (port 0: any).
    pub(super) async fn open(parts: &Parts, name: Name, ports: &[u16]) -> Result<Self, Problem> {
        let tries = ports.iter().copied().flat_map(|port| std::iter::repeat_n(port, if port == 0 { TRIES } else { 1 }));
        for port in tries {
            match loopback(port).await {
                Ok((port, listeners)) => return Ok(Self::serve(parts, name, port, listeners)),
                Err(error) => tracing::info!(port, %error, "a callback port is not free"),
            }
        }
        let list = ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let words = if ports.len() == 1 {
            format!("port {list} is used by another program, and the provider's page can come back nowhere else")
        } else {
            format!("all ports to which the provider's page can come back are in use ({list})")
        };
        Err(Problem::new(ProblemCode::CallbackPortTaken, words)
            .action("Close the program that uses it (another sign-in, perhaps in Kiro itself), or sign in with a device code.")
            .param("ports", list))
    }

    fn serve(parts: &Parts, name: Name, port: u16, listeners: Vec<TcpListener>) -> Self {
        let host = match name {
            Name::Localhost => "localhost",
            Name::Address => "127.0.0.1",
        };
        let authority: Arc<str> = format!("{host}:{port}").into();
        let (sender, arrivals) = mpsc::channel(QUEUE);
        let base = format!("http://{authority}");
        let handler = move |request: Request<Incoming>| answer(request, Arc::clone(&authority), sender.clone());
        Self { base, port, arrivals, door: Doorway::open(listeners, &parts.tasks, handler) }
    }

    /// The next arrival, from a browser or from a person.
    pub(super) async fn next(&mut self, inbox: &mut Inbox) -> Arrival {
        loop {
            let said = tokio::select! {
                Some(arrival) = self.arrivals.recv() => return arrival,
                Some(said) = inbox.recv() => said,
                // Both ends are held as long as the sign-in lives.
                else => return std::future::pending().await,
            };
            match said {
                Said::Pasted(text, answer) => match paste::read(text.expose_secret()) {
                    Ok(came) => return Arrival { came, reply: Reply::Person(answer) },
                    Err(problem) => {
                        let _ = answer.send(Err(problem));
                    }
                },
                Said::Chosen(arn, answer) => {
                    tracing::debug!(arn, "a profile was chosen before there was one to choose");
                    let _ = answer
                        .send(Err(Problem::new(ProblemCode::InvalidRequest, "there is no profile to choose now")));
                }
            }
        }
    }

    /// Lets the last page go out and closes.
    pub(super) async fn close(self) {
        self.door.close().await;
    }
}

impl Arrival {
    /// Tells whoever came. One who has left is not missed.
    pub(super) fn answer(self, verdict: Verdict) {
        match self.reply {
            Reply::Browser(browser) => {
                let _ = browser.send(verdict);
            }
            Reply::Person(person) => {
                let _ = person.send(match verdict {
                    Verdict::Foreign => Err(paste::other_login()),
                    Verdict::Go(_) | Verdict::Received | Verdict::Refused => Ok(()),
                });
            }
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    authority: Arc<str>,
    arrivals: mpsc::Sender<Arrival>,
) -> Response<Full<Bytes>> {
    let language = page::Language::of(request.headers());
    if !is_meant_for(&request, &authority) {
        return page::plain(StatusCode::MISDIRECTED_REQUEST, language, Page::Foreign);
    }
    if request.method() != Method::GET {
        let mut refusal = page::plain(StatusCode::METHOD_NOT_ALLOWED, language, Page::Foreign);
        refusal.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET"));
        return refusal;
    }
    let query = request.uri().query().unwrap_or_default();
    if query.len() > LONGEST_QUERY {
        return page::plain(StatusCode::URI_TOO_LONG, language, Page::Foreign);
    }
    let came = Came::Address { path: request.uri().path().to_owned(), query: Query::parse(query) };
    let (reply, verdict) = oneshot::channel();
    let judged = match arrivals.send(Arrival { came, reply: Reply::Browser(reply) }).await {
        Ok(()) => verdict.await.unwrap_or(Verdict::Foreign),
        // The sign-in has what it wanted, or is over.
        Err(_) => Verdict::Foreign,
    };
    match judged {
        Verdict::Foreign => page::plain(StatusCode::NOT_FOUND, language, Page::Foreign),
        Verdict::Go(url) => page::redirect(&url, language),
        Verdict::Received => page::plain(StatusCode::OK, language, Page::Received),
        Verdict::Refused => page::plain(StatusCode::OK, language, Page::Refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_comes_twice_has_no_value() {
        let query = Query::parse("code=a&state=b&code=c&empty=");
        assert_eq!((query.get("state"), query.get("code"), query.get("empty")), (Some("b"), None, Some("")));
    }
}
