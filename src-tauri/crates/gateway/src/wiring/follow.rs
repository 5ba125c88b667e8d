//! What follows from changes while the gateway is open: of settings, of logins, of requests.

use super::Gateway;
use crate::account::{AccountId, TokenNews};
use crate::admin_event::AdminEvent;
use crate::http::listener::Server;
use crate::notify::NotificationKind;
use crate::settings::NetworkSettings;
use crate::status::{ListenerState, Status};
use crate::upstream::http::{Http, extra_roots};
use std::time::Duration;
use tokio::sync::broadcast;

/// Changes that come in bursts are told once.
const BURST: Duration = Duration::from_millis(150);

impl Gateway {
    /// Builds the ways out anew, after something changed that their clients are made with. Connections under way stay.
    pub(crate) async fn renew_network(&self) {
        follow_network(&self.parts.http, &self.settings().network).await;
    }

    /// Takes over what a saved setting changes while things run.
    pub(super) async fn follow_settings(self) {
        let mut changes = self.parts.settings.watch();
        let mut network = self.settings().network.clone();
        loop {
            tokio::select! {
                () = self.parts.stop.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
            let snapshot = changes.borrow_and_update().clone();
            self.parts.telemetry.set_level(snapshot.settings.logs.level);
            self.parts.book.leases.follow(snapshot.settings.selection());
            self.parts.quotas.follow(&snapshot.settings.quota);
            self.parts.health.follow(snapshot.settings.quota.health_check());
            self.parts.kept.follow(&snapshot.settings.responses).await;
            self.parts.flows.follow(&snapshot.settings.flows).await;
            if snapshot.settings.network != network {
                network.clone_from(&snapshot.settings.network);
                follow_network(&self.parts.http, &network).await;
            }
            self.parts.announcer.tell(AdminEvent::Settings { revision: snapshot.revision });
            let _one = self.parts.switching.lock().await;
            let wish = snapshot.settings.listener.port;
            let (state, port, same) = {
                let door = self.door();
                let tried = door.problem.as_ref().and_then(|problem| problem.params.get("port"));
                let same = tried.is_some_and(|tried| *tried == wish.to_string());
                (door.state, door.server.as_ref().map(Server::port), same)
            };
            if port.is_some_and(|port| wish != 0 && port != wish) {
                self.move_door().await;
            } else if state == ListenerState::Failed && !same {
                // Whoever corrects the setting wants the door open; a new failure is in the status.
                let _ = self.listen().await;
            }
        }
    }

    /// Tells faces at once what happens to logins.
    pub(super) async fn follow_tokens(self) {
        let mut news = self.parts.book.tokens.news();
        loop {
            let told = tokio::select! {
                () = self.parts.stop.cancelled() => return,
                told = news.recv() => told,
            };
            match told {
                Ok(TokenNews::Adopted(id)) => {
                    self.parts.tasks.spawn(self.clone().check_person(id));
                }
                Ok(TokenNews::Unsaved(id)) => {
                    if let Some(account) = self.parts.book.roster.get(&id) {
                        let detail = "its new refresh token is in memory only";
                        self.parts.notifier.tell(NotificationKind::UnsavedLogin, Some(&account), detail);
                    }
                }
                Ok(TokenNews::Saved(id)) => self.parts.notifier.over(NotificationKind::UnsavedLogin, Some(&id)),
                // Told by the account's condition.
                Ok(TokenNews::OwnerSwitched(_)) => {}
                // The faces look at everything again anyway.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
            self.parts.announcer.tell(AdminEvent::Accounts);
            self.announce();
        }
    }

    /// Owners whose files name no person can sign in as another one unseen: the upstream knows whose a login is.
    async fn check_person(self, id: AccountId) {
        let Some(account) = self.parts.book.roster.get(&id) else { return };
        let asked = tokio::select! {
            () = self.parts.stop.cancelled() => return,
            asked = self.parts.inspector.whose(&account) => asked,
        };
        match asked {
            Ok(Some(user)) => self.parts.book.tokens.belongs_to(&account, &user).await,
            Ok(None) => {}
            Err(problem) => tracing::warn!(account = %id, %problem, "whose the adopted login is could not be asked"),
        }
    }

    /// Tells faces what changes with the requests: how many there are, and which accounts can serve.
    pub(super) async fn tell_status(self) {
        let mut requests = self.parts.flows.watch();
        let mut told = None;
        loop {
            tokio::select! {
                () = self.parts.stop.cancelled() => return,
                changed = requests.changed() => if changed.is_err() { return },
            }
            let status = self.status();
            if told.as_ref() != Some(&status) {
                let accounts = told.as_ref().map(|told: &Status| told.accounts);
                if accounts.is_some_and(|accounts| accounts != status.accounts) {
                    self.parts.announcer.tell(AdminEvent::Accounts);
                }
                told = Some(status.clone());
                self.parts.announcer.tell(AdminEvent::Status { status: Box::new(status) });
            }
            tokio::time::sleep(BURST).await;
        }
    }
}

/// Hands the settings of the network to the clients. A file of certificates that cannot be read stops all traffic, in words
/// that say so; the settings page stays usable.
pub(super) async fn follow_network(http: &Http, settings: &NetworkSettings) {
    let roots = match settings.extra_ca().map(std::path::Path::to_path_buf) {
        None => Ok(Vec::new()),
        Some(file) => tokio::task::spawn_blocking(move || extra_roots(&file))
            .await
            .unwrap_or_else(|_| Err("the file of certificates could not be read".to_owned())),
    };
    if let Err(why) = &roots {
        tracing::error!(why, "nothing is sent until the setting network.extraCaFile is corrected");
    }
    http.configure(settings.common(), roots);
}
