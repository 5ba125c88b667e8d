//! The file of the settings: read with its previous generation to fall back to, and brought to the names of this version.

use super::layers::put;
use crate::data_dir::DataDir;
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

#[derive(Deserialize)]
struct Version {
    schema: u32,
}

pub(super) fn load(dir: &DataDir) -> Result<(Stored, Option<String>), OpenError> {
    let file = dir.file(FILE).display().to_string();
    let unreadable = |error: std::io::Error| OpenError::Settings(format!("{file}: {error}"));
    let current = dir.read(FILE).map_err(unreadable)?;
    let previous = dir.read_previous(FILE).map_err(unreadable)?;
    let damage = match current.as_deref().map(parse) {
        Some(Ok(stored)) => return Ok((stored, None)),
        Some(Err(Unreadable::Newer(schema))) => return Err(newer(&file, schema)),
        Some(Err(Unreadable::Damaged(detail))) => Some(detail),
        None => None,
    };
    match (damage, previous.as_deref().map(parse)) {
        (None, None) => Ok((Stored { schema: SCHEMA, revision: 0, settings: Map::new() }, None)),
        (damage, Some(Ok(stored))) => {
            let why = damage.as_deref().unwrap_or("it is missing");
            let mut told = format!("{file}: {why}; the previous settings hold");
            if damage.is_some() {
                dir.set_aside(FILE).map_err(unreadable)?;
                told.push_str(", and the damaged file was set aside");
            }
            Ok((stored, Some(told)))
        }
        (_, Some(Err(Unreadable::Newer(schema)))) => Err(newer(&file, schema)),
        (damage, Some(Err(Unreadable::Damaged(previous)))) => Err(damaged(&file, &damage.unwrap_or(previous))),
        (Some(damage), None) => Err(damaged(&file, &damage)),
    }
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

enum Unreadable {
    Newer(u32),
    Damaged(String),
}

fn parse(text: &[u8]) -> Result<Stored, Unreadable> {
    let damaged = |error: serde_json::Error| Unreadable::Damaged(error.to_string());
    let version: Version = serde_json::from_slice(text).map_err(damaged)?;
    if version.schema > SCHEMA {
        return Err(Unreadable::Newer(version.schema));
    }
    let mut stored: Stored = serde_json::from_slice(text).map_err(damaged)?;
    follow_moves(&mut stored.settings);
    Ok(stored)
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
