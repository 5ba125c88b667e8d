//! The door for clients: opened, moved to another port, closed.

use super::Gateway;
use crate::background;
use crate::error::{Problem, ProblemCode};
use crate::http::client_api::ClientApi;
use crate::http::holder;
use crate::http::listener::{Bound, Server};
use crate::status::{ListenerState, Status};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The door for clients, as it stands.
pub(super) struct Door {
    pub(super) state: ListenerState,
    pub(super) server: Option<Server>,
    pub(super) problem: Option<Problem>,
    pub(super) background: Option<CancellationToken>,
}

impl Gateway {
    /// Opens or closes the door for clients.
    pub async fn set_listening(&self, listening: bool) -> Result<Status, Problem> {
        let gateway = self.clone();
        // A face that stops waiting must not leave the door half open.
        let switched = self.parts.tasks.spawn(async move {
            let _one = gateway.parts.switching.lock().await;
            if listening {
                gateway.listen().await
            } else {
                gateway.close_door().await;
                Ok(())
            }
        });
        switched.await.map_err(|_| Problem::new(ProblemCode::Internal, "the switch met a fault of ours"))??;
        Ok(self.status())
    }

    pub(super) async fn listen(&self) -> Result<(), Problem> {
        if self.parts.stop.is_cancelled() {
            return Err(Problem::new(ProblemCode::Stopping, "the gateway is stopping"));
        }
        if self.door().server.is_some() {
            return Ok(());
        }
        self.change(|door| {
            door.state = ListenerState::Starting;
            door.problem = None;
        });
        match self.open_door().await {
            Ok(server) => {
                let background = self.parts.stop.child_token();
                let ahead = background::Tasks {
                    pipeline: Arc::clone(&self.parts.pipeline),
                    quotas: Arc::clone(&self.parts.quotas),
                    health: Arc::clone(&self.parts.health),
                };
                ahead.start(&self.parts.tasks, &background);
                let tokens = Arc::clone(&self.parts.book.tokens);
                self.parts.tasks.spawn(tokens.keep_fresh(background.clone()));
                tracing::info!(addresses = ?server.addresses(), "clients can connect");
                self.change(|door| {
                    door.state = ListenerState::Running;
                    door.server = Some(server);
                    door.background = Some(background);
                });
                Ok(())
            }
            Err(problem) => {
                tracing::error!(%problem, "clients cannot connect");
                self.change(|door| {
                    door.state = ListenerState::Failed;
                    door.problem = Some(problem.clone());
                });
                Err(problem)
            }
        }
    }

    pub(super) async fn open_door(&self) -> Result<Server, Problem> {
        let parts = &self.parts;
        if let Err(error) = parts.keys.ensure_first().await {
            let problem = Problem::new(ProblemCode::StoreUnavailable, format!("no client key can be made: {error}"));
            return Err(problem.action(error.action()));
        }
        let settings = Arc::clone(&parts.settings);
        let remembered = tokio::task::spawn_blocking(move || settings.remember_first_port(holder::next_free)).await;
        remembered.map_err(|_| Problem::new(ProblemCode::Internal, "no port could be chosen"))??;
        let listener = parts.settings.snapshot().settings.listener.clone();
        let bound = Bound::new(&listener.host, listener.port).await?;
        Ok(Server::start(bound, listener.max_connections as usize, |port, cut| ClientApi {
            pipeline: Arc::clone(&parts.pipeline),
            keys: Arc::clone(&parts.keys),
            settings: Arc::clone(&parts.settings),
            flows: Arc::clone(&parts.flows),
            kept: Arc::clone(&parts.kept),
            clock: Arc::clone(&parts.clock),
            budget: parts.budget.clone(),
            port,
            cut,
        }))
    }

    pub(super) async fn close_door(&self) {
        let mut taken = None;
        self.change(|door| {
            taken = door.server.take();
            if let Some(background) = door.background.take() {
                background.cancel();
            }
            door.problem = None;
            door.state = if taken.is_some() { ListenerState::Stopping } else { ListenerState::Stopped };
        });
        let Some(server) = taken else { return };
        let drain = Duration::from_secs(self.settings().listener.drain_seconds.into());
        server.shut(drain).await;
        tracing::info!("clients can no longer connect");
        self.change(|door| door.state = ListenerState::Stopped);
    }

    /// Opens the new door before the old one is closed; when it cannot be opened, the old one stays.
    pub(super) async fn move_door(&self) {
        match self.open_door().await {
            Ok(server) => {
                tracing::info!(addresses = ?server.addresses(), "clients can connect elsewhere now");
                let mut old = None;
                self.change(|door| {
                    old = door.server.replace(server);
                    door.problem = None;
                });
                if let Some(old) = old {
                    let drain = Duration::from_secs(self.settings().listener.drain_seconds.into());
                    self.parts.tasks.spawn(async move { old.shut(drain).await });
                }
            }
            Err(problem) => {
                tracing::error!(%problem, "the new port cannot be opened; the old one stays open");
                self.change(|door| door.problem = Some(problem));
            }
        }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Door)) {
        change(&mut self.door());
        self.announce();
    }

    pub(super) fn door(&self) -> MutexGuard<'_, Door> {
        self.parts.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
