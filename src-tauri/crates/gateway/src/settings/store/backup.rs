//! The saved settings as a file to keep or to take to another machine. Without secrets: accounts and keys are not in it.

use super::layers::{effective, put, template, value_at, wrong_type};
use super::{SettingsStore, refused};
use crate::error::{Problem, ProblemCode};
use crate::settings::check::FieldErrors;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::PoisonError;
use utoipa::ToSchema;

/// What the file says it is.
const KIND: &str = "kiro-proxy-settings";
const VERSION: u64 = 1;

/// What an import would change, or has changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SettingChange {
    /// Such as `limits.retries`.
    pub(crate) path: String,
    /// What was saved, or the default.
    pub(crate) from: Value,
    /// What the file says.
    pub(crate) to: Value,
}

/// What an import of settings brought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SettingsImport {
    /// Settings that differ.
    pub(crate) changes: Vec<SettingChange>,
    /// Names in the file that this version does not know.
    pub(crate) unknown: Vec<String>,
    /// Whether they were saved; false for a preview, and when nothing differs.
    pub(crate) saved: bool,
}

impl SettingsStore {
    /// What is saved, without what holds for this run only.
    pub(crate) fn exported(&self) -> Value {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = Map::new();
        for path in crate::settings::paths() {
            if let Some(value) = value_at(&Value::Object(writer.settings.clone()), &path) {
                put(&mut kept, &path, value.clone());
            }
        }
        json!({"kind": KIND, "version": VERSION, "settings": kept})
    }

    /// Takes over what such a file says and leaves everything else as it is; all of it or, when one value is not acceptable,
    /// nothing. Blocks for a disk sync.
    pub(crate) fn import(&self, content: &str, preview: bool) -> Result<SettingsImport, Problem> {
        let settings = parse(content)?;
        let (known, unknown) = sorted(settings)?;
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let saved = effective(&writer.settings, &[]).map_err(refused)?;
        let saved = serde_json::to_value(saved).unwrap_or_default();
        let mut patch = Map::new();
        let mut changes = Vec::new();
        for (path, to) in known {
            let from = value_at(&saved, &path).cloned().unwrap_or_default();
            if from != to {
                put(&mut patch, &path, to.clone());
                changes.push(SettingChange { path, from, to });
            }
        }
        let patch = Value::Object(patch);
        if preview {
            self.check(&writer, &patch)?;
        } else if !changes.is_empty() {
            self.save(&mut writer, &patch)?;
        }
        Ok(SettingsImport { saved: !preview && !changes.is_empty(), changes, unknown })
    }
}

fn parse(content: &str) -> Result<Map<String, Value>, Problem> {
    let foreign = || {
        Problem::new(ProblemCode::InvalidRequest, "this is no file of settings")
            .action("Give a file that `settings export` or the settings page has written. Nothing was changed.")
    };
    let file: Value = serde_json::from_str(content).map_err(|_| foreign())?;
    if file.get("kind").and_then(Value::as_str) != Some(KIND) {
        return Err(foreign());
    }
    if file.get("version").and_then(Value::as_u64).is_none_or(|version| version > VERSION) {
        return Err(Problem::new(ProblemCode::InvalidRequest, "this file was written by a newer Kiro Proxy")
            .action("Update this one first. Nothing was changed."));
    }
    match file.get("settings") {
        Some(Value::Object(settings)) => Ok(settings.clone()),
        _ => Err(foreign()),
    }
}

type Sorted = (Vec<(String, Value)>, Vec<String>);

/// What is known by its path, and the names of the rest.
fn sorted(settings: Map<String, Value>) -> Result<Sorted, Problem> {
    let all = Value::Object(template());
    let (mut known, mut unknown, mut errors) = (Vec::new(), Vec::new(), FieldErrors::default());
    for (section, fields) in settings {
        let Value::Object(fields) = fields else {
            unknown.push(section);
            continue;
        };
        for (field, value) in fields {
            let path = format!("{section}.{field}");
            if value_at(&all, &path).is_none() {
                unknown.push(path);
            } else if let Some(message) = wrong_type(&path, &value) {
                errors.refuse(&path, "invalid_value", message);
            } else {
                known.push((path, value));
            }
        }
    }
    if errors.fields.is_empty() { Ok((known, unknown)) } else { Err(refused(errors.fields)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_dir::DataDir;
    use std::sync::Arc;

    fn store() -> (tempfile::TempDir, SettingsStore) {
        let root = tempfile::tempdir().expect("temp dir");
        let dir = Arc::new(DataDir::open(Some(root.path().join("state"))).expect("opens"));
        let store = SettingsStore::open(dir, &[]).expect("opens");
        (root, store)
    }

    #[test]
    fn what_was_exported_makes_another_installation_the_same() {
        let (_one, one) = store();
        let rules = json!([{"match": "fast", "kind": "exact", "targets": ["auto"], "enabled": true}]);
        one.patch(0, &json!({"limits": {"retries": 4}, "models": {"rules": rules}})).expect("saved");
        let file = one.exported().to_string();
        let (_other, other) = store();
        other.patch(0, &json!({"look": {"theme": "dark"}})).expect("saved");
        let looked = other.import(&file, true).expect("readable");
        assert!(!looked.saved && other.snapshot().settings.limits.retries == 2, "a preview changes nothing");
        let done = other.import(&file, false).expect("readable");
        assert!(done.saved && done.unknown.is_empty());
        assert_eq!(done.changes, looked.changes);
        let paths: Vec<&str> = done.changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["limits.retries", "models.rules"]);
        let now = other.snapshot().settings;
        assert_eq!((now.limits.retries, now.models.rules.len()), (4, 1));
        assert_eq!(now.look.theme, crate::settings::Theme::Dark, "what the file does not name stays");
        assert!(!other.import(&file, false).expect("readable").saved, "nothing differs any more");
    }

    #[test]
    fn one_bad_value_and_nothing_is_changed_while_unknown_names_are_told() {
        let (_root, store) = store();
        let file = |settings: Value| json!({"kind": KIND, "version": 1, "settings": settings}).to_string();
        for preview in [true, false] {
            let bad =
                store.import(&file(json!({"limits": {"retries": 4, "attempts": 99}})), preview).expect_err("refused");
            assert!(bad.fields.contains_key("limits.attempts"), "{bad:?}");
            assert!(store.import(&file(json!({"limits": {"retries": "many"}})), preview).is_err());
        }
        assert_eq!(store.snapshot().revision, 0);
        let future = store.import(&file(json!({"limits": {"retries": 3, "patience": 1}, "moon": {}, "x": 1})), false);
        assert_eq!(future.expect("readable").unknown, ["limits.patience", "x"]);
        for foreign in ["", "[]", "{}", r#"{"kind": "kiro-proxy-settings", "version": 2, "settings": {}}"#] {
            assert!(store.import(foreign, false).is_err(), "{foreign}");
        }
    }
}
