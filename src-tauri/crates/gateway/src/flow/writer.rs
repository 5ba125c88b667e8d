//! The one task that writes flows, behind a bounded queue: a request never waits for the disk.

use super::disk::Segments;
use super::shelf::Line;
use crate::clock::Clock;
use crate::settings::FlowSettings;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Orders that wait. More lines than that are counted as unsaved and stay in memory only.
pub(super) const QUEUE: usize = 1024;
/// Orders that are carried out together.
const BATCH: usize = 256;
/// How often old files are looked for when nobody asks anything.
const ROUND: Duration = Duration::from_secs(3600);

/// What to do with the files.
pub(super) enum Order {
    /// Write these.
    Keep(Vec<Line>),
    /// Take over other limits.
    Follow(FlowSettings),
    /// Delete everything, and tell whether that went well.
    Clear(oneshot::Sender<io::Result<()>>),
}

pub(super) struct Writer {
    segments: Arc<Mutex<Segments>>,
    orders: mpsc::Receiver<Order>,
    clock: Arc<dyn Clock>,
    /// Lines that are in memory only.
    unsaved: Arc<AtomicU64>,
}

impl Writer {
    pub(super) fn new(
        segments: Segments,
        orders: mpsc::Receiver<Order>,
        clock: Arc<dyn Clock>,
        unsaved: Arc<AtomicU64>,
    ) -> Self {
        Self { segments: Arc::new(Mutex::new(segments)), orders, clock, unsaved }
    }

    /// Writes until it is stopped, and then what is still waiting.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                taken = self.orders.recv_many(&mut batch, BATCH) => if taken == 0 { break },
                () = tokio::time::sleep(ROUND) => {}
            }
            self.carry_out(std::mem::take(&mut batch)).await;
        }
        self.orders.close();
        while self.orders.recv_many(&mut batch, BATCH).await > 0 {
            self.carry_out(std::mem::take(&mut batch)).await;
        }
        let segments = Arc::clone(&self.segments);
        let synced = tokio::task::spawn_blocking(move || lock(&segments).sync()).await;
        if let Ok(Err(error)) = synced {
            tracing::warn!(%error, "requests could not be synced to the disk");
        }
    }

    async fn carry_out(&self, batch: Vec<Order>) {
        let (segments, clock, unsaved) =
            (Arc::clone(&self.segments), Arc::clone(&self.clock), Arc::clone(&self.unsaved));
        let done = tokio::task::spawn_blocking(move || {
            let (mut segments, now) = (lock(&segments), clock.now());
            if batch.is_empty() {
                segments.bound(0, now);
            }
            let mut waiting: Vec<Line> = Vec::new();
            for order in batch {
                match order {
                    Order::Keep(lines) => waiting.extend(lines),
                    Order::Follow(limits) => {
                        write(&mut segments, &mut waiting, now, &unsaved);
                        if let Err(error) = segments.follow(limits, now) {
                            tracing::warn!(%error, "files of requests could not be deleted");
                        }
                    }
                    Order::Clear(answer) => {
                        // What waits was asked to be kept before it was asked to be deleted.
                        waiting.clear();
                        let _ = answer.send(segments.clear());
                    }
                }
            }
            write(&mut segments, &mut waiting, now, &unsaved);
        });
        // A fault of ours was told by its place; the next batch is tried.
        let _ = done.await;
    }
}

fn write(segments: &mut Segments, lines: &mut Vec<Line>, now: crate::clock::Timestamp, unsaved: &AtomicU64) {
    if let Err(error) = segments.append(lines, now) {
        unsaved.fetch_add(lines.len() as u64, Ordering::Relaxed);
        tracing::warn!(%error, lines = lines.len(), "requests could not be written; they are kept in memory");
    }
    lines.clear();
}

fn lock(segments: &Mutex<Segments>) -> std::sync::MutexGuard<'_, Segments> {
    segments.lock().unwrap_or_else(PoisonError::into_inner)
}
