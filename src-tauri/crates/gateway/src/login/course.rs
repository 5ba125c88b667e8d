//! The course of a sign-in: one way to tokens, then the account, within a person's time.

use std::sync::Arc;

use super::ended::Ended;
use super::finish::{self, Granted};
use super::wish::{Opening, Plan, Task, Way};
use super::{Inbox, LOOK, Login, PATIENCE, Parts, browser, device, key, portal, remote};
use crate::clock::{Clock, Timestamp};

/// A sign-in from its beginning to its end.
pub(super) async fn run(parts: Arc<Parts>, login: Arc<Login>, plan: Plan, mut inbox: Inbox) {
    let ended = attempt(&parts, &login, plan, &mut inbox).await;
    ended.tell(&login, parts.clock.now());
}

async fn attempt(parts: &Arc<Parts>, login: &Arc<Login>, plan: Plan, inbox: &mut Inbox) -> Ended {
    let label = plan.label.clone();
    let granted = tokio::select! {
        biased;
        () = login.cancel.cancelled() => return Ended::Cancelled,
        () = parts.stop.cancelled() => return Ended::Cancelled,
        () = late(&*parts.clock, login.started_at) => return Ended::Expired,
        granted = obtain(parts, login, plan, inbox) => granted,
    };
    match granted {
        // From here on the login is worth keeping whatever happens: it is in the store before anything else is asked.
        Ok(granted) => finish::finish(parts, login, granted, label, inbox).await,
        Err(ended) => ended,
    }
}

async fn obtain(parts: &Arc<Parts>, login: &Arc<Login>, plan: Plan, inbox: &mut Inbox) -> Result<Granted, Ended> {
    match plan.task {
        Task::Direct(way) => direct(parts, login, way, &plan.opening, inbox).await,
        Task::Remote(at) => remote::remote(parts, login, at).await,
    }
}

/// One way to tokens.
pub(super) async fn direct(
    parts: &Arc<Parts>,
    login: &Login,
    way: Way,
    opening: &Opening,
    inbox: &mut Inbox,
) -> Result<Granted, Ended> {
    match way {
        Way::OidcDevice(instance) => device::oidc(parts, login, &instance, opening).await,
        Way::OidcBrowser(instance) => browser::oidc(parts, login, &instance, opening, inbox).await,
        Way::SocialDevice(idp) => device::social(parts, login, idp, opening).await,
        Way::Portal(ports) => portal::portal(parts, login, &ports, opening, inbox).await,
        Way::Key { key, region, unchecked } => key::key(parts, login, key, region, unchecked).await,
    }
}

/// Waits until a person's time is over, by the wall clock: a machine that slept through the night does not hold a sign-in open.
pub(super) async fn late(clock: &dyn Clock, started_at: Timestamp) {
    let patience = tokio::time::sleep(PATIENCE);
    let mut patience = std::pin::pin!(patience);
    loop {
        tokio::select! {
            () = patience.as_mut() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        if clock.now().since(started_at) >= PATIENCE {
            return;
        }
    }
}
