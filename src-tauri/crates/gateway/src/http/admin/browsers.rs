//! The browsers of this machine, for choosing where a sign-in page opens, and the one other page that is opened for a person.

use crate::browser::{Browser, BrowserKind};
use crate::error::{Problem, ProblemCode};
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// Where the provider asks people of suspended accounts to write to (kiro-upstream.md §4.2).
const SUPPORT: &str = "https://app.kiro.dev/settings/account#support";

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
    /// The provider's own support, for an account that it stopped.
    pub(super) support_page: &'static str,
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
    Json(BrowserList {
        browsers: found.iter().map(view).collect(),
        display: browsers.has_display(),
        support_page: SUPPORT,
    })
}

/// Opens the provider's support page in the person's browser.
#[utoipa::path(post, path = "/api/support/open", operation_id = "openSupport",
    responses((status = 204), (status = 409, body = Problem)))]
pub(super) async fn open_support(State(gateway): State<Gateway>) -> Result<StatusCode, Problem> {
    let page = url::Url::parse(SUPPORT).map_err(|error| Problem::new(ProblemCode::Internal, error.to_string()))?;
    gateway.open_page(&page, None, false).await.map_err(|error| {
        Problem::new(ProblemCode::BrowserUnavailable, error.to_string())
            .action(error.action())
            .param("reason", error.code())
    })?;
    Ok(StatusCode::NO_CONTENT)
}
