//! Signals of the system that end the app.

use crate::actions::act;
use crate::tray::TrayAction;
use tauri::AppHandle;

/// A signal ends a program without a word to the window library, so it is turned into a proper end here.
#[cfg(unix)]
pub(crate) async fn quit_on_signal(app: AppHandle) {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = signals else {
        tracing::warn!("signals cannot be received; use the tray to quit");
        return;
    };
    loop {
        let received = tokio::select! {
            received = terminate.recv() => received,
            received = interrupt.recv() => received,
            received = hangup.recv() => received,
        };
        if received.is_none() {
            return;
        }
        act(&app, TrayAction::Quit);
    }
}

#[cfg(not(unix))]
pub(crate) async fn quit_on_signal(_app: AppHandle) {}
