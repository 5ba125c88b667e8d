//! Layers of settings and their file: defaults, file, environment, flags. Only the file layer is ever saved.
//!
//! Promises: a damaged file falls back to its previous generation, else the program refuses to start; a file of a newer
//! version is refused; what this version does not know is kept, not dropped; one writer, and readers take a snapshot.

mod backup;
mod file;
mod layers;

pub(crate) use backup::SettingsImport;
use file::{FILE, SCHEMA, Stored, load};
pub(crate) use layers::is_acceptable;
use layers::{checked, effective, leaves, put, resolve, value_at};

use super::Settings;
use super::check::FieldErrors;
use crate::data_dir::DataDir;
use crate::error::{FieldProblem, OpenError, Problem, ProblemCode};
use crate::inherited::{Inherited, InheritedEffect, InheritedName};
use crate::options::{Override, OverrideSource};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use utoipa::ToSchema;

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

#[cfg(test)]
mod tests;
