//! Requests and what became of them: metadata only. What was asked and answered is not recorded.

use super::extract::{Body, Params};
use crate::error::{FieldProblem, Problem, ProblemCode};
use crate::flow::{
    ExportFormat, FlowFilter, FlowMarks, FlowStats, FlowView, MarkChange, MarkError, Page, Row, Sieve, export as write,
};
use crate::settings::FlowStore;
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

const PAGE: usize = 50;
const MOST: usize = 500;

/// Which part of the list.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FlowPage {
    /// At most this many, up to 500; 50 when absent.
    #[serde(default)]
    limit: Option<usize>,
    /// Continues a list: the `next` of the page before. Requests that came meanwhile move nothing.
    #[serde(default)]
    before: Option<u64>,
}

/// A request with what a person added to it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MarkedFlow {
    #[serde(flatten)]
    #[schema(value_type = FlowView)]
    flow: Arc<FlowView>,
    #[serde(flatten)]
    #[schema(value_type = FlowMarks)]
    marks: Arc<FlowMarks>,
}

impl From<Row> for MarkedFlow {
    fn from(row: Row) -> Self {
        Self { flow: row.flow, marks: row.marks }
    }
}

/// A page of requests.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlowList {
    /// Those that have ended, the newest end first.
    flows: Vec<MarkedFlow>,
    /// Those under way, the newest first; on the first page only.
    running: Vec<MarkedFlow>,
    /// How many have ended and fit, on all pages.
    matched: usize,
    /// `before` of the next page; nothing at the end.
    next: Option<u64>,
}

/// What requests came to.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlowSummary {
    #[serde(flatten)]
    stats: FlowStats,
    /// Requests under way that fit.
    running: usize,
    /// Where requests are kept.
    store: FlowStore,
    /// Requests since the start that are in memory only, because the disk failed or was too slow.
    unsaved: u64,
}

/// Requests and what became of them, the newest first; metadata only. Every filter that is named must fit.
#[utoipa::path(get, path = "/api/flows", operation_id = "listFlows", params(FlowPage, FlowFilter),
    responses((status = 200, body = FlowList), (status = 400, body = Problem)))]
pub(super) async fn list(
    State(gateway): State<Gateway>,
    Params(page): Params<FlowPage>,
    Params(filter): Params<FlowFilter>,
) -> Json<FlowList> {
    let limit = page.limit.unwrap_or(PAGE).clamp(1, MOST);
    sifted(&gateway, &filter, |sieve| {
        let flows = &gateway.parts.flows;
        let running = if page.before.is_none() { flows.running(sieve) } else { Vec::new() };
        let Page { rows, next, matched } = flows.page(sieve, page.before, limit);
        let shown = |rows: Vec<Row>| rows.into_iter().map(MarkedFlow::from).collect();
        Json(FlowList { flows: shown(rows), running: shown(running), matched, next })
    })
}

/// What the requests that fit came to: outcomes, latency, tokens, credits as the service metered them.
#[utoipa::path(get, path = "/api/flows/stats", operation_id = "flowStats", params(FlowFilter),
    responses((status = 200, body = FlowSummary), (status = 400, body = Problem)))]
pub(super) async fn stats(State(gateway): State<Gateway>, Params(filter): Params<FlowFilter>) -> Json<FlowSummary> {
    sifted(&gateway, &filter, |sieve| {
        let flows = &gateway.parts.flows;
        let (stats, running) = (flows.stats(sieve), flows.running(sieve).len());
        Json(FlowSummary { stats, running, store: flows.store(), unsaved: flows.unsaved() })
    })
}

/// One request, under way or ended.
#[utoipa::path(get, path = "/api/flows/{id}", operation_id = "getFlow", params(("id" = String, Path)),
    responses((status = 200, body = MarkedFlow), (status = 404, body = Problem)))]
pub(super) async fn show(State(gateway): State<Gateway>, Path(id): Path<String>) -> Result<Json<MarkedFlow>, Problem> {
    let row = gateway.parts.flows.find(&id).ok_or_else(|| problem(&MarkError::Unknown))?;
    Ok(Json(row.into()))
}

/// Changes bookmark, note and tags of a request. What is left out stays. A marked request stays until its marks are taken away.
#[utoipa::path(patch, path = "/api/flows/{id}", operation_id = "markFlow", params(("id" = String, Path)),
    request_body = MarkChange,
    responses((status = 200, body = MarkedFlow), (status = 404, body = Problem), (status = 422, body = Problem),
        (status = 500, body = Problem)))]
pub(super) async fn mark(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    Body(change): Body<MarkChange>,
) -> Result<Json<MarkedFlow>, Problem> {
    // A face that stops waiting must not leave the file behind the memory.
    let flows = Arc::clone(&gateway.parts.flows);
    let marked = gateway.parts.tasks.spawn(async move { flows.mark(&id, &change).await });
    let row = marked.await.map_err(|_| Problem::new(ProblemCode::Internal, "saving met a fault of ours"))?;
    Ok(Json(row.map_err(|error| problem(&error))?.into()))
}

/// What to export.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FlowExportRequest {
    /// The form of the file.
    format: ExportFormat,
    /// These requests; those that `filter` means when absent.
    #[serde(default)]
    ids: Option<Vec<String>>,
    /// As in the list; everything when absent.
    #[serde(default)]
    filter: FlowFilter,
}

/// An export.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlowExport {
    /// A name for the file.
    file_name: String,
    /// Its media type.
    media_type: String,
    /// The file's content: metadata only, accounts by their ids.
    content: String,
    /// How many requests are in it.
    flows: usize,
}

/// Requests as a file. What was asked and answered is not in it: it is not recorded.
#[utoipa::path(post, path = "/api/flows/export", operation_id = "exportFlows", request_body = FlowExportRequest,
    responses((status = 200, body = FlowExport), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn export(
    State(gateway): State<Gateway>,
    Body(request): Body<FlowExportRequest>,
) -> Result<Json<FlowExport>, Problem> {
    let flows = &gateway.parts.flows;
    let rows = match &request.ids {
        None => sifted(&gateway, &request.filter, |sieve| flows.chosen(sieve)),
        Some(ids) => {
            let found = ids.iter().map(|id| flows.find(id).ok_or_else(|| problem(&MarkError::Unknown)));
            found.collect::<Result<Vec<Row>, Problem>>()?
        }
    };
    let (now, count, format) = (gateway.parts.clock.now(), rows.len(), request.format);
    let content = tokio::task::spawn_blocking(move || write(&rows, format, now)).await;
    let content = content.map_err(|_| Problem::new(ProblemCode::Internal, "writing met a fault of ours"))?;
    let day: String = now.to_rfc3339().chars().take(10).collect();
    Ok(Json(FlowExport {
        file_name: format!("kiro-proxy-requests-{day}.{}", format.extension()),
        media_type: format.media_type().to_owned(),
        content,
        flows: count,
    }))
}

/// What to delete.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FlowClear {
    /// The marked ones too.
    #[serde(default)]
    marked: bool,
}

/// What was deleted.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlowsCleared {
    /// How many requests.
    deleted: usize,
}

/// Deletes the records of all requests, in memory and on disk. Marked ones stay unless they are named.
#[utoipa::path(delete, path = "/api/flows", operation_id = "clearFlows", params(FlowClear),
    responses((status = 200, body = FlowsCleared), (status = 400, body = Problem), (status = 500, body = Problem)))]
pub(super) async fn clear(
    State(gateway): State<Gateway>,
    Params(wish): Params<FlowClear>,
) -> Result<Json<FlowsCleared>, Problem> {
    let flows = Arc::clone(&gateway.parts.flows);
    let cleared = gateway.parts.tasks.spawn(async move { flows.clear(wish.marked).await });
    let deleted = cleared.await.map_err(|_| Problem::new(ProblemCode::Internal, "deleting met a fault of ours"))?;
    Ok(Json(FlowsCleared { deleted: deleted.map_err(|error| problem(&error))? }))
}

/// Holds the filter against flows; a search finds accounts by their names, too.
fn sifted<T>(gateway: &Gateway, filter: &FlowFilter, work: impl FnOnce(&Sieve<'_>) -> T) -> T {
    let accounts = gateway.parts.book.roster.list();
    let labels: HashMap<&str, &str> =
        accounts.iter().map(|account| (account.id.as_str(), account.label.as_str())).collect();
    let label = |id: &str| labels.get(id).map(|label| (*label).to_owned());
    work(&Sieve::new(filter, &label))
}

fn problem(error: &MarkError) -> Problem {
    let code = match error {
        MarkError::Unknown => ProblemCode::NotFound,
        MarkError::Running | MarkError::Full => ProblemCode::InvalidFields,
        MarkError::Invalid { field, message } => {
            let mut problem = Problem::new(ProblemCode::InvalidFields, message.clone());
            let refused = FieldProblem { code: "out_of_range".to_owned(), message: message.clone() };
            problem.fields.insert((*field).to_owned(), refused);
            return problem;
        }
        MarkError::Storage(_) => ProblemCode::Storage,
    };
    Problem::new(code, error.to_string())
}
