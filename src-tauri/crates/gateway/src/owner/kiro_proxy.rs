//! The original KiroProxy: a list of accounts that names a token file for each, in the form of the Kiro IDE's
//! (kiro-upstream §6.3).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{OwnerError, OwnerLogin, fields, file, ide};

/// Hundreds of accounts fit.
const LARGEST_LIST: u64 = 1024 * 1024;
/// Entries that are followed.
const MOST: usize = 200;

/// The login in a token file. A list that stands for itself has none: only what is wrong with it is of interest.
pub(super) fn read(path: &Path) -> Result<Option<OwnerLogin>, OwnerError> {
    if path.ends_with(Path::new(".kiro-proxy").join("config.json")) {
        return token_files(path, path).map(|_| None);
    }
    ide::read(path)
}

/// Where it keeps its list.
pub(super) fn list_of(home: &Path) -> PathBuf {
    home.join(".kiro-proxy").join("config.json")
}

/// The token files that the list names, each once; none when there is no list. `~` is `home`, and a relative path begins in the
/// list's folder. Whether they are there, and whose they are, shows when they are read.
pub(super) fn token_files(list: &Path, home: &Path) -> Result<Vec<PathBuf>, OwnerError> {
    let malformed = |detail| OwnerError::Malformed { path: list.to_path_buf(), detail };
    let Some(text) = file::read(list, LARGEST_LIST)? else { return Ok(Vec::new()) };
    let object = fields::object(&text).ok_or_else(|| malformed("it is not one complete JSON object"))?;
    let entries = match object.get("accounts") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(entries)) => entries,
        Some(_) => return Err(malformed("its accounts are no list")),
    };
    let named = entries.iter().take(MOST).filter_map(|entry| fields::text(entry.as_object()?, &["token_path"]));
    let folder = list.parent().unwrap_or(home);
    let mut seen = BTreeSet::new();
    Ok(named.map(|path| absolute(&path, home, folder)).filter(|path| seen.insert(path.clone())).collect())
}

fn absolute(path: &str, home: &Path, folder: &Path) -> PathBuf {
    match path.strip_prefix("~/").or_else(|| path.strip_prefix("~\\")) {
        Some(rest) => home.join(rest),
        None => folder.join(path),
    }
}
