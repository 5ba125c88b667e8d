//! The files an import reads: the one named, and those that it points to. None is ever changed.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use kiro_gateway::account::{Link, LinkOwner};
use kiro_gateway::{owner, transfer};
use zeroize::Zeroizing;

use crate::exit::{Exit, Trouble};
use crate::words::say;

/// Larger than any export seen; a disk image given by mistake must not fill the memory.
const MOST: u64 = 16 * 1024 * 1024;
/// Files that one file may point to.
const MOST_POINTERS: usize = 200;
/// How every SQLite database begins.
const DATABASE: &[u8] = b"SQLite format 3\0";

/// What was read.
pub(super) struct Source {
    pub(super) content: Zeroizing<String>,
    /// Names as the file says them, with content.
    pub(super) companions: Vec<(String, Zeroizing<String>)>,
}

/// Reads the file, those handed in with it, and those that these point to. A pointer that leads nowhere is left for the
/// gateway to tell about, entry by entry.
pub(super) fn read_source(file: &Path, with: &[PathBuf]) -> Result<Source, Trouble> {
    let content = read(file)?;
    let mut companions = Vec::new();
    for path in with {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        companions.push((name, read(path)?));
    }
    let folder = (file != Path::new("-")).then(|| file.parent().unwrap_or(Path::new("")).to_path_buf());
    let mut wanted: Vec<(Option<PathBuf>, String)> =
        transfer::companions_wanted(&content).into_iter().map(|name| (folder.clone(), name)).collect();
    let mut at = 0;
    while let Some((folder, name)) = wanted.get(at).cloned() {
        at += 1;
        let known = companions.iter().any(|(known, _)| *known == name);
        let Some(path) = resolve(folder.as_deref(), &name).filter(|_| !known && at <= MOST_POINTERS) else { continue };
        let Ok(found) = read(&path) else { continue };
        let beside = path.parent().map(Path::to_path_buf);
        wanted.extend(transfer::companions_wanted(&found).into_iter().map(|name| (beside.clone(), name)));
        companions.push((name, found));
    }
    Ok(Source { content, companions })
}

/// `~` is this user's home; a relative name lies beside the file that names it.
fn resolve(folder: Option<&Path>, name: &str) -> Option<PathBuf> {
    if let Some(rest) = name.strip_prefix("~/").or_else(|| name.strip_prefix("~\\")) {
        return Some(std::env::home_dir()?.join(rest));
    }
    let path = Path::new(name);
    if path.is_absolute() { Some(path.to_path_buf()) } else { Some(folder?.join(path)) }
}

/// A file's text; `-` is standard input. A database of kiro-cli or Amazon Q becomes a token file of the same login.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, Trouble> {
    let refuse = |reason: String| {
        Trouble::new(
            Exit::Failure,
            "import_unreadable",
            say!("{} cannot be read: {}", path.display(), reason),
            "nothing was imported",
            "give a file with credentials that you can read, or `-` for standard input",
        )
    };
    let mut bytes = Zeroizing::new(Vec::new());
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| refuse(error.to_string()))?;
    if bytes.starts_with(DATABASE) && path != Path::new("-") {
        let amazon = path.components().any(|part| part.as_os_str() == "amazon-q");
        let owner = if amazon { LinkOwner::AmazonQ } else { LinkOwner::KiroCli };
        let login = owner::read(&Link::new(owner, path.to_string_lossy()));
        let login = login.map_err(|error| refuse(error.to_string()))?;
        let login = login.ok_or_else(|| refuse(say!("no login is in this database")))?;
        return Ok(transfer::as_token_file(&login));
    }
    if bytes.len() as u64 > MOST {
        return Err(refuse(say!("it is larger than 16 MiB")));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| refuse(say!("it is not UTF-8 text")))?;
    Ok(Zeroizing::new(text.to_owned()))
}
