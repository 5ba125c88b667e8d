//! Admin events as server-sent events.

use crate::admin_event::AdminEvent;
use crate::wiring::Gateway;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use kiro_protocol::sse::SseWriter;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// Between signs of life.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What changes, as it changes. Begins with the status as it is.
#[utoipa::path(get, path = "/api/events", operation_id = "events",
    responses((status = 200, body = AdminEvent, content_type = "text/event-stream")))]
pub(super) async fn events(State(gateway): State<Gateway>) -> Response {
    let receiver = gateway.events();
    let first = AdminEvent::Status { status: Box::new(gateway.status()) };
    let stop = gateway.parts.stop.clone();
    let chunks = stream::unfold((receiver, Some(first), gateway), move |(mut receiver, first, gateway)| {
        let stop = stop.clone();
        async move {
            let mut writer = SseWriter::default();
            if let Some(first) = first {
                writer.json(None, &first);
            } else {
                tokio::select! {
                    () = stop.cancelled() => return None,
                    event = receiver.recv() => match event {
                        Ok(event) => writer.json(None, &event),
                        // Whoever was too slow looks at everything again.
                        Err(RecvError::Lagged(_)) => {
                            for event in everything(&gateway) {
                                writer.json(None, &event);
                            }
                        }
                        Err(RecvError::Closed) => return None,
                    },
                    () = tokio::time::sleep(KEEP_ALIVE) => writer.comment("here"),
                }
            }
            Some((Ok::<_, Infallible>(writer.take()), (receiver, None, gateway)))
        }
    });
    ([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")], Body::from_stream(chunks)).into_response()
}

/// Everything that may have changed unseen, as it is now.
fn everything(gateway: &Gateway) -> Vec<AdminEvent> {
    let mut all = vec![
        AdminEvent::Status { status: Box::new(gateway.status()) },
        AdminEvent::Settings { revision: gateway.parts.settings.snapshot().revision },
        AdminEvent::Accounts,
        AdminEvent::Keys,
    ];
    all.extend(gateway.parts.logins.list().iter().map(|login| AdminEvent::Logins { id: login.id.clone() }));
    all.extend(gateway.parts.flows.newest(1).pop().map(|flow| AdminEvent::Flows { id: flow.id.clone() }));
    all
}
