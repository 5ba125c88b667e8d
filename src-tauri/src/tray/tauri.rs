//! Draws the tray with Tauri's own tray icon. Items are changed in place, never rebuilt: an open menu stays open.

use super::{Icon, Item, Menu, TrayAction};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use tauri::image::Image;
use tauri::menu::{CheckMenuItem, IsMenuItem, MenuItem, PredefinedMenuItem};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Wry};

/// The tray icon and its menu.
pub(crate) struct Tray {
    icon: TrayIcon<Wry>,
    headline: MenuItem<Wry>,
    items: HashMap<TrayAction, Entry>,
    shown: Mutex<Menu>,
}

enum Entry {
    Plain(MenuItem<Wry>),
    Checked(CheckMenuItem<Wry>),
}

impl Tray {
    /// Puts the icon into the tray. `None` when this system has no way to do so; the app works without.
    pub(crate) fn build(
        app: &AppHandle,
        menu: Menu,
        clicked: impl Fn(TrayAction) + Send + Sync + 'static,
    ) -> Option<Self> {
        // The binding to libayatana-appindicator panics when the library is not installed.
        match catch_unwind(AssertUnwindSafe(|| Self::try_build(app, menu, clicked))) {
            Ok(Ok(tray)) => Some(tray),
            Ok(Err(error)) => {
                tracing::warn!(%error, "there is no tray icon");
                None
            }
            Err(_) => {
                tracing::warn!("there is no tray icon: its library is missing");
                None
            }
        }
    }

    fn try_build(
        app: &AppHandle,
        shown: Menu,
        clicked: impl Fn(TrayAction) + Send + Sync + 'static,
    ) -> tauri::Result<Self> {
        let headline = MenuItem::with_id(app, "headline", &shown.headline, false, None::<&str>)?;
        let mut items = HashMap::new();
        for item in &shown.items {
            items.insert(item.action, Entry::build(app, item)?);
        }
        let menu = tauri::menu::Menu::with_items(app, &[&headline, &PredefinedMenuItem::separator(app)?])?;
        for item in &shown.items {
            if matches!(item.action, TrayAction::Start | TrayAction::AtLogin | TrayAction::Quit) {
                menu.append(&PredefinedMenuItem::separator(app)?)?;
            }
            if let Some(entry) = items.get(&item.action) {
                menu.append(entry.as_menu_item())?;
            }
        }
        let icon = TrayIconBuilder::with_id("main")
            .icon(picture(shown.icon))
            .tooltip(&shown.headline)
            .menu(&menu)
            .on_menu_event(move |_, event| {
                if let Some(action) = TrayAction::parse(event.id().as_ref()) {
                    clicked(action);
                }
            })
            .build(app)?;
        Ok(Self { icon, headline, items, shown: Mutex::new(shown) })
    }

    /// Shows `menu` instead of what is shown now.
    pub(crate) fn draw(&self, menu: Menu) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.change(&shown, &menu) {
            tracing::warn!(%error, "the tray cannot be redrawn");
        }
        *shown = menu;
    }

    fn change(&self, old: &Menu, new: &Menu) -> tauri::Result<()> {
        if old.icon != new.icon {
            self.icon.set_icon(Some(picture(new.icon)))?;
        }
        if old.headline != new.headline {
            self.headline.set_text(&new.headline)?;
            self.icon.set_tooltip(Some(&new.headline))?;
        }
        for (old, new) in old.items.iter().zip(&new.items) {
            if let Some(entry) = self.items.get(&new.action) {
                entry.change(old, new)?;
            }
        }
        Ok(())
    }
}

impl Entry {
    fn build(app: &AppHandle, item: &Item) -> tauri::Result<Self> {
        let id = item.action.id();
        Ok(match item.checked {
            None => Self::Plain(MenuItem::with_id(app, id, &item.text, item.enabled, None::<&str>)?),
            Some(on) => Self::Checked(CheckMenuItem::with_id(app, id, &item.text, item.enabled, on, None::<&str>)?),
        })
    }

    fn as_menu_item(&self) -> &dyn IsMenuItem<Wry> {
        match self {
            Self::Plain(item) => item,
            Self::Checked(item) => item,
        }
    }

    fn change(&self, old: &Item, new: &Item) -> tauri::Result<()> {
        let (text, enabled) = (old.text != new.text, old.enabled != new.enabled);
        match self {
            Self::Plain(item) => {
                if text {
                    item.set_text(&new.text)?;
                }
                if enabled {
                    item.set_enabled(new.enabled)?;
                }
            }
            Self::Checked(item) => {
                if text {
                    item.set_text(&new.text)?;
                }
                if enabled {
                    item.set_enabled(new.enabled)?;
                }
                // Always: the click itself has turned the mark already, whether or not the setting could be saved.
                item.set_checked(new.checked.unwrap_or_default())?;
            }
        }
        Ok(())
    }
}

/// Windows shows 16 and 32 pixels and scales badly; the panels of the others scale down well.
#[cfg(windows)]
fn picture(icon: Icon) -> Image<'static> {
    match icon {
        Icon::Off => tauri::include_image!("icons/tray/off-32.png"),
        Icon::Ready => tauri::include_image!("icons/tray/ready-32.png"),
        Icon::Busy => tauri::include_image!("icons/tray/busy-32.png"),
        Icon::Attention => tauri::include_image!("icons/tray/attention-32.png"),
    }
}

#[cfg(not(windows))]
fn picture(icon: Icon) -> Image<'static> {
    match icon {
        Icon::Off => tauri::include_image!("icons/tray/off-64.png"),
        Icon::Ready => tauri::include_image!("icons/tray/ready-64.png"),
        Icon::Busy => tauri::include_image!("icons/tray/busy-64.png"),
        Icon::Attention => tauri::include_image!("icons/tray/attention-64.png"),
    }
}
