//! Draws the tray with Tauri's own tray icon. Items are changed in place, never rebuilt: an open menu stays open. Only
//! accounts that come or go, and the line about those that wait for a person, are put in and taken out.

mod accounts;
mod entry;

use super::{ATTENTION, Click, Icon, Menu, TrayAction};
use accounts::AccountEntries;
use entry::{Entry, label};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use tauri::image::Image;
use tauri::menu::{MenuItem, PredefinedMenuItem};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Wry};

/// Below the headline.
const ATTENTION_POSITION: usize = 1;

/// The tray icon and its menu.
pub(crate) struct Tray {
    icon: TrayIcon<Wry>,
    menu: tauri::menu::Menu<Wry>,
    headline: MenuItem<Wry>,
    attention: MenuItem<Wry>,
    accounts: AccountEntries,
    items: HashMap<TrayAction, Entry>,
    shown: Mutex<Menu>,
}

impl Tray {
    /// Puts the icon into the tray. `None` when this system has no way to do so; the app works without.
    pub(crate) fn build(app: &AppHandle, menu: Menu, clicked: impl Fn(Click) + Send + Sync + 'static) -> Option<Self> {
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

    fn try_build(app: &AppHandle, shown: Menu, clicked: impl Fn(Click) + Send + Sync + 'static) -> tauri::Result<Self> {
        let headline = MenuItem::with_id(app, "headline", label(&shown.headline), false, None::<&str>)?;
        let attention = MenuItem::with_id(app, ATTENTION, "", true, None::<&str>)?;
        let mut items = HashMap::new();
        for item in &shown.items {
            items.insert(item.action, Entry::build(app, item)?);
        }
        let refresh = items.get(&TrayAction::RefreshQuota).map(Entry::as_menu_item);
        let accounts = AccountEntries::build(app, &shown.accounts, refresh)?;
        let menu = tauri::menu::Menu::with_items(app, &[&headline, &PredefinedMenuItem::separator(app)?])?;
        for item in &shown.items {
            if matches!(item.action, TrayAction::Start | TrayAction::AtLogin | TrayAction::Quit) {
                menu.append(&PredefinedMenuItem::separator(app)?)?;
            }
            if let Some(entry) = items.get(&item.action).filter(|_| item.action != TrayAction::RefreshQuota) {
                menu.append(entry.as_menu_item())?;
            }
            if item.action == TrayAction::Open {
                menu.append(accounts.submenu())?;
            }
        }
        let icon = TrayIconBuilder::with_id("main")
            .icon(picture(shown.icon))
            .tooltip(&shown.tooltip)
            .menu(&menu)
            .on_menu_event(move |_, event| {
                if let Some(click) = Click::parse(event.id().as_ref()) {
                    clicked(click);
                }
            })
            .build(app)?;
        let tray = Self { icon, menu, headline, attention, accounts, items, shown: Mutex::new(shown.clone()) };
        tray.show_attention(None, shown.attention.as_deref())?;
        Ok(tray)
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
            self.headline.set_text(label(&new.headline))?;
        }
        if old.tooltip != new.tooltip {
            self.icon.set_tooltip(Some(&new.tooltip))?;
        }
        self.show_attention(old.attention.as_deref(), new.attention.as_deref())?;
        self.accounts.change(self.icon.app_handle(), &old.accounts, &new.accounts)?;
        for (old, new) in old.items.iter().zip(&new.items) {
            if let Some(entry) = self.items.get(&new.action) {
                entry.change(old, new)?;
            }
        }
        Ok(())
    }

    fn show_attention(&self, old: Option<&str>, new: Option<&str>) -> tauri::Result<()> {
        if let Some(text) = new.filter(|_| old != new) {
            self.attention.set_text(label(text))?;
        }
        match (old, new) {
            (None, Some(_)) => self.menu.insert(&self.attention, ATTENTION_POSITION),
            (Some(_), None) => self.menu.remove(&self.attention),
            (None, None) | (Some(_), Some(_)) => Ok(()),
        }
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
