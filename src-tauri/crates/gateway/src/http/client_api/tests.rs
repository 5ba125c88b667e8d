//! A client that hangs up is a future that is dropped. Here it is dropped at every point at which it can wait, for each
//! protocol, whole and streamed, while the account's token has to be bought first.

use super::*;
use crate::account::{Account, AccountId, Leases, test_account};
use crate::admin_event::Announcer;
use crate::clock::{ManualClock, Timestamp};
use crate::credential::{Credentials, SecretId, Secrets};
use crate::dispatch::house::{self, Plan};
use crate::settings::ResponseSettings;
use crate::upstream::identity::{Identity, IdentityError, Refreshed};
use crate::upstream::scripted::{Scene, Scripted, Step, metering, text};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body::Frame;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret as _, SecretString};
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

/// More than any request here waits.
const MOST: usize = 400;

/// A token endpoint that takes its time and takes every refresh token once.
struct Rotating {
    good: Mutex<String>,
    calls: AtomicUsize,
}

impl Identity for Rotating {
    fn refresh<'a>(&'a self, _: &'a Account, secrets: &'a Secrets) -> BoxFuture<'a, Result<Refreshed, IdentityError>> {
        Box::pin(async move {
            let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::time::sleep(Duration::from_millis(40)).await;
            let sent = secrets.refresh_token.as_ref().expect("a token").expose_secret().to_owned();
            let next = format!("refresh-{}", call + 1);
            {
                let mut good = self.good.lock().expect("lock");
                if *good != sent {
                    return Err(IdentityError::Rejected("invalid_grant".into()));
                }
                good.clone_from(&next);
            }
            // The service has exchanged it; the answer is still on its way.
            tokio::time::sleep(Duration::from_millis(40)).await;
            Ok(Refreshed {
                access_token: SecretString::from(format!("access-{call}")),
                refresh_token: Some(SecretString::from(next)),
                expires_in: Some(Duration::from_secs(3600)),
                profile_arn: None,
            })
        })
    }
}

/// Ends after a number of polls.
struct Fuse {
    left: AtomicUsize,
    blown: Notify,
}

impl Fuse {
    fn new(polls: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(polls), blown: Notify::new() })
    }

    /// Whether this poll is one too many.
    fn blows(&self) -> bool {
        let blown = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err();
        if blown {
            self.blown.notify_one();
        }
        blown
    }
}

/// Something that is dropped when its fuse blows, as when its connection is gone.
struct Fused<T> {
    inner: Option<Pin<Box<T>>>,
    fuse: Arc<Fuse>,
}

impl<T> Fused<T> {
    fn new(inner: T, fuse: &Arc<Fuse>) -> Self {
        Self { inner: Some(Box::pin(inner)), fuse: Arc::clone(fuse) }
    }

    fn get(&mut self) -> Option<Pin<&mut T>> {
        if self.inner.is_some() && self.fuse.blows() {
            self.inner = None;
        }
        self.inner.as_mut().map(Pin::as_mut)
    }
}

impl<T: Future> Future for Fused<T> {
    type Output = T::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T::Output> {
        self.get().map_or(Poll::Pending, |inner| inner.poll(context))
    }
}

impl http_body::Body for Fused<Body> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.get().map_or(Poll::Pending, |inner| inner.poll_frame(context))
    }
}

/// Everything behind the door, with one account that may answer one request at a time.
struct House {
    _folder: tempfile::TempDir,
    api: Arc<ClientApi>,
    key: String,
    account: AccountId,
    identity: Arc<Rotating>,
    upstream: Arc<Scripted>,
    leases: Arc<Leases>,
    credentials: Credentials,
    tracker: TaskTracker,
}

impl House {
    async fn new() -> Self {
        let identity = Arc::new(Rotating { good: Mutex::new("refresh-1".into()), calls: AtomicUsize::new(0) });
        let pause = || Step::Wait(Duration::from_millis(10));
        let words = vec![text("one "), pause(), text("two "), pause(), text("three"), pause(), metering()];
        let base = house::House::new(Plan {
            accounts: vec![test_account("one")],
            clock: Arc::new(ManualClock::new(Timestamp(1_795_000_000_000))),
            identity: identity.clone(),
            concurrency: 1,
            disk: None,
            scenes: vec![Scene::Answer(words); MOST],
        });
        base.upstream.lists(vec![(200, r#"{"models": ["claude-sonnet-4.5"]}"#.to_owned()); MOST]);
        let pipeline = crate::pipeline::house::pipeline(&base);
        let house::House { folder, dir, clock, roster, leases, credentials, tracker, upstream, .. } = base;
        let account = Arc::clone(&roster.list()[0]);
        house::sign_in(&credentials, &account, "refresh-1").await;
        let keys = Keys::open(Arc::clone(&dir), credentials.clone(), clock.clone()).expect("opened");
        let key = keys.ensure_first().await.expect("made").expect("the first one").secret.expose_secret().to_owned();
        let kept = Kept::new(Arc::clone(&dir), credentials.clone(), clock.clone(), "here");
        kept.follow(&ResponseSettings::default()).await;
        let api = ClientApi {
            pipeline,
            keys: Arc::new(keys),
            settings: Arc::new(SettingsStore::open(dir, &[]).expect("opened")),
            flows: Arc::new(Flows::new(clock.clone(), Announcer::new())),
            kept: Arc::new(kept),
            clock,
            budget: Budget::default(),
            port: 80,
            cut: CancellationToken::new(),
        };
        let (api, account) = (Arc::new(api), account.id.clone());
        Self { _folder: folder, api, key, account, identity, upstream, leases, credentials, tracker }
    }

    /// Neither a token nor a list of models is known any more.
    fn forget(&self) {
        self.api.pipeline.dispatcher.tokens.forget(&self.account);
        self.api.pipeline.catalog.forget(&self.account);
    }

    /// Everything that was begun ends.
    async fn settle(&self) {
        self.tracker.close();
        self.tracker.wait().await;
        self.tracker.reopen();
    }

    async fn stored(&self) -> String {
        let secrets = self.credentials.load(&SecretId::account(&self.account)).await.expect("loads").expect("there");
        secrets.refresh_token.expect("a token").expose_secret().to_owned()
    }

    /// Sends a request whose client is gone after `polls` polls of whatever answers it. The answer when it was whole before.
    async fn ask(&self, path: &str, body: &str, polls: usize) -> Option<String> {
        let fuse = Fuse::new(polls);
        let (mut client, server) = tokio::io::duplex(256 * 1024);
        let (api, fused) = (Arc::clone(&self.api), Arc::clone(&fuse));
        let service = service_fn(move |request| {
            let answer = Fused::new(Arc::clone(&api).answer(request, Phase::default()), &fused);
            let fused = Arc::clone(&fused);
            async move { Ok::<_, std::convert::Infallible>(answer.await.map(|body| Fused::new(body, &fused))) }
        });
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            self.key,
            body.len()
        );
        client.write_all(request.as_bytes()).await.expect("sent");
        let whole = async {
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.expect("text");
            answer
        };
        let connection = http1::Builder::new().serve_connection(TokioIo::new(server), service);
        tokio::select! {
            (_, answer) = futures_util::future::join(connection, whole) => Some(answer),
            () = fuse.blown.notified() => None,
        }
    }
}

const QUESTION: &str = r#"[{"role": "user", "content": "hello"}]"#;

/// Every protocol with its question, whole and streamed, and what ends its answer.
fn forms() -> Vec<(&'static str, String, &'static str)> {
    let messages = |stream: bool| {
        format!(r#"{{"model": "claude-sonnet-4.5", "max_tokens": 64, "stream": {stream}, "messages": {QUESTION}}}"#)
    };
    let input = |stream: bool| format!(r#"{{"model": "claude-sonnet-4.5", "stream": {stream}, "input": "hello"}}"#);
    let contents = || r#"{"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}"#.to_owned();
    vec![
        ("/v1/messages", messages(false), "end_turn"),
        ("/v1/messages", messages(true), "message_stop"),
        ("/v1/chat/completions", messages(false), "\"finish_reason\":\"stop\""),
        ("/v1/chat/completions", messages(true), "data: [DONE]"),
        ("/v1/responses", input(false), "\"status\":\"completed\""),
        ("/v1/responses", input(true), "response.completed"),
        ("/v1beta/models/claude-sonnet-4.5:generateContent", contents(), "STOP"),
        ("/v1beta/models/claude-sonnet-4.5:streamGenerateContent?alt=sse", contents(), "STOP"),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_at_any_await_point_or_frame_loses_no_token_and_leaves_the_account_free() {
    for (path, body, end) in forms() {
        let house = House::new().await;
        let mut polls = 0;
        loop {
            house.forget();
            let (before, calls) = (house.stored().await, house.identity.calls.load(Ordering::SeqCst));
            let answer = house.ask(path, &body, polls).await;
            house.settle().await;
            let when = format!("{path} {body}: gone after {polls} polls");
            let bought = house.identity.calls.load(Ordering::SeqCst) - calls;
            assert!(bought <= 1, "{when}: {bought} refreshes");
            let (stored, good) = (house.stored().await, house.identity.good.lock().expect("lock").clone());
            assert_eq!(stored, good, "{when}: the newest token is stored");
            assert_eq!(stored != before, bought == 1, "{when}");
            let record = house.leases.record(&house.account).expect("there");
            assert_eq!(record.in_flight, 0, "{when}: the lease is given back");
            assert_eq!((house.upstream.open(), house.api.flows.in_flight()), (0, 0), "{when}");
            if let Some(answer) = answer {
                assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(end), "{when}: {answer}");
                break;
            }
            polls += 1;
            assert!(polls < MOST, "{path}: never answered");
        }
        // Buying the token, the list, the answer's head and its pieces are waited for: a few places at least were tried.
        assert!(polls >= 5, "{path}: only {polls} places");
        println!("{path}: dropped at each of {polls} polls");
    }
}
