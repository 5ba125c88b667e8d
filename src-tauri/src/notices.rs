//! The system's own notifications: what they say, and what a click on them does. The gateway decides when and tells each once.

#[cfg(target_os = "linux")]
mod clicks;

use crate::words::Words;
use std::thread;

/// One notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) title: String,
    pub(crate) body: String,
    /// The one thing to do, on its button.
    pub(crate) action: String,
}

impl Notice {
    /// For what the gateway told; `kind` is one of the admin API's. `None` for a kind that has no words.
    pub(crate) fn told(kind: &str, label: &str, percent: Option<u8>, words: &Words) -> Option<Self> {
        let percent = percent.map(|percent| percent.to_string()).unwrap_or_default();
        let values = [("label", label), ("percent", percent.as_str())];
        let title = words.find(&format!("notice.{kind}.title"), &values)?;
        let body = words.find(&format!("notice.{kind}.body"), &values)?;
        Some(Self { title, body, action: words.tray("notice.open") })
    }

    /// A provider did not sign in inside the sign-in window, so the page is in the browser now, or nowhere.
    pub(crate) fn moved(in_browser: bool, words: &Words) -> Self {
        let name = if in_browser { "browser" } else { "link" };
        Self {
            title: words.tray("popup.moved"),
            body: words.tray(&format!("popup.moved.{name}")),
            action: words.tray("notice.open"),
        }
    }

    /// Shows it; `clicked` runs when a person chose the action or the notification itself. Without a place for
    /// notifications on this system nothing happens: the same is in the window.
    pub(crate) fn show(self, clicked: impl FnOnce() + Send + 'static) {
        // The library waits for the click where it stands.
        let shown = thread::Builder::new().name("notification".to_owned()).spawn(move || {
            if let Err(error) = self.wait(clicked) {
                tracing::warn!(%error, "the notification cannot be shown");
            }
        });
        if let Err(error) = shown {
            tracing::warn!(%error, "the notification cannot be shown");
        }
    }

    #[cfg(target_os = "linux")]
    fn wait(&self, clicked: impl FnOnce()) -> Result<(), Box<dyn std::error::Error>> {
        let mut notification = self.notification();
        notification.icon("kiro-proxy-desktop").action("default", &self.action).action("open", &self.action);
        // In this order: a click in the first moment is a click.
        let clicks = clicks::Clicks::listen()?;
        let shown = notification.show()?;
        if matches!(clicks.on(shown.id()).as_deref(), Some("default" | "open")) {
            clicked();
        }
        Ok(())
    }

    /// The other systems bring the app forward themselves.
    #[cfg(not(target_os = "linux"))]
    fn wait(&self, _clicked: impl FnOnce()) -> Result<(), Box<dyn std::error::Error>> {
        self.notification().show()?;
        Ok(())
    }

    fn notification(&self) -> notify_rust::Notification {
        let mut notification = notify_rust::Notification::new();
        notification.appname("Kiro Proxy").summary(&self.title).body(&self.body);
        notification
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiro_gateway::settings::Language;

    #[test]
    fn every_kind_has_words_in_both_languages() {
        for language in [Language::English, Language::SimplifiedChinese] {
            let words = Words::choose(language, None);
            for kind in [
                "needsLogin",
                "suspended",
                "quotaWarning",
                "quotaAlert",
                "allUnavailable",
                "ownerSwitched",
                "unsavedLogin",
                "signInEnds",
            ] {
                let notice = Notice::told(kind, "Alice", Some(81), &words).unwrap();
                for text in [&notice.title, &notice.body, &notice.action] {
                    assert!(!text.contains('{') && !text.contains("tray."), "{text}");
                }
                let about_one = kind != "allUnavailable";
                assert_eq!(format!("{} {}", notice.title, notice.body).contains("Alice"), about_one, "{kind}");
            }
            let quota = Notice::told("quotaWarning", "Alice", Some(81), &words).unwrap();
            assert!(quota.title.contains("81"), "{}", quota.title);
            assert_eq!(Notice::told("nothing", "Alice", None, &words), None);
            for in_browser in [true, false] {
                let notice = Notice::moved(in_browser, &words);
                assert!(!notice.title.contains("tray.") && !notice.body.contains("tray."));
            }
        }
    }
}
