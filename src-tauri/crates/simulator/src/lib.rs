//! A faithful, strict, scriptable stand-in for the Kiro upstream on loopback.
//!
//! It serves every operation that a gateway needs (chat, web search, quota, models, profiles, API keys, and the
//! sign-in and refresh endpoints of all credential families) and tells the service's hosts apart by the `Host`
//! header; a loopback name serves everything. It shares no code with the gateway: requests are read with its own
//! types and frames are written by AWS's own event-stream crate, so that a misreading cannot hide on both sides.
//!
//! * **Strict.** Every rule of the request body, headers, tokens, models and profile ARNs is checked, answered as the
//!   service answers, and recorded as a [`Violation`] with the rule's id. Where sources disagree the lenient reading
//!   is used; the choice is written down in the file of the group under `rules/`.
//! * **Scriptable.** [`Control::enqueue`] queues a [`Script`]: a scenario, an error, a text, written-out messages, or
//!   the normal answer, with [`Faults`] at exact bytes of it: other pieces, flipped bits, a cut with a clean end or a
//!   TCP reset, a stall, a late first byte, a body that stays open, inserted exceptions and unknown events, a refused
//!   connection. [`Config::random_faults`] draws faults from the seed instead.
//! * **A small brain** answers `SAY: …` word for word, writes a file with the client's own tool when it is asked to,
//!   reports the result, and otherwise says that it is simulated. It streams word by word, thinks aloud when asked
//!   for, counts tokens against the model's window and charges credits.
//! * **Time** follows tokio's clock, so a paused test runtime pauses it; [`Control::advance_clock`] moves the wall
//!   clock that tokens expire by.
//!
//! Other processes use `GET /__sim/journal`, `GET /__sim/violations`, `GET /__sim/counters`, `GET /__sim/scenarios`,
//! `POST /__sim/scripts` (a [`Script`] as JSON, with an optional `target`), `POST /__sim/release` and
//! `POST /__sim/reset`; `POST /__sim/signin` takes `{pages?, autoApprove?, as?}` for sign-ins.
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! use kiro_simulator::{Answer, Config, Script, Simulator, Target};
//!
//! let simulator = Simulator::start(Config::default()).await?;
//! let throttled = Script { answer: Answer::Error("throttled".to_owned()), ..Script::default() };
//! simulator.control().enqueue(Target::Account("demo".to_owned()), throttled);
//! // … let a gateway with KIRO_PROXY_ENDPOINTS set to simulator.url() serve a request …
//! assert!(simulator.control().violations().is_empty());
//! simulator.stop().await;
//! # Ok(()) }
//! ```

mod account;
mod auth;
mod chat;
mod clock;
mod config;
mod control;
mod control_http;
mod credits;
mod delivery;
pub mod demo;
mod frame;
mod host;
mod http_server;
mod identity;
mod journal;
mod mcp;
mod models;
mod operation;
mod operations;
mod refusal;
mod router;
mod rules;
mod scenario;
mod script;
mod state;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use account::{AccountSeed, BUILDER_ID_ARN, Family, SOCIAL_ARN};
pub use config::Config;
pub use control::{AccountView, Control};
pub use credits::Allowance;
pub use delivery::Ended;
pub use frame::StreamMessage;
pub use journal::{JournalEntry, Violation};
pub use scenario::{Scenario, Step};
pub use script::{Answer, Cut, End, Faults, Flip, Insert, Script, Stall, Target};
pub use state::{Counters, Decision, ExchangeForm};

/// A running stand-in. Dropping it stops it; [`Simulator::stop`] waits until it has stopped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    state: Arc<state::State>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Simulator {
    /// Starts listening.
    ///
    /// # Errors
    /// When the address is not a loopback address or cannot be listened on.
    pub async fn start(config: Config) -> io::Result<Self> {
        if !config.bind.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the simulator listens on loopback addresses only",
            ));
        }
        let listener = TcpListener::bind(config.bind).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(state::State::new(config));
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(http_server::serve(Some(listener), address, state.clone(), stop.clone()));
        Ok(Self { address, state, stop, tasks })
    }

    /// Base URL, such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The handle that steers it.
    pub fn control(&self) -> Control {
        Control { state: self.state.clone() }
    }

    /// Stops listening, cuts every connection and waits for the end.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}
