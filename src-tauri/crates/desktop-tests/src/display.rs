//! The X display: which windows there are, and closing one without a window manager.

use crate::PATIENCE;
use anyhow::{Context as _, Result};
use tokio::process::Command;
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{ClientMessageEvent, ConnectionExt as _, EventMask};

/// Windows of the app that can be seen, once there is at least one.
pub async fn visible_windows(app: u32) -> Result<Vec<String>> {
    windows(app, &["--sync"]).await
}

/// Waits until no window of the app can be seen.
pub async fn no_visible_window(app: u32) -> Result<()> {
    let none = async || windows(app, &[]).await.ok().filter(Vec::is_empty).map(|_| ());
    crate::until("no window can be seen", none).await
}

async fn windows(app: u32, how: &[&str]) -> Result<Vec<String>> {
    let mut search = Command::new("xdotool");
    search.arg("search").args(how).args([
        "--onlyvisible",
        "--all",
        "--pid",
        &app.to_string(),
        "--name",
        "^Kiro Proxy$",
    ]);
    let found =
        tokio::time::timeout(PATIENCE, search.kill_on_drop(true).output()).await.context("no window appears")??;
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
