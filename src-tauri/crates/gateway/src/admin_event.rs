//! What changed, told to every face at once. Events say where to look again; the truth stays behind the admin API.

use crate::account::AccountId;
use crate::notify::NotificationKind;
use crate::status::Status;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use utoipa::ToSchema;

/// Something changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum AdminEvent {
    /// The status changed.
    Status {
        /// The status now.
        status: Box<Status>,
    },
    /// Settings were saved.
    Settings {
        /// The new revision.
        revision: u64,
    },
    /// Accounts or their states changed.
    Accounts,
    /// Client keys changed.
    Keys,
    /// A sign-in changed.
    Logins {
        /// Its id.
        id: String,
    },
    /// A sign-in's page is to be opened by the face that can: `open` says how (`popup`: in a window of the desktop app).
    OpenSignIn {
        /// Id of the sign-in.
        id: String,
        /// The page.
        url: String,
        /// How.
        open: String,
    },
    /// Something a person should be told. Told once for each occasion, also over restarts.
    Notification {
        /// The same for the same occasion.
        id: String,
        /// What happened.
        kind: NotificationKind,
        /// Id of the account; `None` when it is about all of them.
        account: Option<AccountId>,
        /// Its name for people.
        label: Option<String>,
        /// Used share of the quota in percent, for thresholds.
        percent: Option<u8>,
    },
    /// A request was finished or marked, or all were deleted.
    Flows {
        /// Its id; empty when all were deleted.
        id: String,
    },
}

/// Hands events to whoever listens. Slow listeners lose the oldest.
#[derive(Debug, Clone)]
pub(crate) struct Announcer {
    sender: broadcast::Sender<AdminEvent>,
}

impl Announcer {
    pub(crate) fn new() -> Self {
        Self { sender: broadcast::channel(256).0 }
    }

    /// Tells everybody. Nobody listening is fine.
    pub(crate) fn tell(&self, event: AdminEvent) {
        let _ = self.sender.send(event);
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<AdminEvent> {
        self.sender.subscribe()
    }
}
