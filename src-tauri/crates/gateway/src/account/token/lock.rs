//! One refresh of a login at a time, across processes: an advisory lock on a file that every Kiro Proxy agrees on.
//!
//! Accounts that are ours alone are locked in the data directory: a stop that gave up waiting for a refresh releases the
//! directory while that refresh may still be under way. Linked logins are locked beside the owner's file, so that gateways
//! with different data directories meet there. The owner itself knows nothing of this lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

/// Longer than the longest holder: a refresh call with its deadline, and saving.
const PATIENCE: Duration = Duration::from_secs(90);
const FIRST_LOOK: Duration = Duration::from_millis(2);
const LONGEST_LOOK: Duration = Duration::from_millis(100);

/// Held until it is dropped, or until the process ends in any way.
#[derive(Debug)]
pub(crate) struct Held {
    _file: File,
}

/// Waits for the lock. The file stays behind: removing it would let two holders lock different files of one name.
pub(crate) async fn take(path: PathBuf) -> io::Result<Held> {
    let opened = path.clone();
    let file = tokio::task::spawn_blocking(move || open(&opened)).await.map_err(io::Error::other)??;
    let until = Instant::now() + PATIENCE;
    let mut pause = FIRST_LOOK;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Held { _file: file }),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                // Two that wait with equal steps would meet for ever.
                tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
                pause = (pause * 2).min(LONGEST_LOOK);
            }
            Err(TryLockError::WouldBlock) => {
                let told = format!("another Kiro Proxy holds {} for long", path.display());
                return Err(io::Error::new(io::ErrorKind::TimedOut, told));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// The lock file for the login in an owner's file.
pub(crate) fn beside(owner: &Path) -> PathBuf {
    let name = owner.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    owner.with_file_name(format!(".{name}.kiro-proxy-lock"))
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
        if let Ok(flag) = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()) {
            options.custom_flags(flag);
        }
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_second_waits_for_the_first() {
        let root = tempfile::tempdir().expect("temp dir");
        let path = root.path().join("one.lock");
        let first = take(path.clone()).await.expect("free");
        let second = take(path.clone());
        tokio::pin!(second);
        assert!(tokio::time::timeout(Duration::from_secs(10), &mut second).await.is_err(), "held");
        drop(first);
        second.await.expect("free again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_is_never_released_is_an_error_in_the_end() {
        let root = tempfile::tempdir().expect("temp dir");
        let path = root.path().join("one.lock");
        let _first = take(path.clone()).await.expect("free");
        let error = take(path).await.expect_err("held for ever");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn the_lock_of_an_owner_lies_beside_its_file() {
        let lock = beside(Path::new("/home/me/.aws/sso/cache/kiro-auth-token.json"));
        assert_eq!(lock, Path::new("/home/me/.aws/sso/cache/.kiro-auth-token.json.kiro-proxy-lock"));
    }
}
