//! The browsers of this machine, for choosing where a sign-in page opens.

use crate::browser::{Browser, BrowserKind};
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// One browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BrowserView {
    /// Which one.
    pub(super) id: BrowserKind,
    /// Its name for people.
    pub(super) name: String,
    /// Whether it can be told to open a private window.
    pub(super) private: bool,
    /// Whether links open in it, as far as the system tells.
    pub(super) default: bool,
}

/// The browsers of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BrowserList {
    /// At most one of a kind, in a fixed order.
    pub(super) browsers: Vec<BrowserView>,
    /// Whether a window can appear on this machine's screen. Without one no browser is ever opened here.
    pub(super) display: bool,
}

fn view(browser: &Browser) -> BrowserView {
    BrowserView {
        id: browser.kind,
        name: browser.kind.name().to_owned(),
        private: browser.has_private_window(),
        default: browser.default,
    }
}

/// The browsers of the machine the gateway runs on. Looked up anew each time.
#[utoipa::path(get, path = "/api/browsers", operation_id = "listBrowsers", responses((status = 200, body = BrowserList)))]
pub(super) async fn list(State(gateway): State<Gateway>) -> Json<BrowserList> {
    let browsers = &gateway.parts.browsers;
    let found = browsers.detect().await;
    Json(BrowserList { browsers: found.iter().map(view).collect(), display: browsers.has_display() })
}
