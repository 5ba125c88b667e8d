//! Saving a text, such as an export of accounts, where a person says.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use kiro_gateway::{Problem, ProblemCode};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What the window wants to save.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SaveRequest {
    /// The name that is proposed.
    file_name: String,
    content: String,
}

/// Where it is now; nothing when the person changed their mind.
#[derive(Serialize)]
struct Saved {
    path: Option<PathBuf>,
}

/// Asks where, and writes the file.
pub(crate) async fn save(request: SaveRequest) -> Response {
    let name = Path::new(&request.file_name).file_name().map(|name| name.to_string_lossy().into_owned());
    let dialog = rfd::AsyncFileDialog::new().set_file_name(name.unwrap_or_default());
    let Some(chosen) = dialog.save_file().await else {
        return Json(Saved { path: None }).into_response();
    };
    let path = chosen.path().to_owned();
    let target = path.clone();
    let kept = tauri::async_runtime::spawn_blocking(move || keep(&target, request.content.as_bytes())).await;
    match kept.map_err(|error| error.to_string()).and_then(|kept| kept.map_err(|error| error.to_string())) {
        Ok(()) => (StatusCode::OK, Json(Saved { path: Some(path) })).into_response(),
        Err(reason) => Problem::new(ProblemCode::Storage, format!("{} cannot be written: {reason}", path.display()))
            .into_response(),
    }
}

/// Writes a file that only its owner may read, whole or not at all.
fn keep(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().ok_or(std::io::ErrorKind::InvalidInput)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_file_is_whole_and_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.json");
        keep(&path, b"an older and longer one").unwrap();
        keep(&path, b"secret").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"secret");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(keep(&folder.path().join("nowhere/x"), b"").is_err());
    }
}
