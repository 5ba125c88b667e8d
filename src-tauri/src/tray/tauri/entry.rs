//! One fixed item of the menu.

use super::super::Item;
use tauri::menu::{CheckMenuItem, IsMenuItem, MenuItem};
use tauri::{AppHandle, Wry};

/// With or without a check mark.
pub(super) enum Entry {
    Plain(MenuItem<Wry>),
    Checked(CheckMenuItem<Wry>),
}

/// The text of an item: a single `&` would mark the letter behind it.
pub(super) fn label(text: &str) -> String {
    text.replace('&', "&&")
}

impl Entry {
    pub(super) fn build(app: &AppHandle, item: &Item) -> tauri::Result<Self> {
        let (id, text) = (item.action.id(), label(&item.text));
        Ok(match item.checked {
            None => Self::Plain(MenuItem::with_id(app, id, text, item.enabled, None::<&str>)?),
            Some(on) => Self::Checked(CheckMenuItem::with_id(app, id, text, item.enabled, on, None::<&str>)?),
        })
    }

    pub(super) fn as_menu_item(&self) -> &dyn IsMenuItem<Wry> {
        match self {
            Self::Plain(item) => item,
            Self::Checked(item) => item,
        }
    }

    pub(super) fn change(&self, old: &Item, new: &Item) -> tauri::Result<()> {
        let (text, enabled) = (old.text != new.text, old.enabled != new.enabled);
        match self {
            Self::Plain(item) => {
                if text {
                    item.set_text(label(&new.text))?;
                }
                if enabled {
                    item.set_enabled(new.enabled)?;
                }
            }
            Self::Checked(item) => {
                if text {
                    item.set_text(label(&new.text))?;
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
