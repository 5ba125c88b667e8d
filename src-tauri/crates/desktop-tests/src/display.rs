//! The X display, asked directly: which windows of the app there are, and closing one without a window manager.

use crate::until;
use anyhow::{Context as _, Result, ensure};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    AtomEnum, ClientMessageEvent, ConnectionExt as _, EventMask, InputFocus, KEY_PRESS_EVENT, KEY_RELEASE_EVENT,
    MapState,
};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

/// Main windows of the app that can be seen, once there is at least one. `when` is for the message when there is none.
pub async fn visible_windows(app: u32, when: &str) -> Result<Vec<u32>> {
    visible_windows_titled(app, when, |title| title == "Kiro Proxy").await
}

/// Windows of the app whose title is as wanted and that can be seen, once there is at least one.
pub async fn visible_windows_titled(app: u32, when: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<u32>> {
    let display = Display::open()?;
    until(&format!("a window can be seen {when}"), async || {
        Some(display.visible(app, &wanted)).filter(|found| !found.is_empty())
    })
    .await
}

/// A key on the keyboard, by its X keysym.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub enum Key {
    /// To the next element.
    Tab = 0xff09,
    /// Presses the button that has the focus.
    Return = 0xff0d,
}

/// Presses and releases a key in a window, as a person at the keyboard does.
pub fn press(window: u32, key: Key) -> Result<()> {
    let Display { connection, root, .. } = Display::open()?;
    let setup = connection.setup();
    let (first, last) = (setup.min_keycode, setup.max_keycode);
    let mapping = connection.get_keyboard_mapping(first, last - first + 1)?.reply()?;
    let per_key = usize::from(mapping.keysyms_per_keycode);
    let index = mapping.keysyms.chunks(per_key).position(|symbols| symbols.contains(&(key as u32)));
    let code = first + u8::try_from(index.context("the keyboard has no such key")?)?;
    connection.set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME)?.check()?;
    for kind in [KEY_PRESS_EVENT, KEY_RELEASE_EVENT] {
        connection.xtest_fake_input(kind, code, 0, root, 0, 0, 0)?.check()?;
    }
    Ok(connection.flush()?)
}

/// Waits until a window is gone for good.
pub async fn window_is_gone(window: u32) -> Result<()> {
    let display = Display::open()?;
    until("the window is gone", async || display.map_state(window).is_err().then_some(())).await
}

/// Asks a window to close, as the button of a window manager does.
pub fn close_window(window: u32) -> Result<()> {
    let Display { connection, .. } = Display::open()?;
    let atom = |name: &[u8]| -> Result<u32> { Ok(connection.intern_atom(false, name)?.reply()?.atom) };
    let (protocols, delete) = (atom(b"WM_PROTOCOLS")?, atom(b"WM_DELETE_WINDOW")?);
    let request = ClientMessageEvent::new(32, window, protocols, [delete, 0, 0, 0, 0]);
    connection.send_event(false, window, EventMask::NO_EVENT, request)?.check()?;
    Ok(connection.flush()?)
}

struct Display {
    connection: RustConnection,
    root: u32,
    pid: u32,
    title: u32,
}

impl Display {
    fn open() -> Result<Self> {
        let (connection, screen) = x11rb::connect(None)?;
        let root = connection.setup().roots[screen].root;
        let pid = connection.intern_atom(false, b"_NET_WM_PID")?.reply()?.atom;
        let title = connection.intern_atom(false, b"_NET_WM_NAME")?.reply()?.atom;
        Ok(Self { connection, root, pid, title })
    }

    /// Without a window manager the app's windows are the root's own children. One that goes while it is looked at is
    /// not among them.
    fn visible(&self, app: u32, wanted: &impl Fn(&str) -> bool) -> Vec<u32> {
        let tree = self.connection.query_tree(self.root).map(|cookie| cookie.reply());
        let Ok(Ok(tree)) = tree else { return Vec::new() };
        tree.children.into_iter().filter(|&window| self.is_ours(window, app, wanted).unwrap_or(false)).collect()
    }

    fn is_ours(&self, window: u32, app: u32, wanted: &impl Fn(&str) -> bool) -> Result<bool> {
        let get = |property: u32, kind: AtomEnum| {
            anyhow::Ok(self.connection.get_property(false, window, property, kind, 0, 64)?.reply()?)
        };
        let pid = get(self.pid, AtomEnum::CARDINAL)?.value32().and_then(|mut values| values.next());
        let title = String::from_utf8_lossy(&get(self.title, AtomEnum::ANY)?.value).into_owned();
        Ok(pid == Some(app) && wanted(&title) && self.map_state(window)? == MapState::VIEWABLE)
    }

    fn map_state(&self, window: u32) -> Result<MapState> {
        ensure!(window != 0, "no window");
        Ok(self.connection.get_window_attributes(window)?.reply()?.map_state)
    }
}
