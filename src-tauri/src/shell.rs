//! What the tray, the window and the system's events act on: the gateway (or why there is none), the tray, the bridge.

use crate::bridge::Bridge;
use crate::clipboard::Clipboard;
use crate::save::{self, SaveRequest};
use crate::sign_in::SignIns;
use crate::tray::accounts::Accounts;
use crate::tray::tauri::Tray;
use crate::tray::{self, Menu, View};
use crate::window::Closing;
use crate::words::Words;
use axum::Json;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use kiro_gateway::settings::Language;
use kiro_gateway::{Gateway, OpenError, Problem, ProblemCode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::watch;
use url::Url;

/// Exports of many accounts are the longest texts that are saved.
const MAX_SAVED: usize = 16 * 1024 * 1024;

/// How far the gateway is.
#[derive(Clone)]
pub(crate) enum Phase {
    /// It is being opened.
    Opening,
    /// It is there.
    Open(Gateway),
    /// It cannot be opened in this run.
    Failed(Arc<Refusal>),
}

/// Why there is no gateway; also the answer to every admin request then.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Refusal {
    code: &'static str,
    /// What happened.
    pub(crate) message: String,
    /// What a person can do.
    pub(crate) action: String,
    /// For the placeholders of the window's own words.
    params: BTreeMap<&'static str, String>,
}

impl From<&OpenError> for Refusal {
    fn from(error: &OpenError) -> Self {
        let mut params = BTreeMap::new();
        match error {
            OpenError::Locked { path, holder } => {
                params.insert("path", path.display().to_string());
                if let Some(holder) = holder {
                    params.insert("holder", holder.to_string());
                }
            }
            OpenError::DataDir { path, .. } => {
                params.insert("path", path.display().to_string());
            }
            OpenError::Store(error) => {
                params.insert("reason", error.code().to_owned());
            }
            OpenError::Settings(_)
            | OpenError::Override { .. }
            | OpenError::Endpoints(_)
            | OpenError::Saved(_)
            | OpenError::Internal(_) => {}
        }
        Self { code: error.code(), message: error.to_string(), action: error.action(), params }
    }
}

/// Shared by everything in this process.
pub(crate) struct Shell {
    pub(crate) phase: watch::Sender<Phase>,
    pub(crate) bridge: Bridge,
    pub(crate) clipboard: Arc<Clipboard>,
    pub(crate) window: Closing,
    pub(crate) sign_ins: SignIns,
    tray: OnceLock<Tray>,
    accounts: Mutex<Accounts>,
    locale: Option<String>,
    quitting: AtomicBool,
}

impl Shell {
    /// `stand_in` is where all traffic goes when it is redirected.
    pub(crate) fn new(locale: Option<String>, stand_in: Option<&Url>) -> Self {
        Self {
            phase: watch::Sender::new(Phase::Opening),
            bridge: Bridge::default(),
            clipboard: Arc::default(),
            window: Closing::default(),
            sign_ins: SignIns::new(stand_in),
            tray: OnceLock::new(),
            accounts: Mutex::default(),
            locale,
            quitting: AtomicBool::new(false),
        }
    }

    /// The gateway, when it is open.
    pub(crate) fn gateway(&self) -> Option<Gateway> {
        match &*self.phase.borrow() {
            Phase::Open(gateway) => Some(gateway.clone()),
            Phase::Opening | Phase::Failed(_) => None,
        }
    }

    /// True for the first caller only.
    pub(crate) fn begin_quitting(&self) -> bool {
        !self.quitting.swap(true, Ordering::SeqCst)
    }

    /// What the tray should show now.
    pub(crate) fn menu(&self) -> Menu {
        let locale = self.locale.as_deref();
        match &*self.phase.borrow() {
            Phase::Opening => tray::menu(View::Opening, &Words::choose(Language::System, locale)),
            Phase::Failed(_) => tray::menu(View::Failed, &Words::choose(Language::System, locale)),
            Phase::Open(gateway) => {
                let (status, settings) = (gateway.status(), gateway.settings());
                let accounts = self.accounts();
                let view = View::Open { status: &status, at_login: settings.startup.at_login, accounts: &accounts };
                tray::menu(view, &Words::choose(settings.look.language, locale))
            }
        }
    }

    /// The accounts as they were told last.
    pub(crate) fn accounts(&self) -> Accounts {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers the accounts for the tray.
    pub(crate) fn has_accounts(&self, accounts: Accounts) {
        *self.accounts.lock().unwrap_or_else(PoisonError::into_inner) = accounts;
    }

    /// Words in the person's language.
    pub(crate) fn words(&self) -> Words {
        let language = self.gateway().map_or(Language::System, |gateway| gateway.settings().look.language);
        Words::choose(language, self.locale.as_deref())
    }

    /// Hands over the tray once it is built.
    pub(crate) fn has_tray(&self, tray: Tray) {
        let _ = self.tray.set(tray);
    }

    /// Shows the state of now in the tray, if there is one.
    pub(crate) fn redraw(&self) {
        if let Some(tray) = self.tray.get() {
            tray.draw(self.menu());
        }
    }

    /// Whether the app can be reached without a window.
    pub(crate) fn is_in_tray(&self) -> bool {
        self.tray.get().is_some()
    }

    /// What answers the window: the shell's own paths, then the admin API. Waits until the gateway is open or refused.
    pub(crate) async fn router(&self) -> Router {
        let mut phases = self.phase.subscribe();
        let phase = match phases.wait_for(|phase| !matches!(phase, Phase::Opening)).await {
            Ok(phase) => phase.clone(),
            // The sender is `self`, so this never waits for nothing.
            Err(_) => Phase::Opening,
        };
        let clipboard = Arc::clone(&self.clipboard);
        let own = Router::new()
            .route("/shell/clipboard", post(move |Json(text)| put(clipboard, text)))
            .route("/shell/save", post(async |Json(request): Json<SaveRequest>| save::save(request).await))
            .layer(DefaultBodyLimit::max(MAX_SAVED));
        match phase {
            Phase::Open(gateway) => own.fallback_service(gateway.admin_router()),
            Phase::Failed(refusal) => own.fallback(async move || unavailable(&refusal)),
            Phase::Opening => own,
        }
    }
}

fn unavailable(refusal: &Refusal) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Json(refusal)).into_response()
}

#[derive(Deserialize)]
struct ClipboardText {
    text: String,
}

async fn put(clipboard: Arc<Clipboard>, body: ClipboardText) -> Response {
    let put = tauri::async_runtime::spawn_blocking(move || clipboard.put(&body.text)).await;
    match put.map_err(|error| error.to_string()).flatten() {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(reason) => {
            Problem::new(ProblemCode::Internal, format!("the clipboard cannot be used: {reason}")).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use http_body_util::BodyExt as _;
    use std::path::PathBuf;
    use tower::ServiceExt as _;

    async fn get(router: Router, path: &str) -> (StatusCode, serde_json::Value) {
        let request = http::Request::get(path).body(Body::empty()).unwrap();
        let answer = router.oneshot(request).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    #[tokio::test]
    async fn requests_wait_for_the_gateway_and_learn_why_there_is_none() {
        let shell = Shell::new(None, None);
        let error = OpenError::Locked { path: PathBuf::from("/data"), holder: Some(42) };
        let asking = async { get(shell.router().await, "/api/status").await };
        let failing = async {
            tokio::task::yield_now().await;
            shell.phase.send_replace(Phase::Failed(Arc::new(Refusal::from(&error))));
        };
        let ((status, body), ()) = tokio::join!(asking, failing);
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body["code"], "data_dir_locked");
        assert_eq!(body["params"]["holder"], "42");
        assert!(body["message"].as_str().unwrap().contains("42"), "{body}");
        assert!(!body["action"].as_str().unwrap().is_empty());
    }

    #[test]
    fn quitting_begins_once() {
        let shell = Shell::new(None, None);
        assert!(shell.begin_quitting());
        assert!(!shell.begin_quitting());
    }
}
