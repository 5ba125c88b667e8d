//! What happened to each request: metadata only, never contents. The newest are kept, in memory and on disk.
//!
//! Promises: a request never waits for the disk; what is kept is bounded in number, bytes and age; what a person marked stays
//! until the person takes the mark away; no secret and nothing of what was asked or answered is in it.
//!
//! - `view`: what is known of a request. `record`: how it is gathered. `shelf`: what is kept in memory.
//! - `disk`, `writer`: lines on disk and the one task that writes them. `marks`: bookmark, note, tags.
//! - `query`, `stats`, `export`: what is asked of them.

mod disk;
mod export;
mod marks;
mod query;
mod record;
mod shelf;
mod stats;
mod totals;
mod view;
mod writer;

pub(crate) use export::{ExportFormat, export};
pub use marks::FlowMarks;
pub(crate) use marks::{MarkChange, MarkError};
pub(crate) use query::{FlowFilter, Page, Sieve};
pub(crate) use record::{Flow, Trail};
pub(crate) use shelf::Row;
pub(crate) use stats::FlowStats;
pub(crate) use totals::Totals;
pub use view::{
    AttemptReason, FlowAttempt, FlowDelivery, FlowNotice, FlowOperation, FlowOutcome, FlowTokenSource, FlowUsage,
    FlowView,
};

use crate::admin_event::{AdminEvent, Announcer};
use crate::clock::Clock;
use crate::data_dir::DataDir;
use crate::settings::{FlowSettings, FlowStore};
use disk::Segments;
use record::Record;
use shelf::{Line, Shelf};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use writer::{Order, Writer};

/// The requests that are kept, and those under way.
pub(crate) struct Flows {
    clock: Arc<dyn Clock>,
    announcer: Announcer,
    shelf: Mutex<Shelf>,
    totals: Mutex<Totals>,
    /// How many are under way; watched by whoever shows it.
    in_flight: watch::Sender<usize>,
    open: Mutex<BTreeMap<u64, Arc<Record>>>,
    arrived: AtomicU64,
    /// Nowhere to write when there is none.
    dir: Option<Arc<DataDir>>,
    orders: Option<mpsc::Sender<Order>>,
    writer: Mutex<Option<Writer>>,
    unsaved: Arc<AtomicU64>,
    /// One change of marks at a time, so that the file follows the memory.
    marking: tokio::sync::Mutex<()>,
}

impl Flows {
    /// Reads what earlier runs kept. Blocks for the disk. Nothing is written before [`Flows::run`].
    pub(crate) fn load(
        dir: Option<Arc<DataDir>>,
        clock: Arc<dyn Clock>,
        announcer: Announcer,
        settings: &FlowSettings,
    ) -> Self {
        let (now, unsaved) = (clock.now(), Arc::new(AtomicU64::new(0)));
        let (mut found, mut marked) = (Vec::new(), BTreeMap::new());
        let (mut orders, mut writer) = (None, None);
        if let Some(dir) = &dir {
            let (segments, read) = Segments::open(Arc::clone(dir), settings.clone(), now);
            found = read;
            marked = marks::load(dir);
            let (sender, receiver) = mpsc::channel(writer::QUEUE);
            orders = Some(sender);
            writer = Some(Writer::new(segments, receiver, Arc::clone(&clock), Arc::clone(&unsaved)));
        }
        Self {
            shelf: Mutex::new(Shelf::new(settings.clone(), found, marked, now)),
            totals: Mutex::new(Totals { since: now, ..Totals::default() }),
            clock,
            announcer,
            in_flight: watch::channel(0).0,
            open: Mutex::default(),
            arrived: AtomicU64::new(0),
            dir,
            orders,
            writer: Mutex::new(writer),
            unsaved,
            marking: tokio::sync::Mutex::new(()),
        }
    }

    /// Without a disk, with the usual limits.
    #[cfg(test)]
    pub(crate) fn new(clock: Arc<dyn Clock>, announcer: Announcer) -> Self {
        Self::load(None, clock, announcer, &FlowSettings::default())
    }

    /// Writes what is to be kept on disk, until it is stopped.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            writer.run(stop).await;
        }
    }

    /// Takes over the settings.
    pub(crate) async fn follow(&self, settings: &FlowSettings) {
        let lines = self.shelf().follow(settings, self.clock.now());
        let Some(orders) = &self.orders else { return };
        // A writer that is gone has been stopped.
        let _ = orders.send(Order::Follow(settings.clone())).await;
        if !lines.is_empty() {
            let _ = orders.send(Order::Keep(lines)).await;
        }
    }

    /// Opens the record of a request that has just arrived.
    pub(crate) fn open(self: &Arc<Self>, id: String, protocol: &'static str, client: Option<String>) -> Flow {
        let number = self.arrived.fetch_add(1, Ordering::Relaxed);
        let record = Arc::new(Record::new(number, id, self.clock.now(), protocol, client.as_deref()));
        self.under_way().insert(number, Arc::clone(&record));
        self.in_flight.send_modify(|count| *count += 1);
        Flow::new(record, Arc::clone(self))
    }

    /// Requests under way.
    pub(crate) fn in_flight(&self) -> usize {
        *self.in_flight.borrow()
    }

    /// Follows the number of requests under way.
    pub(crate) fn watch(&self) -> watch::Receiver<usize> {
        self.in_flight.subscribe()
    }

    /// What all flows since the start came to, those that are no longer kept included.
    pub(crate) fn totals(&self) -> Totals {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests that are in memory only, although they should be on disk: the disk failed or was too slow.
    pub(crate) fn unsaved(&self) -> u64 {
        self.unsaved.load(Ordering::Relaxed)
    }

    /// Where requests are kept.
    pub(crate) fn store(&self) -> FlowStore {
        self.shelf().store()
    }

    /// The newest first.
    pub(crate) fn newest(&self, limit: usize) -> Vec<Arc<FlowView>> {
        self.shelf().newest(limit)
    }

    /// Those that the filter means, the newest first.
    pub(crate) fn chosen(&self, sieve: &Sieve<'_>) -> Vec<Row> {
        let rows = {
            let mut shelf = self.shelf();
            shelf.sweep(self.clock.now());
            shelf.rows()
        };
        rows.into_iter().filter(|row| sieve.lets(row)).collect()
    }

    /// A page of [`Flows::chosen`].
    pub(crate) fn page(&self, sieve: &Sieve<'_>, before: Option<u64>, limit: usize) -> Page {
        query::page(self.chosen(sieve), before, limit)
    }

    /// Those under way that the filter means, the newest first.
    pub(crate) fn running(&self, sieve: &Sieve<'_>) -> Vec<Row> {
        let records: Vec<Arc<Record>> = self.under_way().values().rev().cloned().collect();
        let row = |record: &Arc<Record>| Row { seq: 0, flow: Arc::new(record.running()), marks: Arc::default() };
        records.iter().map(row).filter(|row| sieve.lets(row)).collect()
    }

    /// What those came to that the filter means.
    pub(crate) fn stats(&self, sieve: &Sieve<'_>) -> FlowStats {
        stats::stats(&self.chosen(sieve))
    }

    /// The request with this id, under way or ended.
    pub(crate) fn find(&self, id: &str) -> Option<Row> {
        let everything = FlowFilter::default();
        let sieve = Sieve::new(&everything, &|_| None);
        let kept = self.shelf().find(id);
        kept.or_else(|| self.running(&sieve).into_iter().find(|row| row.flow.id == id))
    }

    /// Changes what a person added to a request. Saved when this returns.
    pub(crate) async fn mark(&self, id: &str, change: &MarkChange) -> Result<Row, MarkError> {
        let _one = self.marking.lock().await;
        let row = self.find(id).ok_or(MarkError::Unknown)?;
        if row.flow.outcome == FlowOutcome::Running {
            return Err(MarkError::Running);
        }
        let marks = change.apply(&row.marks)?;
        if marks == *row.marks {
            return Ok(row);
        }
        let (before, now, line) = {
            let mut shelf = self.shelf();
            let before = shelf.marked();
            if !marks.is_empty() && row.marks.is_empty() && before.len() >= marks::MOST_MARKED {
                return Err(MarkError::Full);
            }
            let line = shelf.mark(row.seq, marks.clone(), self.clock.now());
            (before, shelf.marked(), line)
        };
        if let Err(error) = self.save_marks(now).await {
            self.shelf().restore(before);
            return Err(MarkError::Storage(error.to_string()));
        }
        self.keep(line.into_iter().collect());
        self.announcer.tell(AdminEvent::Flows { id: id.to_owned() });
        Ok(Row { marks: Arc::new(marks), ..row })
    }

    /// Deletes everything that is kept; the marked ones only when `marked` says so. Tells how many are gone.
    pub(crate) async fn clear(&self, marked: bool) -> Result<usize, MarkError> {
        let _one = self.marking.lock().await;
        let mut gone = self.shelf().clear();
        if let Some(orders) = &self.orders {
            let (answer, cleared) = oneshot::channel();
            if orders.send(Order::Clear(answer)).await.is_ok() {
                let cleared = cleared.await.unwrap_or_else(|_| Err(io::Error::other("the program is stopping")));
                cleared.map_err(|error| MarkError::Storage(error.to_string()))?;
            }
        }
        if marked {
            let before = self.shelf().marked();
            gone += self.shelf().clear_marked();
            // Twice, so that the generation before knows nothing of them either.
            for _ in 0..2 {
                if let Err(error) = self.save_marks(Vec::new()).await {
                    self.shelf().restore(before);
                    return Err(MarkError::Storage(error.to_string()));
                }
            }
        }
        self.announcer.tell(AdminEvent::Flows { id: String::new() });
        Ok(gone)
    }

    async fn save_marks(&self, marked: Vec<shelf::Marked>) -> io::Result<()> {
        let Some(dir) = self.dir.clone() else { return Ok(()) };
        let saved = tokio::task::spawn_blocking(move || marks::save(&dir, marked)).await;
        saved.unwrap_or_else(|_| Err(io::Error::other("the work was given up")))
    }

    fn close(&self, number: u64, view: FlowView) {
        self.under_way().remove(&number);
        self.in_flight.send_modify(|count| *count = count.saturating_sub(1));
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).add(&view);
        let id = view.id.clone();
        {
            let mut shelf = self.shelf();
            let line = shelf.insert(view, self.clock.now());
            // Within the lock, so that lines are written in their order.
            self.keep(line.into_iter().collect());
        }
        self.announcer.tell(AdminEvent::Flows { id });
    }

    /// Hands lines to the writer, if it keeps up.
    fn keep(&self, lines: Vec<Line>) {
        let Some(orders) = self.orders.as_ref().filter(|_| !lines.is_empty()) else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = orders.try_send(Order::Keep(lines)) {
            self.unsaved.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn under_way(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Record>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
