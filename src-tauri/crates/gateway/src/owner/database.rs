//! SQLite databases of other programs, read without leaving a trace.
//!
//! A plain read-only connection to a database in WAL mode makes `-wal` and `-shm` files when they are missing, and may write
//! the shared index of an owner that is running. So the way in depends on what lies there (<https://sqlite.org/wal.html>,
//! <https://sqlite.org/uri.html>):
//! - rollback journal: read-only with the owner's locks; no file is ever made;
//! - WAL mode without a log: `immutable`, which takes no lock and looks for no other file; read again if it changed meanwhile;
//! - WAL mode with log and index: `readonly_shm`, which respects a running owner and never writes the index;
//! - a log without its index, or a journal to be rolled back, after a crash: a private copy is repaired and read.
//!
//! When the owner goes between the look and the reading, SQLite makes an empty log all the same; that one is removed again.

mod failed;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};
use url::Url;

use super::{OwnerError, file};
use failed::Failed;

/// As the owners' own programs wait for each other.
const BUSY: Duration = Duration::from_secs(5);
/// Largest value that is read; token records have a few kilobytes.
const LARGEST_VALUE: i32 = 1024 * 1024;
/// Largest database that is copied after a crash.
const LARGEST_COPY: u64 = 512 * 1024 * 1024;
/// Steps of SQLite's machine after which a read is given up: a table of tokens takes a few hundred.
const MOST_STEPS: i32 = 10_000_000;
/// How often a read starts because the owner wrote during the one before, or opened or closed the database.
const READS: u32 = 40;
/// What a further read waits at most, so that it meets the owner between two writes: about a second for all of them.
const LONGEST_PAUSE: Duration = Duration::from_millis(32);

/// The values of some keys.
pub(super) type Values = BTreeMap<String, String>;

/// What to look for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Keys of the table `auth_kv`.
    pub(super) auth: &'a [&'a str],
    /// Keys of the table `state`.
    pub(super) state: &'a [&'a str],
}

/// The values that are there, from both tables; `None` when there is no database or it has no such tables. Blocks, for about a
/// second at most while an owner writes without a pause, and then fails as busy.
pub(super) fn read(path: &Path, wanted: Wanted<'_>) -> Result<Option<(Values, Values)>, OwnerError> {
    let Some(path) = real(path)? else { return Ok(None) };
    let mut failure = Failed::Busy;
    for read in 1..=READS {
        // The first few at once: an owner seldom writes twice in a row.
        if read > 3 {
            std::thread::sleep(LONGEST_PAUSE.min(Duration::from_millis(1 << (read - 4).min(5))));
        }
        let before = Stamp::of(&path);
        let Some(way) = Way::into(&path)? else { return Ok(None) };
        let (result, locked) = match look(&path, &way, wanted) {
            // A copy is taken without a lock.
            Err(Failed::NeedsRepair) => {
                (copied(&path).and_then(|(connection, _copy)| select(&connection, wanted)), false)
            }
            other => (other, way.has_locks()),
        };
        let same = before == Stamp::of(&path);
        match result {
            Ok(found) if locked || same => return Ok(found),
            Ok(_) => failure = Failed::Busy,
            Err(failed) if failed.is_final(same) => return Err(failed.at(&path)),
            Err(failed) => failure = failed,
        }
    }
    Err(failure.at(&path))
}

/// One look by one way. The connection is closed when it is over.
fn look(path: &Path, way: &Way, wanted: Wanted<'_>) -> Result<Option<(Values, Values)>, Failed> {
    let result = way.open(path).and_then(|(connection, _copy)| select(&connection, wanted));
    if result.is_err() && way.may_make_a_log() && is_bare_log(path) {
        remove_log(path);
    }
    result
}

/// An empty log without an index: no owner that runs has that, and none that crashed had it when we looked.
fn is_bare_log(path: &Path) -> bool {
    size(&beside(path, "-wal")) == Some(0) && size(&beside(path, "-shm")).is_none()
}

/// Closes the database as every last connection closes it, which removes an empty log. SQLite does so under the owner's own locks: an
/// owner who comes back in this moment keeps it.
fn remove_log(path: &Path) {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let closed = Connection::open_with_flags(path, flags).map_err(Failed::from).and_then(|mut connection| {
        guard(&mut connection)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(())
    });
    if let Err(failed) = closed {
        tracing::debug!(reason = %failed.at(path), "an empty log beside another program's database stays");
    }
}

/// Changes one value of `auth_kv` under the owner's own locks. `change` sees the values of the wanted keys and answers a key
/// with its new value, or `None` to leave everything as it is; the answer says whether something was written.
pub(super) fn change(
    path: &Path,
    keys: &[&str],
    change: impl FnOnce(&Values) -> Option<(String, String)>,
) -> Result<bool, OwnerError> {
    file::regular(path)?;
    let work = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        guard(&mut connection)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let values = table(&transaction, "auth_kv", keys)?.unwrap_or_default();
        let Some((key, value)) = change(&values) else { return Ok(false) };
        let changed = transaction.execute("UPDATE auth_kv SET value = ?2 WHERE key = ?1", (&key, &value))?;
        transaction.commit()?;
        Ok(changed == 1)
    };
    work().map_err(|failed: Failed| failed.at(path))
}

/// Which way in leaves no trace.
enum Way {
    Locked,
    Immutable,
    Index,
    Copy,
}

impl Way {
    /// `None` for a file that holds no database yet.
    fn into(path: &Path) -> Result<Option<Self>, OwnerError> {
        let Some((mut file, _)) = file::open(path)? else { return Ok(None) };
        let mut header = Vec::new();
        Read::take(&mut file, 100).read_to_end(&mut header).map_err(|error| file::unreadable(path, &error))?;
        if header.is_empty() {
            return Ok(None);
        }
        if header.len() < 100 || !header.starts_with(b"SQLite format 3\0") {
            return Err(OwnerError::Malformed { path: path.to_path_buf(), detail: "it is not an SQLite database" });
        }
        // Bytes 18 and 19: write and read version, 2 for WAL (https://sqlite.org/fileformat.html).
        let write_ahead = header.get(18) == Some(&2) || header.get(19) == Some(&2);
        let has = |ending| size(&beside(path, ending)).is_some_and(|size| size > 0);
        Ok(Some(match (write_ahead, has("-wal"), has("-shm")) {
            (false, _, _) => Self::Locked,
            (true, false, _) => Self::Immutable,
            (true, true, true) => Self::Index,
            (true, true, false) => Self::Copy,
        }))
    }

    /// Whether the owner cannot write while we read, so that what was read is one state.
    fn has_locks(&self) -> bool {
        match self {
            Self::Locked | Self::Index => true,
            Self::Immutable | Self::Copy => false,
        }
    }

    /// Whether SQLite makes a log where the owner has just removed its own.
    fn may_make_a_log(&self) -> bool {
        match self {
            Self::Locked | Self::Index => true,
            Self::Immutable | Self::Copy => false,
        }
    }

    fn open(&self, path: &Path) -> Result<(Connection, Option<tempfile::TempDir>), Failed> {
        let query: &[(&str, &str)] = match self {
            // The owner may change to WAL mode in this moment; then the index is not ours to make.
            Self::Locked | Self::Index => &[("mode", "ro"), ("readonly_shm", "1")],
            Self::Immutable => &[("mode", "ro"), ("immutable", "1")],
            Self::Copy => return copied(path).map(|(connection, copy)| (connection, Some(copy))),
        };
        let mut url = Url::from_file_path(path).map_err(|()| Failed::Because("its path cannot be written as a URI"))?;
        url.query_pairs_mut().extend_pairs(query);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(url.as_str(), flags)?;
        guard(&mut connection)?;
        Ok((connection, None))
    }
}

/// A private copy, in which SQLite may repair what a crash left. The folder goes when the answer is dropped.
fn copied(path: &Path) -> Result<(Connection, tempfile::TempDir), Failed> {
    let folder = tempfile::Builder::new().prefix("kiro-proxy-").tempdir()?;
    let target = folder.path().join("copy.sqlite3");
    let mut left = LARGEST_COPY;
    for ending in ["", "-wal", "-journal"] {
        let Some((source, _)) = file::open(&beside(path, ending)).map_err(Failed::Owner)? else { continue };
        let mut to = tempfile::Builder::new().prefix("part-").tempfile_in(folder.path())?;
        let copied = std::io::copy(&mut source.take(left + 1), &mut to)?;
        left = left.checked_sub(copied).ok_or_else(|| Failed::Owner(OwnerError::TooLarge(path.to_path_buf())))?;
        to.flush()?;
        to.persist(beside(&target, ending)).map_err(|failed| Failed::Io(failed.error))?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&target, flags)?;
    guard(&mut connection)?;
    Ok((connection, folder))
}

/// A database is a program of sorts: nothing in it may run for long, call functions, or hand out huge values.
fn guard(connection: &mut Connection) -> Result<(), Failed> {
    connection.busy_timeout(BUSY)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LARGEST_VALUE)?;
    connection.progress_handler(MOST_STEPS, Some(|| true))?;
    Ok(())
}

fn select(connection: &Connection, wanted: Wanted<'_>) -> Result<Option<(Values, Values)>, Failed> {
    let Some(auth) = table(connection, "auth_kv", wanted.auth)? else { return Ok(None) };
    let state = table(connection, "state", wanted.state)?.unwrap_or_default();
    Ok(Some((auth, state)))
}

/// The values of the keys in a table; `None` when there is no table of that name.
fn table(connection: &Connection, name: &'static str, keys: &[&str]) -> Result<Option<Values>, Failed> {
    let kind: Option<String> =
        connection.query_row("SELECT type FROM sqlite_schema WHERE name = ?1", [name], |row| row.get(0)).optional()?;
    match kind.as_deref() {
        None => return Ok(None),
        Some("table") => {}
        Some(_) => return Err(Failed::Because("its tables are not those of the program")),
    }
    let mut statement = connection.prepare(&format!("SELECT value FROM {name} WHERE key = ?1"))?;
    let mut found = Values::new();
    for key in keys {
        // Text in one table, a blob in the other.
        let value = statement
            .query_row([key], |row| {
                row.get_ref(0).map(|value| value.as_bytes_or_null().ok().flatten().map(<[u8]>::to_vec))
            })
            .optional()?
            .flatten();
        let Some(value) = value else { continue };
        let text = String::from_utf8(value).map_err(|_| Failed::Because("a value is not UTF-8 text"))?;
        found.insert((*key).to_owned(), text);
    }
    Ok(Some(found))
}

/// What changes when somebody writes.
#[derive(PartialEq, Eq)]
struct Stamp([Option<(u64, Option<std::time::SystemTime>)>; 3]);

impl Stamp {
    fn of(path: &Path) -> Self {
        Self(["", "-wal", "-journal"].map(|ending| {
            let found = std::fs::metadata(beside(path, ending)).ok()?;
            Some((found.len(), found.modified().ok()))
        }))
    }
}

fn size(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|found| found.len())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The file behind links, so that its log is looked for where SQLite would; `None` when there is none.
fn real(path: &Path) -> Result<Option<PathBuf>, OwnerError> {
    if cfg!(windows) {
        // The canonical form is one that URIs cannot express.
        return Ok(path.exists().then(|| path.to_path_buf()));
    }
    match path.canonicalize() {
        Ok(path) => Ok(Some(path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file::unreadable(path, &error)),
    }
}

#[cfg(test)]
mod tests;
