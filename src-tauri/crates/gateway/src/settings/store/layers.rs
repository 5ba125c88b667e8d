//! Layers of settings laid over each other: what a patch says, what holds for this run only, and whether all of it is acceptable.

use super::OverrideView;
use crate::error::{FieldProblem, OpenError};
use crate::options::{Override, OverrideSource};
use crate::settings::Settings;
use crate::settings::check::FieldErrors;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Every `section.field` of a merge patch with its value; `null` means: back to the default.
pub(super) fn leaves(patch: &Value) -> Result<Vec<(String, Value)>, BTreeMap<String, FieldProblem>> {
    let known = template();
    let mut errors = FieldErrors::default();
    let mut found = Vec::new();
    let Value::Object(sections) = patch else {
        errors.refuse("", "invalid_value", "a patch is a JSON object".to_owned());
        return Err(errors.fields);
    };
    for (section, fields) in sections {
        let Some(known) = known.get(section).and_then(Value::as_object) else {
            errors.refuse(section, "unknown_setting", "there is no such group of settings".to_owned());
            continue;
        };
        match fields {
            Value::Null => found.extend(known.keys().map(|field| (format!("{section}.{field}"), Value::Null))),
            Value::Object(fields) => {
                for (field, value) in fields {
                    let path = format!("{section}.{field}");
                    if !known.contains_key(field) {
                        errors.refuse(&path, "unknown_setting", "there is no such setting".to_owned());
                    } else if let Some(message) = wrong_type(&path, value) {
                        errors.refuse(&path, "invalid_value", message);
                    } else {
                        found.push((path, value.clone()));
                    }
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                errors.refuse(section, "invalid_value", "a group of settings is a JSON object".to_owned());
            }
        }
    }
    if errors.fields.is_empty() { Ok(found) } else { Err(errors.fields) }
}

/// Why the default settings with this one value in place cannot be read.
pub(super) fn wrong_type(path: &str, value: &Value) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let mut all = template();
    put(&mut all, path, value.clone());
    serde_json::from_value::<Settings>(Value::Object(all)).err().map(|error| error.to_string())
}

pub(super) fn template() -> Map<String, Value> {
    match serde_json::to_value(Settings::default()) {
        Ok(Value::Object(all)) => all,
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) | Err(_) => Map::new(),
    }
}

pub(super) fn put(all: &mut Map<String, Value>, path: &str, value: Value) {
    let Some((section, field)) = path.split_once('.') else { return };
    let group = all.entry(section).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(fields) = group {
        if value.is_null() {
            fields.remove(field);
        } else {
            fields.insert(field.to_owned(), value);
        }
    }
}

pub(super) fn value_at<'a>(all: &'a Value, path: &str) -> Option<&'a Value> {
    let (section, field) = path.split_once('.')?;
    all.get(section)?.get(field)
}

/// Defaults, then the file layer, then the overrides.
pub(super) fn effective(
    file: &Map<String, Value>,
    overrides: &[OverrideView],
) -> Result<Settings, BTreeMap<String, FieldProblem>> {
    let mut all = template();
    let mut errors = FieldErrors::default();
    for (section, fields) in file.iter().filter(|(section, _)| all.contains_key(*section)) {
        if !fields.is_object() {
            errors.refuse(section, "invalid_value", "a group of settings is a JSON object".to_owned());
        }
    }
    for path in crate::settings::paths() {
        let Some((section, field)) = path.split_once('.') else { continue };
        let Some(value) = file.get(section).and_then(|fields| fields.get(field)) else { continue };
        match wrong_type(&path, value) {
            Some(message) => errors.refuse(&path, "invalid_value", message),
            None => put(&mut all, &path, value.clone()),
        }
    }
    for over in overrides {
        put(&mut all, &over.path, over.value.clone());
    }
    if !errors.fields.is_empty() {
        return Err(errors.fields);
    }
    serde_json::from_value(Value::Object(all)).map_err(|error| {
        errors.refuse("", "invalid_value", error.to_string());
        errors.fields
    })
}

pub(super) fn checked(settings: Settings) -> Result<Settings, BTreeMap<String, FieldProblem>> {
    let fields = settings.validate();
    if fields.is_empty() { Ok(settings) } else { Err(fields) }
}

/// Whether an override alone could hold.
pub(crate) fn is_acceptable(over: &Override) -> bool {
    resolve(std::slice::from_ref(over))
        .is_ok_and(|overrides| effective(&Map::new(), &overrides).and_then(checked).is_ok())
}

/// Finds the setting each override means and reads its value.
pub(super) fn resolve(overrides: &[Override]) -> Result<Vec<OverrideView>, OpenError> {
    let plain = |text: &str| text.replace(['_', '-'], "").to_ascii_lowercase();
    let known = crate::settings::paths();
    let mut resolved: Vec<OverrideView> = Vec::new();
    for over in overrides {
        let named = || match over.source {
            OverrideSource::Environment => {
                over.variable.clone().unwrap_or_else(|| crate::settings::environment_name(&over.path))
            }
            OverrideSource::Flag => format!("the setting {}", over.path),
        };
        let moved = crate::settings::MOVED.iter().find(|(old, _)| plain(old) == plain(&over.path)).map(|(_, new)| *new);
        let wanted = moved.unwrap_or(&over.path);
        let Some(path) = known.iter().find(|path| plain(path) == plain(wanted)) else {
            return Err(OpenError::Override { origin: named(), reason: "there is no such setting".to_owned() });
        };
        // Text is tried first: a setting whose value is text may well look like a number.
        let text = Value::String(over.value.clone());
        let value = match wrong_type(path, &text) {
            None => text,
            Some(_) => serde_json::from_str::<Value>(&over.value)
                .ok()
                .filter(|value| !value.is_null() && wrong_type(path, value).is_none())
                .ok_or_else(|| OpenError::Override {
                    origin: named(),
                    reason: format!("{:?} is not a value for {path}", over.value),
                })?,
        };
        resolved.retain(|known| known.path != *path);
        resolved.push(OverrideView { path: path.clone(), source: over.source, variable: over.variable.clone(), value });
    }
    Ok(resolved)
}
