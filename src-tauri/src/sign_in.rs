//! Sign-in windows: a provider's page in a webview of its own, for one login.
//!
//! Each has a profile that nothing else shares and that is gone with the window, so two accounts never mix. It has no
//! capability: a foreign page reaches no command of the app. Where it may go is said in [`pages`]. It closes when the
//! login has its answer or ends; closing it by hand leaves the login waiting, with its link in the main window.

mod pages;

use crate::actions::act;
use crate::admin;
use crate::notices::Notice;
use crate::shell::Shell;
use crate::tray::TrayAction;
use http::Method;
use kiro_gateway::{Gateway, SignInPages};
use pages::Rule;
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tauri::webview::{NewWindowResponse, PageLoadEvent};
use tauri::{AppHandle, Manager as _, WebviewUrl, WebviewWindow, WebviewWindowBuilder};
use url::Url;

/// What every sign-in window's label begins with. No capability names it.
const LABEL: &str = "sign-in-";
/// A first page that takes longer is opened in the browser instead.
const FIRST_PAGE: Duration = Duration::from_secs(30);

/// The open sign-in windows.
#[derive(Debug)]
pub(crate) struct SignIns {
    pages: SignInPages,
    stand_in: Option<u16>,
    /// Label of the window by login.
    open: Mutex<HashMap<String, String>>,
}

/// What the admin API says about a login, as far as a window needs it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Login {
    state: String,
    #[serde(default)]
    callback_port: Option<u16>,
}

impl SignIns {
    /// `stand_in` is where all traffic goes when it is redirected.
    pub(crate) fn new(stand_in: Option<&Url>) -> Self {
        Self {
            pages: SignInPages::new(stand_in.cloned()),
            stand_in: stand_in.and_then(Url::port_or_known_default),
            open: Mutex::default(),
        }
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called when a window is gone.
    pub(crate) fn closed(&self, label: &str) {
        self.windows().retain(|_, open| open != label);
    }
}

/// Whether a window is one of these.
pub(crate) fn is_ours(label: &str) -> bool {
    label.starts_with(LABEL)
}

/// Opens the page of a login in a window of its own, or brings the one it has to the front.
pub(crate) async fn open(app: &AppHandle, shell: &Arc<Shell>, gateway: &Gateway, login: &str, page: &str) {
    let label = shell.sign_ins.windows().get(login).cloned();
    if let Some(window) = label.and_then(|label| app.get_webview_window(&label)) {
        if let Err(error) = window.unminimize().and_then(|()| window.set_focus()) {
            tracing::warn!(%error, "the sign-in window cannot be brought forward");
        }
        return;
    }
    let checked = Url::parse(page).map_err(|error| error.to_string());
    let checked = checked.and_then(|url| shell.sign_ins.pages.check(&url).map_err(|error| error.to_string()));
    let url = match checked.and_then(|page| Url::parse(&page).map_err(|error| error.to_string())) {
        Ok(url) => url,
        Err(reason) => {
            tracing::error!(login, reason, "the page of the login is not opened");
            return;
        }
    };
    let Some(known) = look_up(gateway, login).await else { return };
    let rule = Rule { callback: known.callback_port, stand_in: shell.sign_ins.stand_in };
    let label = format!("{LABEL}{login}");
    shell.sign_ins.windows().insert(login.to_owned(), label.clone());
    let window = SignIn { app: app.clone(), login: login.to_owned(), label, first: Arc::default() };
    if let Err(error) = window.build(&rule, url, &profile(gateway, login)) {
        tracing::error!(%error, "the sign-in window cannot be opened");
        window.move_to_browser();
    }
}

/// Closes the window of a login that no longer waits for its page.
pub(crate) async fn settle(app: &AppHandle, shell: &Arc<Shell>, gateway: &Gateway, login: &str) {
    let Some(label) = shell.sign_ins.windows().get(login).cloned() else { return };
    let state = look_up(gateway, login).await.map(|login| login.state);
    if state.as_deref() == Some("waiting") {
        return;
    }
    if let Some(window) = app.get_webview_window(&label)
        && let Err(error) = window.destroy()
    {
        tracing::warn!(%error, "the sign-in window cannot be closed");
    }
    if state.as_deref() == Some("chooseProfile") {
        act(app, TrayAction::Open);
    }
}

async fn look_up(gateway: &Gateway, login: &str) -> Option<Login> {
    let (_, answer) = admin::call(gateway, Method::GET, &format!("/api/logins/{login}"), None).await;
    Login::deserialize(&answer).ok()
}

/// The folder of a profile. Linux and macOS keep nothing of such a window on disk; Linux still tells webviews apart by the
/// folder, lays out an empty profile there, and keeps something in memory for each, so there it is one for all.
fn profile(gateway: &Gateway, login: &str) -> PathBuf {
    let folder = PathBuf::from(gateway.status().data_dir).join("sign-in");
    if cfg!(windows) { folder.join(login) } else { folder }
}

/// Takes away what profiles of earlier windows left behind.
pub(crate) fn forget_profiles(gateway: &Gateway) {
    let folder = PathBuf::from(gateway.status().data_dir).join("sign-in");
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, "profiles of old sign-in windows cannot be removed");
        }
        Ok(()) | Err(_) => {}
    }
}

/// One window.
#[derive(Clone)]
struct SignIn {
    app: AppHandle,
    login: String,
    label: String,
    /// Whether a page was shown.
    first: Arc<AtomicBool>,
}

impl SignIn {
    fn build(&self, rule: &Rule, page: Url, profile: &std::path::Path) -> tauri::Result<()> {
        let (judged, loaded, elsewhere) = (self.clone(), self.clone(), self.clone());
        let (navigation, load, new_window) = (rule.clone(), rule.clone(), rule.clone());
        // An empty page first: a failure of the real one must not come before there is somebody to notice it.
        let empty = WebviewUrl::External(Url::parse("about:blank").map_err(tauri::Error::InvalidUrl)?);
        let window = WebviewWindowBuilder::new(&self.app, &self.label, empty)
            .title(self.app.state::<Arc<Shell>>().words().tray("popup.opening"))
            .inner_size(520.0, 720.0)
            .min_inner_size(380.0, 480.0)
            .center()
            .incognito(true)
            .data_directory(profile.to_owned())
            .general_autofill_enabled(false)
            .devtools(false)
            .disable_drag_drop_handler()
            .on_navigation(move |url| judged.judge(&navigation, url))
            .on_new_window(move |url, _| {
                // A page that asks for a second window gets this one.
                if new_window.allows(&url) {
                    elsewhere.navigate(url);
                }
                NewWindowResponse::Deny
            })
            .on_download(|_, _| false)
            .on_page_load(move |window, page| {
                if matches!(page.event(), PageLoadEvent::Finished) {
                    loaded.loaded(&load, &window, page.url());
                }
            })
            .build()?;
        #[cfg(target_os = "linux")]
        self.notice_failures(rule, &window)?;
        window.navigate(page)?;
        let patient = self.clone();
        tauri::async_runtime::spawn(async move {
            tokio::time::sleep(FIRST_PAGE).await;
            if !patient.first.load(Ordering::Relaxed) && patient.app.get_webview_window(&patient.label).is_some() {
                tracing::warn!(login = patient.login, "the sign-in page does not load");
                patient.move_to_browser();
            }
        });
        Ok(())
    }

    /// Whose page is shown, so that a person can see where a password goes.
    fn title(&self, url: &Url) -> String {
        let words = self.app.state::<Arc<Shell>>().words();
        words.tray_with("popup.title", &[("host", url.host_str().unwrap_or_default())])
    }

    fn judge(&self, rule: &Rule, url: &Url) -> bool {
        if pages::refuses_embedded(url) {
            tracing::info!(login = self.login, host = url.host_str(), "the provider refuses embedded views");
            self.move_to_browser();
            return false;
        }
        let allowed = rule.allows(url);
        if !allowed {
            tracing::warn!(login = self.login, scheme = url.scheme(), host = url.host_str(), "a page was not shown");
        }
        allowed
    }

    fn loaded(&self, rule: &Rule, window: &WebviewWindow, url: &Url) {
        if url.scheme() == "about" {
            return;
        }
        self.first.store(true, Ordering::Relaxed);
        // Not every system asks about each page of a chain of redirects.
        if pages::refuses_embedded(url) {
            return self.move_to_browser();
        }
        if let Err(error) = window.set_title(&self.title(url)) {
            tracing::warn!(%error, "the title of the sign-in window cannot be set");
        }
        if rule.is_callback(url) {
            let window = self.clone();
            tauri::async_runtime::spawn(async move {
                let shell = Arc::clone(&window.app.state::<Arc<Shell>>());
                let Some(gateway) = shell.gateway() else { return };
                settle(&window.app, &shell, &gateway, &window.login).await;
            });
        }
    }

    fn navigate(&self, url: Url) {
        let window = self.clone();
        tauri::async_runtime::spawn(async move {
            let Some(window) = window.app.get_webview_window(&window.label) else { return };
            if let Err(error) = window.navigate(url) {
                tracing::warn!(%error, "a page cannot be shown in the sign-in window");
            }
        });
    }

    /// Closes the window and opens the login's page in the browser, with words why.
    fn move_to_browser(&self) {
        let window = self.clone();
        tauri::async_runtime::spawn(async move {
            let shell = Arc::clone(&window.app.state::<Arc<Shell>>());
            // The first to notice does it; a page may be judged several times.
            let first = shell.sign_ins.windows().remove(&window.login).is_some();
            let Some(gateway) = shell.gateway().filter(|_| first) else { return };
            if let Some(open) = window.app.get_webview_window(&window.label)
                && let Err(error) = open.destroy()
            {
                tracing::warn!(%error, "the sign-in window cannot be closed");
            }
            let path = format!("/api/logins/{}/open", window.login);
            let opened = admin::ask(&gateway, Method::POST, &path, Some(json!({ "open": "browser" }))).await;
            let app = window.app.clone();
            Notice::moved(opened, &shell.words()).show(move || act(&app, TrayAction::Open));
            if !opened {
                // The link to copy is in the main window.
                act(&window.app, TrayAction::Open);
            }
        });
    }

    /// Only this system tells when a page cannot be loaded; on the others the clock of the first page does.
    #[cfg(target_os = "linux")]
    fn notice_failures(&self, rule: &Rule, window: &WebviewWindow) -> tauri::Result<()> {
        use webkit2gtk::{NetworkError, PolicyError, WebViewExt as _};
        let (failed, rule) = (self.clone(), rule.clone());
        window.with_webview(move |webview| {
            webview.inner().connect_load_failed(move |_, _, uri, error| {
                let stopped = error.matches(NetworkError::Cancelled)
                    || error.matches(PolicyError::FrameLoadInterruptedByPolicyChange);
                let callback = Url::parse(uri).is_ok_and(|url| rule.is_callback(&url));
                if !stopped && !callback && !failed.first.load(Ordering::Relaxed) {
                    tracing::warn!(login = failed.login, %error, "the sign-in page cannot be loaded");
                    failed.move_to_browser();
                }
                false
            });
        })
    }
}
