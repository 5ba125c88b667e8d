//! The file of the settings: read with its previous generation to fall back to, and brought to the names of this version.

use super::layers::put;
use crate::data_dir::DataDir;
use crate::data_dir::versioned::{self, Fallback, Found, Unreadable};
use crate::error::OpenError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(super) const FILE: &str = "settings.json";
pub(super) const SCHEMA: u32 = 1;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) schema: u32,
    pub(super) revision: u64,
    pub(super) settings: Map<String, Value>,
}

/// The settings, and what a person has to be told about their file, if anything.
pub(super) fn load(dir: &DataDir) -> Result<(Stored, Option<String>), OpenError> {
    let file = dir.file(FILE).display().to_string();
    let found = match versioned::read::<Stored>(dir, FILE, SCHEMA) {
        Ok(found) => found,
        Err(Unreadable::Newer(schema)) => return Err(newer(&file, schema)),
        Err(Unreadable::Damaged(detail)) => return Err(damaged(&file, &detail)),
        Err(Unreadable::Io(error)) => return Err(OpenError::Settings(format!("{file}: {error}"))),
    };
    let Some(Found { value: mut stored, fallback }) = found else {
        return Ok((Stored { schema: SCHEMA, revision: 0, settings: Map::new() }, None));
    };
    follow_moves(&mut stored.settings);
    let told = fallback.map(|why| {
        let aside = match &why {
            Fallback::Missing => "",
            Fallback::Damaged(_) => ", and the damaged file was set aside",
        };
        format!("{file}: {why}; the previous settings hold{aside}")
    });
    Ok((stored, told))
}

fn damaged(file: &str, detail: &str) -> OpenError {
    OpenError::Settings(format!(
        "{file} is damaged ({detail}) and there is no usable previous one. It was left as it is: restore it from a backup, \
         or move it away to start with default settings (accounts and keys are kept elsewhere)"
    ))
}

fn newer(file: &str, schema: u32) -> OpenError {
    OpenError::Settings(format!(
        "{file} was written by a newer Kiro Proxy (schema {schema}, this one knows {SCHEMA}). Start the newer one, or use \
         another data directory"
    ))
}

/// Brings settings of earlier versions to where they are now. What is said in the new place wins.
fn follow_moves(settings: &mut Map<String, Value>) {
    for (old, new) in crate::settings::MOVED {
        let Some((section, field)) = old.split_once('.') else { continue };
        let Some(Value::Object(fields)) = settings.get_mut(section) else { continue };
        let Some(value) = fields.remove(field) else { continue };
        let (section, field) = new.split_once('.').unwrap_or_default();
        if settings.get(section).and_then(|fields| fields.get(field)).is_none() {
            put(settings, new, value);
        }
    }
}
