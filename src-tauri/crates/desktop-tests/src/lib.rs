//! Helpers for tests of the real desktop program, inside a desktop of their own (`scripts/with-desktop.sh`).
//!
//! Only one app may run per session bus, so these tests run one after another. Nothing here waits for a fixed time:
//! [`until`] and its kin wait for something to become true and give up at a deadline.
#![expect(clippy::disallowed_methods, reason = "the edge of a test program: environment, helper tasks and deadlines")]

mod admin;
mod app;
mod bus;
mod display;
mod notifications;
mod stand_in;
mod tray;
mod window;

pub use admin::{Admin, Login};
pub use app::{App, Home, app_binary, gateway_binary};
pub use display::{Key, close_window, press, visible_windows, visible_windows_titled, window_is_gone};
pub use notifications::{Notifications, Shown};
pub use stand_in::{Page, StandIn};
pub use tray::{Entry, TrayHost};
pub use window::Window;

use anyhow::{Context as _, Result};
use std::time::Duration;

/// Long enough for a slow machine; a test that hits it has failed.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// Waits until `check` gives a value. `what` names it when it never does.
pub async fn until<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    let found = async {
        loop {
            ticks.tick().await;
            if let Some(value) = check().await {
                return value;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.with_context(|| format!("never happened: {what}"))
}

/// A loopback port that is free now.
pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Whether a gateway answers `/health` there. One attempt.
pub async fn is_healthy(port: u16) -> bool {
    // No TLS is spoken, but a client cannot be built without a provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match reqwest::get(format!("http://127.0.0.1:{port}/health")).await {
        Ok(answer) => answer.status().is_success(),
        Err(_) => false,
    }
}
