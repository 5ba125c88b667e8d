//! The wish to stop, from a terminal or a service manager.

use crate::exit::{Exit, Trouble};
use crate::words::say;

/// SIGINT and SIGTERM; Ctrl-C elsewhere.
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

impl Signals {
    /// From now on signals are ours and no longer end the process.
    #[cfg(unix)]
    pub(crate) fn listen() -> Result<Self, Trouble> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(trouble);
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// From now on Ctrl-C is ours.
    #[cfg(windows)]
    pub(crate) fn listen() -> Result<Self, Trouble> {
        Ok(Self { interrupt: tokio::signal::windows::ctrl_c().map_err(trouble)? })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        #[cfg(windows)]
        self.interrupt.recv().await;
    }
}

fn trouble(error: std::io::Error) -> Trouble {
    Trouble::new(
        Exit::Failure,
        "signals_unavailable",
        say!("the system does not let this program listen for signals: {}", error),
        "nothing was started",
        "start it outside the restriction that forbids this",
    )
}
