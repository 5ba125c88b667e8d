//! The accounts' own menu. The menus of the systems know no radio items, so these are check marks of which exactly one is set.

use super::super::accounts::{Choice, ChoiceItem};
use super::super::{AccountsMenu, MORE_ACCOUNTS};
use super::entry::label;
use std::sync::{Mutex, PoisonError};
use tauri::menu::{CheckMenuItem, IsMenuItem, MenuItem, PredefinedMenuItem, Submenu};
use tauri::{AppHandle, Wry};

pub(super) struct AccountEntries {
    submenu: Submenu<Wry>,
    more: MenuItem<Wry>,
    /// The choices as they stand in the menu, from its top.
    shown: Mutex<Vec<(Choice, CheckMenuItem<Wry>)>>,
}

impl AccountEntries {
    pub(super) fn build(
        app: &AppHandle,
        menu: &AccountsMenu,
        refresh: Option<&dyn IsMenuItem<Wry>>,
    ) -> tauri::Result<Self> {
        let submenu = Submenu::with_id(app, "accounts", label(&menu.title), menu.enabled)?;
        let more = MenuItem::with_id(app, MORE_ACCOUNTS, "", true, None::<&str>)?;
        let mut shown = Vec::new();
        for item in &menu.choices {
            let entry = choice(app, item)?;
            submenu.append(&entry)?;
            shown.push((item.choice.clone(), entry));
        }
        submenu.append(&PredefinedMenuItem::separator(app)?)?;
        if let Some(refresh) = refresh {
            submenu.append(refresh)?;
        }
        let entries = Self { submenu, more, shown: Mutex::new(shown) };
        entries.show_more(menu.choices.len(), None, menu)?;
        Ok(entries)
    }

    pub(super) fn submenu(&self) -> &Submenu<Wry> {
        &self.submenu
    }

    pub(super) fn change(&self, app: &AppHandle, old: &AccountsMenu, new: &AccountsMenu) -> tauri::Result<()> {
        if old.title != new.title {
            self.submenu.set_text(label(&new.title))?;
        }
        if old.enabled != new.enabled {
            self.submenu.set_enabled(new.enabled)?;
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        // From below, so that positions above stay right.
        for index in (0..shown.len()).rev() {
            if !new.choices.iter().any(|item| item.choice == shown[index].0) {
                let (_, gone) = shown.remove(index);
                self.submenu.remove(&gone)?;
            }
        }
        for (index, item) in new.choices.iter().enumerate() {
            match shown.iter().position(|(choice, _)| *choice == item.choice) {
                Some(at) if at == index => {}
                Some(at) => {
                    let moved = shown.remove(at);
                    self.submenu.remove(&moved.1)?;
                    self.submenu.insert(&moved.1, index)?;
                    shown.insert(index, moved);
                }
                None => {
                    let entry = choice(app, item)?;
                    self.submenu.insert(&entry, index)?;
                    shown.insert(index, (item.choice.clone(), entry));
                }
            }
            let entry = &shown[index].1;
            if old.choices.get(index).is_none_or(|old| old.text != item.text) {
                entry.set_text(label(&item.text))?;
            }
            // Always: a click turns the mark of its own item, and only of that.
            entry.set_checked(item.chosen)?;
        }
        let position = shown.len();
        drop(shown);
        self.show_more(position, old.more.as_deref(), new)
    }

    /// Below the choices.
    fn show_more(&self, position: usize, old: Option<&str>, new: &AccountsMenu) -> tauri::Result<()> {
        let new = new.more.as_deref();
        if let Some(text) = new.filter(|_| old != new) {
            self.more.set_text(label(text))?;
        }
        match (old, new) {
            (None, Some(_)) => self.submenu.insert(&self.more, position),
            (Some(_), None) => self.submenu.remove(&self.more),
            (None, None) | (Some(_), Some(_)) => Ok(()),
        }
    }
}

fn choice(app: &AppHandle, item: &ChoiceItem) -> tauri::Result<CheckMenuItem<Wry>> {
    CheckMenuItem::with_id(app, item.choice.id(), label(&item.text), true, item.chosen, None::<&str>)
}
