//! The admin API: one router for every face, and its OpenAPI document.

mod status;

use crate::wiring::Gateway;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(OpenApi)]
#[openapi(
    info(title = "Kiro Proxy admin API", description = "What the window, the browser and the command line use."),
    components(schemas(crate::AdminEvent, crate::Problem))
)]
struct Document;

fn documented() -> OpenApiRouter<Gateway> {
    OpenApiRouter::with_openapi(Document::openapi()).routes(routes!(status::status)).routes(routes!(status::listener))
}

/// The router with every admin call.
pub(crate) fn router(gateway: Gateway) -> axum::Router {
    let (router, _) = documented().split_for_parts();
    router.with_state(gateway)
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
