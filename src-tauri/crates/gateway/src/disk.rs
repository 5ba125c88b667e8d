//! Work that waits for the disk, kept off the threads that serve requests: a sync takes as long as the disk likes.
//!
//! Promises: whoever asks and leaves takes no write back; what is put in line is done in order, by one thread, and a stop can
//! wait for it. Leaves out: what is written and what a failure means (`data_dir`, and whoever asks).

use std::io;
use std::sync::mpsc;

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Does `work` where it may block, and waits for it. The error says that the work met a fault or that the runtime is ending.
pub(crate) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

/// A line of work for the disk, for callers that do not wait. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct DiskLine(Option<mpsc::Sender<Job>>);

impl DiskLine {
    /// Starts the thread of the line.
    pub(crate) fn start() -> Self {
        let (jobs, line) = mpsc::channel::<Job>();
        let started = std::thread::Builder::new().name("disk".into()).spawn(move || {
            while let Ok(job) = line.recv() {
                // The fault is told by the program's own hook; what else is in line must not be lost with it.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
            }
        });
        match started {
            Ok(_) => Self(Some(jobs)),
            Err(error) => {
                tracing::error!(%error, "cannot start the thread for the disk; writes are done where they are asked for");
                Self::on_the_spot()
            }
        }
    }

    /// No line at all: everything is done before [`Self::soon`] returns.
    pub(crate) fn on_the_spot() -> Self {
        Self(None)
    }

    /// Puts work in line.
    pub(crate) fn soon(&self, job: impl FnOnce() + Send + 'static) {
        let job: Job = Box::new(job);
        let job = match &self.0 {
            Some(line) => match line.send(job) {
                Ok(()) => return,
                // The thread is gone, whatever ended it.
                Err(mpsc::SendError(job)) => job,
            },
            None => job,
        };
        job();
    }

    /// Waits until everything that is in line now has been done.
    pub(crate) async fn caught_up(&self) {
        let (done, wait) = oneshot::channel();
        self.soon(move || drop(done));
        // An error is what is waited for: the end of the sender.
        let _: Result<(), _> = wait.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[tokio::test]
    async fn what_is_in_line_waits_for_a_disk_that_hangs_and_is_done_in_order() {
        let (release, hangs) = mpsc::channel::<()>();
        let line = DiskLine::start();
        let order = Arc::new(Mutex::new(Vec::new()));
        line.soon(move || {
            let _: Result<(), _> = hangs.recv();
        });
        for at in 0..3 {
            let order = Arc::clone(&order);
            line.soon(move || order.lock().expect("lock").push(at));
        }
        assert!(order.lock().expect("lock").is_empty(), "the first is not done yet, and nobody waited for it");
        drop(release);
        line.caught_up().await;
        assert_eq!(*order.lock().expect("lock"), [0, 1, 2]);
    }

    #[tokio::test]
    async fn a_fault_in_one_write_costs_no_later_one() {
        let line = DiskLine::start();
        line.soon(|| panic!("a fault"));
        line.caught_up().await;
        let done = Arc::new(Mutex::new(false));
        let told = Arc::clone(&done);
        line.soon(move || *told.lock().expect("lock") = true);
        line.caught_up().await;
        assert!(*done.lock().expect("lock"));
    }
}
