//! The one window. It exists only while it is open: closing it frees the webview's processes, the tray stays.

use tauri::webview::{NewWindowResponse, PageLoadEvent};
use tauri::{AppHandle, Manager as _, WebviewUrl, WebviewWindowBuilder, WindowEvent};
use url::Url;

/// Its label, named by the capability in `tauri.conf.json`.
pub(crate) const LABEL: &str = "main";

/// Brings the window to the front; creates it when there is none. `page_left` is called when its page goes away.
///
/// Not to be called from an event handler on the main thread: on Windows that blocks for ever.
pub(crate) fn show(app: &AppHandle, page_left: impl Fn() + Clone + Send + Sync + 'static) -> tauri::Result<()> {
    if let Some(window) = app.get_webview_window(LABEL) {
        window.unminimize()?;
        window.show()?;
        return window.set_focus();
    }
    let closed = page_left.clone();
    let page = Page { dev: app.config().build.dev_url.clone() };
    let window = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App("index.html".into()))
        .title("Kiro Proxy")
        .inner_size(980.0, 700.0)
        .min_inner_size(560.0, 420.0)
        .on_navigation(move |url| page.is_ours(url))
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .on_page_load(move |_, load| {
            if load.event() == PageLoadEvent::Started {
                page_left();
            }
        })
        .build()?;
    window.on_window_event(move |event| {
        if matches!(event, WindowEvent::Destroyed) {
            closed();
        }
    });
    window.set_focus()
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
