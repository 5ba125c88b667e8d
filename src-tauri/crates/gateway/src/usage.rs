//! What was used, by day, account, model and key: requests, the credits that the service metered, and tokens.
//!
//! Promises: credits come from metering alone and are never estimated; every moment belongs to exactly one day of the local
//! time zone, whatever clocks do; a month is a file of its own that is replaced as a whole, so that a crash costs what was not
//! saved since the last time, at most [`SAVE`]. Bounded: months that are too old are removed, and a month with too many
//! different cells counts the rest by account and day only. Answers of the demo account are not real and not counted.

mod month;

use crate::account::AccountId;
use crate::clock::{Clock, Timestamp};
use crate::data_dir::DataDir;
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use month::{Cell, Month};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

/// Between two saves.
pub(crate) const SAVE: Duration = Duration::from_secs(10);
/// Months that are kept.
const MONTHS: usize = 25;

/// What something came to.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Sums {
    /// Requests of clients.
    pub(crate) requests: u64,
    /// Credits that the service metered, those of answers that were tried again included.
    pub(crate) credits: f64,
    /// Input tokens.
    pub(crate) input_tokens: u64,
    /// Output tokens.
    pub(crate) output_tokens: u64,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.credits += other.credits;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
    }
}

/// What the sums are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum UsageBy {
    /// One row for each account.
    #[default]
    Account,
    /// One row for each model.
    Model,
    /// One row for each client key.
    Key,
    /// One row for each day of the local time zone.
    Day,
}

#[derive(Debug, Default)]
struct Books {
    /// By the month's name, such as `2026-11`.
    months: BTreeMap<String, Month>,
    /// Credits of one day, by account: lists of accounts ask often.
    today: (Option<Date>, HashMap<String, f64>),
}

/// Keeps the books.
pub(crate) struct Ledger {
    dir: Arc<DataDir>,
    clock: Arc<dyn Clock>,
    /// The machine's own when nothing else is said.
    zone: Option<TimeZone>,
    books: Mutex<Books>,
}

impl Ledger {
    /// Reads what earlier runs kept. A month that cannot be read is put aside; the others count.
    pub(crate) fn open(dir: Arc<DataDir>, clock: Arc<dyn Clock>, zone: Option<TimeZone>) -> Self {
        let ledger = Self { dir, clock, zone, books: Mutex::default() };
        match month::load_all(&ledger.dir) {
            Ok(months) => ledger.books().months = months,
            Err(error) => tracing::warn!(%error, "what was used so far cannot be read"),
        }
        ledger
    }

    /// Books something of now. Touches memory only.
    pub(crate) fn add(&self, account: &AccountId, model: &str, key: &str, sums: &Sums) {
        let day = self.day(self.clock.now());
        let mut books = self.books();
        let cell = Cell::new(day, account.as_str(), model, key);
        books.months.entry(month::name(day)).or_default().add(cell, sums);
        if books.today.0 == Some(day) {
            *books.today.1.entry(account.to_string()).or_default() += sums.credits;
        }
    }

    /// Credits of today, by the account's id.
    pub(crate) fn credits_today(&self, account: &AccountId) -> f64 {
        let day = self.day(self.clock.now());
        let mut books = self.books();
        if books.today.0 != Some(day) {
            let mut sums: HashMap<String, f64> = HashMap::new();
            for (cell, sum) in books.months.get(&month::name(day)).into_iter().flat_map(|month| month.of(day, day)) {
                *sums.entry(cell.account.clone()).or_default() += sum.credits;
            }
            books.today = (Some(day), sums);
        }
        books.today.1.get(account.as_str()).copied().unwrap_or(0.0)
    }

    /// Sums of the last `days` days, today included: days in order, everything else by credits, most first.
    pub(crate) fn rows(&self, by: UsageBy, days: u32) -> Vec<(String, Sums)> {
        let today = self.day(self.clock.now());
        let first = today.checked_sub(i64::from(days.saturating_sub(1).min(100_000)).days()).unwrap_or(Date::MIN);
        let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
        let books = self.books();
        for (cell, sum) in books.months.values().flat_map(|month| month.of(first, today)) {
            let name = match by {
                UsageBy::Account => cell.account.clone(),
                UsageBy::Model => cell.model.clone(),
                UsageBy::Key => cell.key.clone(),
                UsageBy::Day => cell.day.to_string(),
            };
            sums.entry(name).or_default().add(sum);
        }
        let mut rows: Vec<(String, Sums)> = sums.into_iter().collect();
        match by {
            UsageBy::Day => {}
            UsageBy::Account | UsageBy::Model | UsageBy::Key => {
                rows.sort_by(|a, b| b.1.credits.total_cmp(&a.1.credits).then_with(|| b.1.requests.cmp(&a.1.requests)));
            }
        }
        rows
    }

    /// Saves from time to time, until it is cancelled.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(SAVE) => {}
            }
            let ledger = Arc::clone(&self);
            if let Ok(Err(error)) = tokio::task::spawn_blocking(move || ledger.save()).await {
                tracing::warn!(%error, "what was used could not be saved; it is kept in memory");
            }
        }
    }

    /// Saves the months that changed, and removes those that are too old. Blocks for disk syncs.
    pub(crate) fn save(&self) -> std::io::Result<()> {
        let (changed, old) = {
            let mut books = self.books();
            let mut old = Vec::new();
            while books.months.len() > MONTHS {
                old.extend(books.months.pop_first().map(|(name, _)| name));
            }
            let changed: Vec<(String, Vec<u8>)> =
                books.months.iter_mut().filter_map(|(name, month)| Some((name.clone(), month.changes()?))).collect();
            (changed, old)
        };
        for (name, bytes) in changed {
            let saved = month::save(&self.dir, &name, &bytes);
            if saved.is_err()
                && let Some(month) = self.books().months.get_mut(&name)
            {
                month.changed();
            }
            saved?;
        }
        old.iter().try_for_each(|name| month::remove(&self.dir, name))
    }

    /// The local day of a moment.
    fn day(&self, at: Timestamp) -> Date {
        let moment = jiff::Timestamp::from_millisecond(at.unix_ms()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let zone = self.zone.clone().unwrap_or_else(TimeZone::system);
        zone.to_datetime(moment).date()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
