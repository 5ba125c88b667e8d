//! The folder of a vault as a whole: whether there is one, and its end.

use std::path::Path;

use super::super::StoreError;
use super::super::files::Files;
use super::{failed, header, shelf};

/// Removes a vault whose records are known to be elsewhere. The header goes last: with it gone nothing could be opened.
pub(in crate::credential) fn remove_all(files: &dyn Files, folder: &Path) -> std::io::Result<()> {
    let names = files.names(folder)?;
    let top = [header::NAME, header::COPY];
    for name in names.iter().filter(|name| !top.contains(&name.as_str())) {
        let path = folder.join(name);
        for inner in files.names(&path).unwrap_or_default() {
            files.remove(&path.join(inner))?;
        }
        match files.read(&path) {
            Ok(Some(_)) => files.remove(&path)?,
            Ok(None) | Err(_) => files.remove_folder(&path)?,
        }
    }
    top.iter().rev().try_for_each(|name| files.remove(&folder.join(name)))?;
    files.remove_folder(folder)
}

pub(super) fn exists(files: &dyn Files, folder: &Path) -> Result<bool, StoreError> {
    Ok(header::present(files, folder).map_err(failed)? || has_sealed_files(files, folder)?)
}

pub(super) fn has_sealed_files(files: &dyn Files, folder: &Path) -> Result<bool, StoreError> {
    for name in files.names(folder).map_err(failed)? {
        // What is no folder has no names in it.
        let inner = files.names(&folder.join(&name)).unwrap_or_default();
        if shelf::is_sealed(&name) || inner.iter().any(|name| shelf::is_sealed(name)) {
            return Ok(true);
        }
    }
    Ok(false)
}
