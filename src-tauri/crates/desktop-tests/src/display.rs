//! The X display: which windows there are, and closing one without a window manager.

use crate::until;
use anyhow::Result;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{ClientMessageEvent, ConnectionExt as _, EventMask};

/// Windows of the app that can be seen, once there is at least one. `when` is for the message when there is none.
pub async fn visible_windows(app: u32, when: &str) -> Result<Vec<String>> {
    until(&format!("a window can be seen {when}"), async || windows(app).await.ok().filter(|found| !found.is_empty()))
        .await
}

/// Waits until no window of the app can be seen.
pub async fn no_visible_window(app: u32) -> Result<()> {
    until("no window can be seen", async || windows(app).await.ok().filter(Vec::is_empty).map(|_| ())).await
}

async fn windows(app: u32) -> Result<Vec<String>> {
    let app = app.to_string();
    let mut search = Command::new("xdotool");
    search.args(["search", "--all", "--onlyvisible", "--pid", &app, "--name", "^Kiro Proxy$"]).stderr(Stdio::null());
    // A search that meets a window on its way out may never end; the next one finds what is true then.
    let found = tokio::time::timeout(Duration::from_secs(5), search.kill_on_drop(true).output()).await??;
    Ok(String::from_utf8(found.stdout)?.lines().map(str::to_owned).collect())
}

/// Asks a window to close, as the button of a window manager does.
pub fn close_window(window: u32) -> Result<()> {
    let (display, _) = x11rb::connect(None)?;
    let atom = |name: &[u8]| -> Result<u32> { Ok(display.intern_atom(false, name)?.reply()?.atom) };
    let (protocols, delete) = (atom(b"WM_PROTOCOLS")?, atom(b"WM_DELETE_WINDOW")?);
    let request = ClientMessageEvent::new(32, window, protocols, [delete, 0, 0, 0, 0]);
    display.send_event(false, window, EventMask::NO_EVENT, request)?.check()?;
    Ok(display.flush()?)
}
