//! Which flows are meant, and the page of them that is shown.

use super::shelf::Row;
use super::view::{FlowOutcome, FlowView};
use crate::clock::Timestamp;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// Which requests are meant: those that fit everything that is named. An empty text names nothing.
#[derive(Debug, Clone, Default, Deserialize, IntoParams, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[into_params(parameter_in = Query)]
pub(crate) struct FlowFilter {
    /// Client protocol, such as `anthropic`.
    pub(crate) protocol: Option<String>,
    /// The model's name, as the client said it or as the upstream was asked.
    pub(crate) model: Option<String>,
    /// Id of an account that was asked.
    pub(crate) account: Option<String>,
    /// How it ended; `running` for those under way.
    pub(crate) outcome: Option<FlowOutcome>,
    /// Code of the failure, or of one attempt that went wrong.
    pub(crate) code: Option<String>,
    /// Bookmarked or not.
    pub(crate) bookmarked: Option<bool>,
    /// One of its tags.
    pub(crate) tag: Option<String>,
    /// Words that all occur in what is known of it: id, client, models, account, hosts, codes, notices, note, tags.
    pub(crate) search: Option<String>,
    /// Arrived at this moment or later; milliseconds since 1970.
    #[param(value_type = Option<i64>)]
    pub(crate) since: Option<Timestamp>,
    /// Arrived before this moment; milliseconds since 1970.
    #[param(value_type = Option<i64>)]
    pub(crate) until: Option<Timestamp>,
}

/// Part of a list that may grow at its beginning.
pub(crate) struct Page {
    /// Newest first.
    pub(crate) rows: Vec<Row>,
    /// Continues after the last row; `None` at the end.
    pub(crate) next: Option<u64>,
    /// How many fit, on all pages.
    pub(crate) matched: usize,
}

/// Rows that ended before the one numbered `before`, at most `limit` of them.
pub(super) fn page(rows: Vec<Row>, before: Option<u64>, limit: usize) -> Page {
    let matched = rows.len();
    let mut rest = rows.into_iter().skip_while(|row| before.is_some_and(|before| row.seq >= before));
    let rows: Vec<Row> = rest.by_ref().take(limit).collect();
    let next = rest.next().and(rows.last()).map(|last| last.seq);
    Page { rows, next, matched }
}

/// A filter ready to be held against many flows.
pub(crate) struct Sieve<'a> {
    filter: &'a FlowFilter,
    words: Vec<String>,
    /// An account's name for people, by its id.
    label: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Sieve<'a> {
    pub(crate) fn new(filter: &'a FlowFilter, label: &'a dyn Fn(&str) -> Option<String>) -> Self {
        let words = filter.search.iter().flat_map(|search| search.split_whitespace()).map(str::to_lowercase);
        Self { filter, words: words.collect(), label }
    }

    /// Whether the flow is meant.
    pub(crate) fn lets(&self, row: &Row) -> bool {
        let (filter, flow, marks) = (self.filter, &*row.flow, &*row.marks);
        fits(filter.protocol.as_deref(), [Some(&*flow.protocol)])
            && fits(filter.model.as_deref(), [flow.model.as_deref(), flow.upstream_model.as_deref()])
            && fits(filter.account.as_deref(), accounts(flow))
            && filter.outcome.is_none_or(|outcome| flow.outcome == outcome)
            && fits(filter.code.as_deref(), codes(flow))
            && filter.bookmarked.is_none_or(|bookmarked| marks.bookmarked == bookmarked)
            && fits(filter.tag.as_deref(), marks.tags.iter().map(|tag| Some(&**tag)))
            && filter.since.is_none_or(|since| flow.at >= since)
            && filter.until.is_none_or(|until| flow.at < until)
            && self.says(row)
    }

    fn says(&self, row: &Row) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let (flow, marks) = (&*row.flow, &*row.marks);
        let mut text = String::new();
        let mut add = |part: &str| {
            text.push_str(&part.to_lowercase());
            // Nobody types it, so no word spans two parts.
            text.push('\0');
        };
        add(&flow.id);
        add(&flow.protocol);
        [&flow.client, &flow.model, &flow.upstream_model, &marks.note].into_iter().flatten().for_each(|part| add(part));
        for account in accounts(flow).flatten() {
            add(account);
            if let Some(label) = (self.label)(account) {
                add(&label);
            }
        }
        codes(flow).flatten().for_each(&mut add);
        flow.attempts.iter().for_each(|attempt| add(&attempt.host));
        for notice in &flow.notices {
            [&notice.code, &notice.path, &notice.detail].into_iter().for_each(|part| add(part));
        }
        marks.tags.iter().for_each(|tag| add(tag));
        self.words.iter().all(|word| text.contains(&**word))
    }
}

/// Accounts that had to do with it.
fn accounts(flow: &FlowView) -> impl Iterator<Item = Option<&str>> {
    std::iter::once(flow.account.as_deref()).chain(flow.attempts.iter().map(|attempt| Some(&*attempt.account)))
}

fn codes(flow: &FlowView) -> impl Iterator<Item = Option<&str>> {
    std::iter::once(flow.failure_code.as_deref()).chain(flow.attempts.iter().map(|attempt| attempt.code.as_deref()))
}

fn fits<'a>(wanted: Option<&str>, found: impl IntoIterator<Item = Option<&'a str>>) -> bool {
    match wanted.filter(|wanted| !wanted.is_empty()) {
        None => true,
        Some(wanted) => found.into_iter().flatten().any(|found| found.eq_ignore_ascii_case(wanted)),
    }
}
