//! The place for notifications on a desktop (`org.freedesktop.Notifications` 1.2): keeps what programs show and clicks on it.

use crate::PATIENCE;
use anyhow::{Context as _, Result};
use std::collections::HashMap;
use tokio::sync::watch;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::OwnedValue;
use zbus::{Connection, connection, interface};

/// One notification as it was shown.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its number.
    pub id: u32,
    /// The program's name.
    pub app: String,
    /// Its first line.
    pub title: String,
    /// Its text.
    pub body: String,
    /// Keys and words of its buttons, in turn.
    pub actions: Vec<String>,
}

struct Place {
    shown: watch::Sender<Vec<Shown>>,
    at_once: Option<&'static str>,
}

#[interface(name = "org.freedesktop.Notifications")]
impl Place {
    #[allow(clippy::too_many_arguments, reason = "the interface is not ours")]
    async fn notify(
        &mut self,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
        app: String,
        _replaces: u32,
        _icon: String,
        title: String,
        body: String,
        actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _timeout: i32,
    ) -> zbus::fdo::Result<u32> {
        let id = u32::try_from(self.shown.borrow().len()).unwrap_or(u32::MAX - 1) + 1;
        self.shown.send_modify(|all| all.push(Shown { id, app, title, body, actions }));
        if let Some(key) = self.at_once {
            Self::action_invoked(&emitter, id, key).await?;
        }
        Ok(id)
    }

    fn close_notification(&self, _id: u32) {}

    fn get_capabilities(&self) -> Vec<String> {
        vec!["body".to_owned(), "actions".to_owned()]
    }

    fn get_server_information(&self) -> (String, String, String, String) {
        ("test".to_owned(), "test".to_owned(), "1".to_owned(), "1.2".to_owned())
    }

    #[zbus(signal)]
    async fn action_invoked(emitter: &SignalEmitter<'_>, id: u32, key: &str) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn notification_closed(emitter: &SignalEmitter<'_>, id: u32, reason: u32) -> zbus::Result<()>;
}

/// The place for notifications of the private session.
pub struct Notifications {
    bus: Connection,
    shown: watch::Receiver<Vec<Shown>>,
}

const PATH: &str = "/org/freedesktop/Notifications";

impl Notifications {
    /// Begins to offer it.
    pub async fn start() -> Result<Self> {
        Self::offer(None).await
    }

    /// Begins to offer it, with a person who clicks on a button before the program has even its answer.
    pub async fn start_clicking(key: &'static str) -> Result<Self> {
        Self::offer(Some(key)).await
    }

    async fn offer(at_once: Option<&'static str>) -> Result<Self> {
        let (sender, shown) = watch::channel(Vec::new());
        let bus = connection::Builder::session()?
            .name("org.freedesktop.Notifications")?
            .serve_at(PATH, Place { shown: sender, at_once })?
            .build()
            .await?;
        Ok(Self { bus, shown })
    }

    /// Waits for a notification that is as wanted.
    pub async fn wait_for(&mut self, what: &str, wanted: impl Fn(&Shown) -> bool) -> Result<Shown> {
        let found = self.shown.wait_for(|all| all.iter().any(&wanted));
        let all = tokio::time::timeout(PATIENCE, found).await.with_context(|| format!("nobody notified: {what}"))??;
        all.iter().find(|shown| wanted(shown)).cloned().context("it was there")
    }

    /// All so far.
    pub fn all(&self) -> Vec<Shown> {
        self.shown.borrow().clone()
    }

    /// Clicks on a button of it.
    pub async fn click(&self, shown: &Shown, key: &str) -> Result<()> {
        let place = self.bus.object_server().interface::<_, Place>(PATH).await?;
        Ok(Place::action_invoked(place.signal_emitter(), shown.id, key).await?)
    }
}
