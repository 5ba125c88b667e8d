//! Layers of settings and their file: defaults, file, environment, flags. Only the file layer is ever saved.
//!
//! Promises: a damaged file falls back to its previous generation, else the program refuses to start; a file of a newer
//! version is refused; what this version does not know is kept, not dropped; one writer, and readers take a snapshot.

mod backup;

pub(crate) use backup::SettingsImport;

use super::Settings;
use super::check::FieldErrors;
use crate::data_dir::DataDir;
use crate::error::{FieldProblem, OpenError, Problem, ProblemCode};
use crate::inherited::{Inherited, InheritedEffect, InheritedName};
use crate::options::{Override, OverrideSource};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use utoipa::ToSchema;

const FILE: &str = "settings.json";
const SCHEMA: u32 = 1;

/// A setting that holds for this run only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverrideView {
    /// Such as `listener.port`.
    pub path: String,
    /// Who says so.
    pub source: OverrideSource,
    /// The variable of the environment that says so, such as `KIRO_PROXY__LISTENER__PORT`.
    pub variable: Option<String>,
    /// The value that holds.
    pub value: Value,
}

/// The settings as faces see them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingsView {
    /// Goes up with every save; a patch must name the one it was made from.
    pub revision: u64,
    /// What holds now.
    pub settings: Settings,
    /// What holds when nothing is said.
    pub defaults: Settings,
    /// What holds for this run only.
    pub overrides: Vec<OverrideView>,
    /// Names of the predecessor's environment that are set, and what became of each.
    pub inherited: Vec<InheritedName>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    schema: u32,
    revision: u64,
    settings: Map<String, Value>,
}

#[derive(Deserialize)]
struct Version {
    schema: u32,
}

/// Settings with their revision, taken at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) revision: u64,
    pub(crate) settings: Arc<Settings>,
}

/// The settings and their file.
pub(crate) struct SettingsStore {
    dir: Arc<DataDir>,
    writer: Mutex<Stored>,
    overrides: Vec<OverrideView>,
    inherited: Mutex<Vec<InheritedName>>,
    /// What was wrong with the file, when its previous generation holds instead.
    recovered: Option<String>,
    sender: watch::Sender<Snapshot>,
}

impl SettingsStore {
    /// Reads the file and lays the overrides over it.
    pub(crate) fn open(dir: Arc<DataDir>, overrides: &[Override]) -> Result<Self, OpenError> {
        let (stored, recovered) = load(&dir)?;
        let overrides = resolve(overrides)?;
        let file = dir.file(FILE).display().to_string();
        let settings = effective(&stored.settings, &[]).and_then(lasting_port).and_then(checked).map_err(|fields| {
            OpenError::Settings(format!(
                "{}. Correct {file}, or remove the field to use the default. Nothing was changed",
                words(&fields)
            ))
        })?;
        let settings = if overrides.is_empty() {
            settings
        } else {
            effective(&stored.settings, &overrides)
                .and_then(checked)
                .map_err(|fields| override_error(&overrides, &fields))?
        };
        let (sender, _) = watch::channel(Snapshot { revision: stored.revision, settings: Arc::new(settings) });
        Ok(Self { dir, writer: Mutex::new(stored), overrides, inherited: Mutex::default(), recovered, sender })
    }

    /// Remembers what the predecessor's environment says, for faces.
    pub(crate) fn inherit(&self, inherited: &Inherited) {
        self.inherited().clone_from(&inherited.names);
    }

    /// Says what became of a name of the predecessor's environment after all.
    pub(crate) fn tell_inherited(&self, name: &str, effect: InheritedEffect) {
        if let Some(told) = self.inherited().iter_mut().find(|told| told.name == name) {
            told.effect = effect;
        }
    }

    fn inherited(&self) -> MutexGuard<'_, Vec<InheritedName>> {
        self.inherited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.sender.borrow().clone()
    }

    /// What a person should know about how the settings were read. Said by whoever opens the log, which comes later.
    pub(crate) fn recovered(&self) -> Option<&str> {
        self.recovered.as_deref()
    }

    /// Follows changes.
    pub(crate) fn watch(&self) -> watch::Receiver<Snapshot> {
        self.sender.subscribe()
    }

    /// As faces see it.
    pub(crate) fn view(&self) -> SettingsView {
        let snapshot = self.snapshot();
        SettingsView {
            revision: snapshot.revision,
            settings: Settings::clone(&snapshot.settings),
            defaults: Settings::default(),
            overrides: self.overrides.clone(),
            inherited: self.inherited().clone(),
        }
    }

    /// Applies a merge patch made from `revision` and saves it. Blocks for a disk sync.
    pub(crate) fn patch(&self, revision: u64, patch: &Value) -> Result<Snapshot, Problem> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if revision != writer.revision {
            return Err(Problem::new(
                ProblemCode::RevisionConflict,
                format!("the settings were changed in between (revision {}, not {revision})", writer.revision),
            )
            .action("Load the settings again and repeat the change.")
            .param("revision", writer.revision));
        }
        self.save(&mut writer, patch)
    }

    /// Remembers the port that the first start found free, unless somebody said which one to use.
    pub(crate) fn remember_first_port(&self, find: impl FnOnce(u16) -> Option<u16>) -> Result<(), Problem> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let said = writer.settings.get("listener").and_then(|listener| listener.get("port")).is_some()
            || self.overrides.iter().any(|over| over.path == "listener.port");
        if said {
            return Ok(());
        }
        let Some(port) = find(Settings::default().listener.port) else { return Ok(()) };
        self.save(&mut writer, &serde_json::json!({ "listener": { "port": port } })).map(|_| ())
    }

    /// What a patch makes of the file layer, and the settings that would hold. Nothing is saved.
    fn check(&self, writer: &Stored, patch: &Value) -> Result<(Stored, Settings), Problem> {
        let leaves = leaves(patch).map_err(refused)?;
        let mut errors = FieldErrors::default();
        let holds = serde_json::to_value(&*self.snapshot().settings).unwrap_or_default();
        for (path, value) in &leaves {
            if self.overrides.iter().any(|over| over.path == *path) && value_at(&holds, path) != Some(value) {
                errors.refuse(path, "overridden", "set by the environment or a flag for this run".to_owned());
            }
        }
        if !errors.fields.is_empty() {
            return Err(refused(errors.fields));
        }
        let mut next = Stored { schema: SCHEMA, revision: writer.revision + 1, settings: writer.settings.clone() };
        for (path, value) in leaves {
            put(&mut next.settings, &path, value);
        }
        // The file layer must also hold without this run's overrides.
        effective(&next.settings, &[]).and_then(lasting_port).and_then(checked).map_err(refused)?;
        let settings = effective(&next.settings, &self.overrides).and_then(checked).map_err(refused)?;
        Ok((next, settings))
    }

    fn save(&self, writer: &mut Stored, patch: &Value) -> Result<Snapshot, Problem> {
        let (next, settings) = self.check(writer, patch)?;
        let storage = |error: std::io::Error| {
            Problem::new(ProblemCode::Storage, format!("the settings cannot be saved: {error}"))
                .action("Free some space and check that the data directory can be written. Nothing was changed.")
        };
        let text = serde_json::to_vec_pretty(&next).map_err(|error| storage(std::io::Error::other(error)))?;
        self.dir.replace(FILE, &text).map_err(storage)?;
        let snapshot = Snapshot { revision: next.revision, settings: Arc::new(settings) };
        *writer = next;
        self.sender.send_replace(snapshot.clone());
        Ok(snapshot)
    }
}

/// Port 0 (any free one) is for one run, not for a file: clients need an address that stays.
fn lasting_port(settings: Settings) -> Result<Settings, BTreeMap<String, FieldProblem>> {
    if settings.listener.port == 0 {
        let mut errors = FieldErrors::default();
        errors.range("listener.port", 0, 1, 65535);
        errors.fields.extend(settings.validate());
        return Err(errors.fields);
    }
    Ok(settings)
}

fn refused(fields: BTreeMap<String, FieldProblem>) -> Problem {
    let mut problem = Problem::new(ProblemCode::InvalidFields, words(&fields));
    problem.fields = fields;
    problem
}

fn words(fields: &BTreeMap<String, FieldProblem>) -> String {
    fields.iter().map(|(path, problem)| format!("{path}: {}", problem.message)).collect::<Vec<_>>().join("; ")
}

fn override_error(overrides: &[OverrideView], fields: &BTreeMap<String, FieldProblem>) -> OpenError {
    let (path, problem) = match fields.iter().find(|(path, _)| overrides.iter().any(|over| over.path == **path)) {
        Some(found) => found,
        None => return OpenError::Settings(words(fields)),
    };
    let origin = overrides.iter().find(|over| over.path == *path).map_or_else(|| path.clone(), origin);
    OpenError::Override { origin, reason: problem.message.clone() }
}

fn origin(over: &OverrideView) -> String {
    match over.source {
        OverrideSource::Environment => over.variable.clone().unwrap_or_else(|| super::environment_name(&over.path)),
        OverrideSource::Flag => format!("the setting {} given by a flag", over.path),
    }
}

fn load(dir: &DataDir) -> Result<(Stored, Option<String>), OpenError> {
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
    for (old, new) in super::MOVED {
        let Some((section, field)) = old.split_once('.') else { continue };
        let Some(Value::Object(fields)) = settings.get_mut(section) else { continue };
        let Some(value) = fields.remove(field) else { continue };
        let (section, field) = new.split_once('.').unwrap_or_default();
        if settings.get(section).and_then(|fields| fields.get(field)).is_none() {
            put(settings, new, value);
        }
    }
}

/// Every `section.field` of a merge patch with its value; `null` means: back to the default.
fn leaves(patch: &Value) -> Result<Vec<(String, Value)>, BTreeMap<String, FieldProblem>> {
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
fn wrong_type(path: &str, value: &Value) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let mut all = template();
    put(&mut all, path, value.clone());
    serde_json::from_value::<Settings>(Value::Object(all)).err().map(|error| error.to_string())
}

fn template() -> Map<String, Value> {
    match serde_json::to_value(Settings::default()) {
        Ok(Value::Object(all)) => all,
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) | Err(_) => Map::new(),
    }
}

fn put(all: &mut Map<String, Value>, path: &str, value: Value) {
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

fn value_at<'a>(all: &'a Value, path: &str) -> Option<&'a Value> {
    let (section, field) = path.split_once('.')?;
    all.get(section)?.get(field)
}

/// Defaults, then the file layer, then the overrides.
fn effective(
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
    for path in super::paths() {
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

fn checked(settings: Settings) -> Result<Settings, BTreeMap<String, FieldProblem>> {
    let fields = settings.validate();
    if fields.is_empty() { Ok(settings) } else { Err(fields) }
}

/// Whether an override alone could hold.
pub(crate) fn is_acceptable(over: &Override) -> bool {
    resolve(std::slice::from_ref(over))
        .is_ok_and(|overrides| effective(&Map::new(), &overrides).and_then(checked).is_ok())
}

/// Finds the setting each override means and reads its value.
fn resolve(overrides: &[Override]) -> Result<Vec<OverrideView>, OpenError> {
    let plain = |text: &str| text.replace(['_', '-'], "").to_ascii_lowercase();
    let known = super::paths();
    let mut resolved: Vec<OverrideView> = Vec::new();
    for over in overrides {
        let named = || match over.source {
            OverrideSource::Environment => over.variable.clone().unwrap_or_else(|| super::environment_name(&over.path)),
            OverrideSource::Flag => format!("the setting {}", over.path),
        };
        let moved = super::MOVED.iter().find(|(old, _)| plain(old) == plain(&over.path)).map(|(_, new)| *new);
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

#[cfg(test)]
mod tests;
