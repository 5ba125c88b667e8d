//! Work on the store as a whole: its lock, its key, and the move of everything to another one.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use secrecy::SecretString;

use super::super::migrate::{self, MoveTo};
use super::super::vault::{Argon2id, acceptable};
use super::super::{CredentialStore, SecretId, StoreError, StoreKind, VaultFacts, VaultKeySource, VaultStore};
use super::{CALL_DEADLINE, Credentials};

/// How long work on all records may take.
const WHOLE_DEADLINE: Duration = Duration::from_secs(600);

impl Credentials {
    /// What can be told about the vault, locked or not; `None` when the store is no vault.
    pub async fn vault_facts(&self) -> Result<Option<VaultFacts>, StoreError> {
        self.door.quietly(CALL_DEADLINE, |store| store.vault().map(VaultStore::facts).transpose()).await
    }

    /// Makes the vault forget its key. Until it is unlocked no record can be loaded or saved.
    pub async fn lock(&self) -> Result<(), StoreError> {
        self.door
            .quietly(CALL_DEADLINE, |store| {
                vault_of(store)?.lock();
                Ok(())
            })
            .await
    }

    /// Gives a locked vault its key. A keychain is asked again whether it works.
    pub async fn unlock(&self, source: Option<VaultKeySource>) -> Result<(), StoreError> {
        let Some(source) = source else { return self.door.call(CALL_DEADLINE, |store| store.probe()).await };
        let places = self.places.clone();
        self.door
            .quietly(CALL_DEADLINE, move |store| {
                let vault = vault_of(store)?;
                let places = places.ok_or(StoreError::NotAVault(store.kind()))?;
                vault.unlock(source.for_vault(vault, &places.vault, &*places.files)?)
            })
            .await
    }

    /// Changes the vault's key to one from `source`; all records are sealed anew. Returns how many there are.
    pub async fn rekey(&self, source: VaultKeySource, recovery: Option<SecretString>) -> Result<usize, StoreError> {
        let places = self.places.clone();
        self.door
            .quietly(WHOLE_DEADLINE, move |store| {
                let vault = vault_of(store)?;
                let places = places.ok_or(StoreError::NotAVault(store.kind()))?;
                let (folder, files) = (places.vault.as_path(), &*places.files);
                if vault.is_locked() {
                    return Err(StoreError::Locked(StoreKind::Vault));
                }
                if let Some(recovery) = &recovery {
                    acceptable(recovery)?;
                }
                bring_home(store)?;
                let old = vault.header()?.key_source();
                let records =
                    vault.rekey(source.for_rekey(folder, files)?, recovery.as_ref().zip(Some(&Argon2id::fresh())))?;
                if let Err(error) = source.accepted(old, folder, files) {
                    tracing::warn!(%error, "the file of an automatic vault key could not be put in its place");
                }
                Ok(records)
            })
            .await
    }

    /// Moves the records `ids`, and those saved since the start, to the other store, which is used from then on. Returns how
    /// many there were.
    pub async fn move_to(&self, to: MoveTo, ids: Vec<SecretId>) -> Result<usize, StoreError> {
        let places = self.places.clone().ok_or(StoreError::NotAVault(self.kind()))?;
        if let MoveTo::Keychain = to {
            // On a thread of its own first: one that asks a person must not hold up the store in use.
            Self::new((places.keychain)()).probe().await?;
        }
        let saved = Arc::clone(&self.saved);
        self.door
            .exchange(WHOLE_DEADLINE, move |store| {
                let mut ids: BTreeSet<SecretId> = ids.into_iter().collect();
                ids.extend(bring_home(&**store)?);
                ids.extend(saved.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
                ids.extend(store.vault().map(VaultStore::ids).transpose()?.into_iter().flatten());
                // Another data directory may use it in the same keychain; ours has a name of its own by now.
                ids.remove(&SecretId::shared_kept_answers());
                migrate::run(store, &places, &to, &ids)
            })
            .await
    }

    /// Removes copies that an earlier move left behind, if any.
    pub(crate) async fn finish_move(&self, ids: Vec<SecretId>) -> Result<(), StoreError> {
        let Some(places) = self.places.clone() else { return Ok(()) };
        let ids: BTreeSet<SecretId> = ids.into_iter().collect();
        self.door.quietly(WHOLE_DEADLINE, move |_| migrate::finish(&places, &ids)).await
    }
}

/// What lies in the second place is newer than its record and sealed for this store as it is: it goes where it belongs first.
/// Answers which records those were.
fn bring_home(store: &dyn CredentialStore) -> Result<Vec<SecretId>, StoreError> {
    let waiting = store.waiting()?;
    for id in &waiting {
        let Some(secrets) = store.load_aside(id)? else { continue };
        store.save(id, &secrets).map_err(|error| {
            let told = format!(
                "a sign-in waits to be saved where it belongs, which is tried again and again; then this can be done. \
                 Just now: {error}"
            );
            StoreError::Failed(store.kind(), told)
        })?;
        store.drop_aside(id)?;
        tracing::info!(record = %id, "what waited in the second place was saved where it belongs");
    }
    Ok(waiting)
}

fn vault_of(store: &dyn CredentialStore) -> Result<&VaultStore, StoreError> {
    store.vault().ok_or(StoreError::NotAVault(store.kind()))
}
