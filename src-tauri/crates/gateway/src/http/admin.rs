//! The admin API: one router for every face, and its OpenAPI document.

mod account_changes;
mod account_checks;
mod accounts;
mod browsers;
mod events;
mod export;
mod extract;
mod flows;
mod incoming;
mod keys;
mod links;
mod logins;
mod manual;
mod models;
mod network;
mod removals;
mod scan;
mod settings;
mod settings_file;
mod speed;
mod status;
mod transfer;
mod try_it;
mod usage;
mod vault;

use crate::wiring::Gateway;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Imports are the largest bodies: files of many accounts.
const MAX_BODY: usize = 8 * 1024 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(title = "Kiro Proxy admin API", description = "What the window, the browser and the command line use."),
    components(schemas(crate::AdminEvent, crate::Problem, crate::usage::UsageBy, try_it::Receipt))
)]
struct Document;

fn documented() -> OpenApiRouter<Gateway> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(status::status))
        .routes(routes!(status::listener))
        .routes(routes!(status::port))
        .routes(routes!(settings::settings, settings::patch))
        .routes(routes!(settings_file::export))
        .routes(routes!(settings_file::import))
        .routes(routes!(accounts::list))
        .routes(routes!(accounts::demo))
        .routes(routes!(transfer::import))
        .routes(routes!(transfer::import_sealed))
        .routes(routes!(scan::scan))
        .routes(routes!(scan::add_scanned))
        .routes(routes!(manual::add_manual))
        .routes(routes!(export::export))
        .routes(routes!(links::change))
        .routes(routes!(account_checks::refresh))
        .routes(routes!(account_checks::refresh_all))
        .routes(routes!(account_checks::check))
        .routes(routes!(account_checks::test))
        .routes(routes!(usage::quota))
        .routes(routes!(usage::usage))
        .routes(routes!(removals::remove, account_changes::show, account_changes::change))
        .routes(routes!(removals::undo))
        .routes(routes!(account_changes::only))
        .routes(routes!(account_changes::restore))
        .routes(routes!(account_changes::test_proxy))
        .routes(routes!(network::show))
        .routes(routes!(network::set_login, network::remove_login))
        .routes(routes!(network::test))
        .routes(routes!(network::addresses))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke, keys::change))
        .routes(routes!(keys::reveal))
        .routes(routes!(models::list))
        .routes(routes!(models::refresh))
        .routes(routes!(models::test))
        .routes(routes!(try_it::ask))
        .routes(routes!(speed::speed_test))
        .routes(routes!(flows::list, flows::clear))
        .routes(routes!(flows::stats))
        .routes(routes!(flows::export))
        .routes(routes!(flows::show, flows::mark))
        .routes(routes!(browsers::list))
        .routes(routes!(browsers::open_support))
        .routes(routes!(vault::show))
        .routes(routes!(vault::lock))
        .routes(routes!(vault::unlock))
        .routes(routes!(vault::rekey))
        .routes(routes!(vault::migrate))
        .routes(routes!(events::events))
        .routes(routes!(logins::list, logins::start))
        .routes(routes!(logins::get, logins::cancel))
        .routes(routes!(logins::paste))
        .routes(routes!(logins::profile))
        .routes(routes!(logins::open))
}

/// The router with every admin call.
pub(crate) fn router(gateway: Gateway) -> axum::Router {
    let (router, _) = documented().split_for_parts();
    router
        .route("/api/openapi.json", get(|| async { ([(CONTENT_TYPE, "application/json")], openapi_document()) }))
        .fallback(extract::nothing_here)
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
        .with_state(gateway)
}

/// The OpenAPI document of the admin API, as pretty JSON with a line break at the end.
pub fn openapi_document() -> String {
    let (_, document) = documented().split_for_parts();
    let mut text = document.to_pretty_json().expect("the document is plain data");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
