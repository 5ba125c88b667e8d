//! Wall time of the stand-in: real time at start, moved on by tokio's (pausable) time, plus an offset that tests set.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// A wall clock that tests can move without sleeping.
#[derive(Debug)]
pub(crate) struct WallClock {
    start_ms: i64,
    started: Instant,
    offset_ms: AtomicI64,
}

impl WallClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the stand-in reads the machine's wall clock")]
    pub(crate) fn start() -> Self {
        let start_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, as_ms);
        Self { start_ms, started: Instant::now(), offset_ms: AtomicI64::new(0) }
    }

    /// Unix time in milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        self.start_ms + as_ms(self.started.elapsed()) + self.offset_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.offset_ms.fetch_add(as_ms(by), Ordering::Relaxed);
    }
}

fn as_ms(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}
