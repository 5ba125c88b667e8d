//! All secrets from one store to another: copied, read back and compared record by record; then `store.json` names the other
//! store; then the old copies go.
//!
//! Promises: at any step one store is whole and named, and the other one is named as superfluous; the old copy is dropped only
//! after every record was compared. Runs on the stores' thread, so that no call sees half a move.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::choice::{Places, Recorded};
use super::key_source::VaultKeySource;
use super::{CredentialStore, SecretId, Secrets, StoreError, StoreKind, StoreState, key_source, record, vault};

/// Where secrets should move.
#[derive(Debug, Clone)]
pub enum MoveTo {
    /// The operating system's keychain.
    Keychain,
    /// A new vault, with its key from here.
    Vault(VaultKeySource),
}

impl MoveTo {
    fn kind(&self) -> StoreKind {
        match self {
            Self::Keychain => StoreKind::Keychain,
            Self::Vault(_) => StoreKind::Vault,
        }
    }
}

/// Moves the records `ids` out of `current`, which becomes the other store. Returns how many there were.
pub(super) fn run(
    current: &mut Arc<dyn CredentialStore>,
    places: &Places,
    to: &MoveTo,
    ids: &BTreeSet<SecretId>,
) -> Result<usize, StoreError> {
    let (from, target) = (current.kind(), to.kind());
    if from == target {
        return Err(StoreError::AlreadyThere(target));
    }
    // What an earlier move left in the target is superfluous by its own record, or is not ours to touch.
    if places.recorded()?.and_then(|recorded| recorded.leftover) == Some(target) {
        remove_copies(places, target, ids)?;
    }
    if target == StoreKind::Vault && super::VaultStore::exists_in(&places.vault, &*places.files)? {
        return Err(StoreError::Failed(target, format!("{} holds a vault already", places.vault.display())));
    }
    places.record(Recorded::new(from, Some(target)))?;
    let copied = open(places, to).and_then(|store| Ok((copy(&**current, &*store, ids)?, store)));
    let (records, store) = match copied {
        Ok(copied) => copied,
        Err(error) => {
            let cleaned = remove_copies(places, target, ids).and_then(|()| places.record(Recorded::new(from, None)));
            if let Err(error) = cleaned {
                tracing::warn!(%error, "copies of a move that failed could not be removed; the next start tries again");
            }
            return Err(error);
        }
    };
    if let Err(error) = places.record(Recorded::new(target, Some(from))) {
        // Only the disk knows which store is named now. Whatever were saved from here on could be in the one that is not.
        *current = Arc::new(Unclear(from));
        return Err(StoreError::Failed(from, format!("{error}. {UNCLEAR}")));
    }
    *current = store;
    if let Err(error) = finish(places, ids) {
        tracing::warn!(%error, "the old copies of the moved secrets could not be removed; the next start tries again");
    }
    Ok(records)
}

/// Removes superfluous copies that a move left, if there are any.
pub(super) fn finish(places: &Places, ids: &BTreeSet<SecretId>) -> Result<(), StoreError> {
    let Some(recorded) = places.recorded()? else { return Ok(()) };
    let Some(leftover) = recorded.leftover.filter(|leftover| *leftover != recorded.store) else { return Ok(()) };
    remove_copies(places, leftover, ids)?;
    places.record(Recorded::new(recorded.store, None))?;
    tracing::info!(?leftover, "superfluous copies of secrets were removed");
    Ok(())
}

fn open(places: &Places, to: &MoveTo) -> Result<Arc<dyn CredentialStore>, StoreError> {
    let store: Arc<dyn CredentialStore> = match to {
        MoveTo::Keychain => (places.keychain)(),
        MoveTo::Vault(source) => Arc::new(places.make_vault(source)?),
    };
    store.probe()?;
    Ok(store)
}

/// Copies every record with the one before it, and compares what the target gives back.
fn copy(from: &dyn CredentialStore, to: &dyn CredentialStore, ids: &BTreeSet<SecretId>) -> Result<usize, StoreError> {
    let mut records = 0;
    for id in ids {
        let Some(now) = from.load(id)? else { continue };
        let before = from.load_previous(id)?;
        if let Some(before) = &before {
            to.save(id, before)?;
        }
        to.save(id, &now)?;
        let same = |a: &Option<Secrets>, b: Option<&Secrets>| match (a, b) {
            (Some(a), Some(b)) => record::encode(a) == record::encode(b),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !same(&to.load(id)?, Some(&now)) || !same(&to.load_previous(id)?, before.as_ref()) {
            return Err(StoreError::Corrupt { kind: to.kind(), detail: format!("{id} could not be read back") });
        }
        records += 1;
    }
    Ok(records)
}

fn remove_copies(places: &Places, kind: StoreKind, ids: &BTreeSet<SecretId>) -> Result<(), StoreError> {
    match kind {
        StoreKind::Memory => Ok(()),
        StoreKind::Keychain => {
            let keychain = (places.keychain)();
            ids.iter().try_for_each(|id| keychain.delete(id))
        }
        StoreKind::Vault => vault::remove_all(&*places.files, &places.vault)
            .and_then(|()| key_source::remove_auto_key(&places.vault, &*places.files))
            .map_err(|error| StoreError::Failed(StoreKind::Vault, error.to_string())),
    }
}

const UNCLEAR: &str =
    "Which store holds your secrets now is known only to the disk; nothing more is saved until the next start";

/// Takes the place of both stores when it is not known which of them counts.
struct Unclear(StoreKind);

impl Unclear {
    fn refuse<T>(&self) -> Result<T, StoreError> {
        Err(StoreError::Failed(self.0, UNCLEAR.into()))
    }
}

impl CredentialStore for Unclear {
    fn kind(&self) -> StoreKind {
        self.0
    }
    fn state(&self) -> StoreState {
        StoreState::Corrupt
    }
    fn load(&self, _: &SecretId) -> Result<Option<Secrets>, StoreError> {
        self.refuse()
    }
    fn load_previous(&self, _: &SecretId) -> Result<Option<Secrets>, StoreError> {
        self.refuse()
    }
    fn save(&self, _: &SecretId, _: &Secrets) -> Result<(), StoreError> {
        self.refuse()
    }
    fn confirm(&self, _: &SecretId) -> Result<(), StoreError> {
        self.refuse()
    }
    fn delete(&self, _: &SecretId) -> Result<(), StoreError> {
        self.refuse()
    }
}

#[cfg(test)]
mod tests;
