//! Cuts the power at a chosen change, for tests: the change and everything after it fails, or the change is done and nobody
//! hears of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::files::Files;

/// Shared by everything that hangs on the same cable.
#[derive(Clone, Default)]
pub(crate) struct Power(Arc<Mutex<Option<Cut>>>);

#[derive(Clone, Copy)]
struct Cut {
    left: usize,
    /// The change at which it happens is done all the same.
    late: bool,
}

/// What becomes of a change.
pub(super) enum Fate {
    Done,
    DoneUnheard,
    NotDone,
}

impl Power {
    /// After `left` more changes.
    pub(crate) fn cut_after(&self, left: usize, late: bool) {
        *self.0.lock().expect("lock") = Some(Cut { left, late });
    }

    /// Back on; whether it was ever off.
    pub(crate) fn mend(&self) -> bool {
        self.0.lock().expect("lock").take().is_some_and(|cut| cut.left == 0)
    }

    pub(super) fn change(&self) -> Fate {
        match &mut *self.0.lock().expect("lock") {
            None => Fate::Done,
            Some(Cut { left: 0, late }) => {
                if std::mem::take(late) {
                    Fate::DoneUnheard
                } else {
                    Fate::NotDone
                }
            }
            Some(cut) => {
                cut.left -= 1;
                Fate::Done
            }
        }
    }
}

/// Files in memory.
#[derive(Clone, Default)]
pub(super) struct MemoryFiles {
    inside: Arc<Mutex<Inside>>,
    pub(super) power: Power,
}

#[derive(Clone, Default)]
struct Inside {
    files: BTreeMap<PathBuf, Vec<u8>>,
    folders: BTreeSet<PathBuf>,
}

impl MemoryFiles {
    /// Another disk with the same content, on the same cable.
    pub(super) fn copy(&self) -> Self {
        Self { inside: Arc::new(Mutex::new(self.lock().clone())), power: self.power.clone() }
    }

    pub(super) fn all(&self) -> Vec<PathBuf> {
        self.lock().files.keys().cloned().collect()
    }

    pub(super) fn get(&self, path: &Path) -> Vec<u8> {
        self.lock().files[path].clone()
    }

    /// Damage, or a person's doing: no matter whether there is power.
    pub(super) fn put(&self, path: &Path, content: impl Into<Vec<u8>>) {
        self.lock().files.insert(path.to_path_buf(), content.into());
    }

    pub(super) fn lose(&self, path: &Path) {
        self.lock().files.remove(path);
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("lock")
    }

    fn change(&self, work: impl FnOnce(&mut Inside) -> io::Result<()>) -> io::Result<()> {
        let cut = || io::Error::other("power cut");
        match self.power.change() {
            Fate::Done => work(&mut self.lock()),
            Fate::DoneUnheard => work(&mut self.lock()).and(Err(cut())),
            Fate::NotDone => Err(cut()),
        }
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let inside = self.lock();
        if inside.folders.contains(path) {
            return Err(io::Error::other("not a regular file"));
        }
        Ok(inside.files.get(path).cloned())
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let inside = self.lock();
        let inner = inside.files.keys().chain(&inside.folders).filter(|path| path.parent() == Some(folder));
        let names: BTreeSet<String> = inner.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
        Ok(names.into_iter().collect())
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        if self.lock().folders.contains(path) {
            return Ok(());
        }
        self.change(|inside| {
            inside.folders.insert(path.to_path_buf());
            Ok(())
        })
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.change(|inside| {
            inside.files.insert(path.to_path_buf(), content.to_vec());
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(|inside| {
            inside.files.remove(path);
            Ok(())
        })
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        if !self.names(path)?.is_empty() {
            return Ok(());
        }
        self.change(|inside| {
            inside.folders.remove(path);
            Ok(())
        })
    }
}
