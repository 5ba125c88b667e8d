//! The one window. It exists only while it is open: closing it frees the webview's processes, the tray stays.

use std::sync::{Mutex, PoisonError};
use tauri::webview::{NewWindowResponse, PageLoadEvent};
use tauri::{AppHandle, Manager as _, WebviewUrl, WebviewWindowBuilder};
use url::Url;

/// Its label, named by the capability in `tauri.conf.json`.
pub(crate) const LABEL: &str = "main";

/// What happened to the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It was asked to close, and will.
    Closing,
    /// It is gone.
    Closed,
}

/// A window that is being closed can no longer be shown, and its label is not free yet. Who asks for it meanwhile gets
/// a new one as soon as it is gone.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    state: Mutex<ClosingState>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ClosingState {
    #[default]
    No,
    Yes,
    YesAndWanted,
}

impl Closing {
    /// True when the window is being closed; it is then remembered that somebody wants it.
    pub(crate) fn open_after_closing(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state != ClosingState::No {
            *state = ClosingState::YesAndWanted;
        }
        *state != ClosingState::No
    }

    /// True when the window has to be opened again now.
    pub(crate) fn follow(&self, change: Change) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::Closing => {
                *state = ClosingState::Yes;
                false
            }
            Change::Closed => std::mem::take(&mut *state) == ClosingState::YesAndWanted,
        }
    }
}

/// Brings the window to the front; creates it when there is none. `page_left` is called when its page is loaded anew.
///
/// Not to be called from an event handler on the main thread: on Windows that blocks for ever.
pub(crate) fn show(app: &AppHandle, page_left: impl Fn() + Send + Sync + 'static) -> tauri::Result<()> {
    if let Some(window) = app.get_webview_window(LABEL) {
        window.unminimize()?;
        window.show()?;
        return window.set_focus();
    }
    let page = Page { dev: app.config().build.dev_url.clone() };
    WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App("index.html".into()))
        .title("Kiro Proxy")
        .inner_size(980.0, 700.0)
        .min_inner_size(560.0, 420.0)
        // Files are dropped on the page itself, for an import.
        .disable_drag_drop_handler()
        .on_navigation(move |url| page.is_ours(url))
        .on_new_window(|_, _| NewWindowResponse::Deny)
        // Shown with its page in it: no white flash, and nobody can close it while it is half made.
        .visible(false)
        .on_page_load(move |window, load| match load.event() {
            PageLoadEvent::Started => page_left(),
            PageLoadEvent::Finished => {
                if let Err(error) = window.show().and_then(|()| window.set_focus()) {
                    tracing::error!(%error, "the window cannot be shown");
                }
            }
        })
        .build()?;
    Ok(())
}

/// Which pages the window may show.
struct Page {
    /// The development server, only in a build that was told of one.
    dev: Option<Url>,
}

impl Page {
    fn is_ours(&self, url: &Url) -> bool {
        // Linux and macOS have a scheme of their own for embedded pages, Windows a name.
        let embedded = match url.scheme() {
            "tauri" => url.host_str() == Some("localhost"),
            "http" | "https" => cfg!(windows) && url.host_str() == Some("tauri.localhost") && url.port().is_none(),
            _ => false,
        };
        let dev = tauri::is_dev() && self.dev.as_ref().is_some_and(|dev| dev.origin() == url.origin());
        embedded || dev
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_wanted_while_it_closes_is_opened_again_once_it_is_gone() {
        let closing = Closing::default();
        assert!(!closing.open_after_closing());
        assert!(!closing.follow(Change::Closing));
        assert!(closing.open_after_closing());
        assert!(closing.follow(Change::Closed));
        assert!(!closing.open_after_closing());
        closing.follow(Change::Closing);
        assert!(!closing.follow(Change::Closed), "nobody asked");
    }

    #[test]
    fn no_page_but_ours_is_ever_shown() {
        let page = Page { dev: None };
        assert!(page.is_ours(&Url::parse("tauri://localhost/index.html").unwrap()));
        for hostile in [
            "https://example.com/",
            "http://localhost/",
            "http://127.0.0.1:8080/",
            "https://tauri.localhost.example.com/",
            "https://tauri.localhost:444/",
            "tauri://evil/",
            "file:///etc/passwd",
            "data:text/html,x",
            "javascript:alert(1)",
            "about:blank",
        ] {
            assert!(!page.is_ours(&Url::parse(hostile).unwrap()), "{hostile}");
        }
    }
}
