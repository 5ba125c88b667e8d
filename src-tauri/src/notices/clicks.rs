//! What is clicked on notifications (Desktop Notifications Specification 1.2, signals `ActionInvoked` and `NotificationClosed`).

use zbus::blocking::{Connection, MessageIterator};
use zbus::{MatchRule, message};

const INTERFACE: &str = "org.freedesktop.Notifications";

/// Hears every click from the moment it is made; kept until one notification is done with.
pub(super) struct Clicks(MessageIterator);

impl Clicks {
    pub(super) fn listen() -> zbus::Result<Self> {
        let signals = MatchRule::builder().msg_type(message::Type::Signal).interface(INTERFACE)?.build();
        Ok(Self(MessageIterator::for_match_rule(signals, &Connection::session()?, None)?))
    }

    /// Waits until the notification is done with: the key of the action that was chosen, `None` when it was closed.
    pub(super) fn on(self, notification: u32) -> Option<String> {
        for message in self.0.filter_map(Result::ok) {
            match message.header().member().map(|member| member.as_str()) {
                Some("ActionInvoked") => match message.body().deserialize::<(u32, String)>() {
                    Ok((id, action)) if id == notification => return Some(action),
                    Ok(_) | Err(_) => {}
                },
                Some("NotificationClosed") => match message.body().deserialize::<(u32, u32)>() {
                    Ok((id, _)) if id == notification => return None,
                    Ok(_) | Err(_) => {}
                },
                Some(_) | None => {}
            }
        }
        None
    }
}
