//! A faithful, strict, scriptable stand-in for the Kiro upstream on loopback.

mod account;
mod auth;
mod chat;
mod clock;
mod config;
mod control;
mod control_http;
mod delivery;
pub mod demo;
mod frame;
mod host;
mod http_server;
mod identity;
mod journal;
mod mcp;
mod models;
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
pub use delivery::Ended;
pub use frame::StreamMessage;
pub use journal::{JournalEntry, Violation};
pub use scenario::{Scenario, Step};
pub use script::{Answer, Cut, End, Faults, Flip, Insert, Script, Stall, Target};
pub use state::{Counters, Decision};

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
