//! Client registrations at AWS OIDC that are used again: one per region, start URL, scopes and way of signing in.
//!
//! Promises: the secret is in the credential store, never in the file; a registration that ends soon is not used for a new sign-in, since
//! the account would end with it; a file that cannot be read costs a new registration and nothing else.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::clock::{Clock, Timestamp};
use crate::credential::{Credentials, SecretId, Secrets};
use crate::data_dir::DataDir;
use crate::disk::off_thread;
use crate::upstream::identity::sign_in::{OidcFlow, RegisteredClient, SignIn, SignInError};

const FILE: &str = "registrations.json";
/// A refresh token is worth nothing once its registration has ended (kiro-upstream §5.7), so a new sign-in gets one with life left.
const LEAST_LIFE: Duration = Duration::from_secs(60 * 86_400);

/// What identifies a registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Purpose {
    region: String,
    start_url: String,
    scopes: String,
    flow: OidcFlow,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    #[serde(flatten)]
    purpose: Purpose,
    client_id: String,
    expires_at: Timestamp,
}

/// The registrations that are kept.
pub(crate) struct Registrations {
    dir: Arc<DataDir>,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
    kept: Mutex<Vec<Kept>>,
    /// One save at a time, so that the last one says what holds.
    saving: tokio::sync::Mutex<()>,
    /// Two sign-ins at once need one registration, not two.
    making: tokio::sync::Mutex<()>,
}

impl Registrations {
    pub(crate) fn open(dir: Arc<DataDir>, credentials: Credentials, clock: Arc<dyn Clock>) -> Self {
        let bytes = dir.read(FILE).ok().flatten().unwrap_or_default();
        let kept = serde_json::from_slice(&bytes).unwrap_or_default();
        Self { dir, credentials, clock, kept: Mutex::new(kept), saving: Default::default(), making: Default::default() }
    }

    /// The records of their secrets.
    pub(super) fn secret_ids(&self) -> Vec<SecretId> {
        self.kept().iter().map(|kept| secret_id(&kept.client_id)).collect()
    }

    /// The kept registration for this purpose, else a new one.
    pub(super) async fn get(
        &self,
        sign_in: &SignIn,
        region: &str,
        start_url: &str,
        flow: OidcFlow,
    ) -> Result<RegisteredClient, SignInError> {
        let purpose =
            Purpose { region: region.to_owned(), start_url: start_url.to_owned(), scopes: OidcFlow::scopes(), flow };
        let _one = self.making.lock().await;
        if let Some(client) = self.find(&purpose).await {
            return Ok(client);
        }
        let client = sign_in.register(region, start_url, flow).await?;
        self.keep(purpose, &client).await;
        Ok(client)
    }

    async fn find(&self, purpose: &Purpose) -> Option<RegisteredClient> {
        let least = self.clock.now().plus(LEAST_LIFE);
        let found = self.kept().iter().find(|kept| kept.purpose == *purpose).cloned()?;
        let secret = if found.expires_at > least {
            // A store that cannot be read now costs a registration; the sign-in itself will say what is wrong with it.
            self.credentials.load(&secret_id(&found.client_id)).await.ok().flatten()
        } else {
            None
        };
        match secret.and_then(|secrets| secrets.client_secret) {
            Some(secret) => Some(RegisteredClient { id: found.client_id, secret, expires_at: found.expires_at }),
            None => {
                self.forget(&found.client_id).await;
                None
            }
        }
    }

    async fn keep(&self, purpose: Purpose, client: &RegisteredClient) {
        let secrets = Secrets { client_secret: Some(client.secret.clone()), ..Secrets::default() };
        if let Err(error) = self.credentials.save(&secret_id(&client.id), &secrets).await {
            tracing::info!(%error, "the client registration is used once and not kept");
            return;
        }
        let kept = Kept { purpose, client_id: client.id.clone(), expires_at: client.expires_at };
        self.kept().push(kept);
        self.save().await;
    }

    /// Takes a registration away that is of no more use.
    pub(super) async fn forget(&self, client_id: &str) {
        self.kept().retain(|kept| kept.client_id != client_id);
        self.save().await;
        if let Err(error) = self.credentials.delete(&secret_id(client_id)).await {
            tracing::info!(%error, "the secret of an old client registration stays in the store");
        }
    }

    async fn save(&self) {
        let _one = self.saving.lock().await;
        let (dir, kept) = (Arc::clone(&self.dir), self.kept().clone());
        let saved = off_thread(move || dir.replace(FILE, &serde_json::to_vec_pretty(&kept)?));
        if let Err(error) = saved.await.flatten() {
            tracing::warn!(%error, "client registrations could not be saved; the next start makes new ones");
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client id is the service's text; what names a record is ours.
fn secret_id(client_id: &str) -> SecretId {
    SecretId::registration(&crate::account::hex(&Sha256::digest(client_id.as_bytes())[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::credential::MemoryStore;

    #[tokio::test]
    async fn a_move_of_all_secrets_finds_those_of_registrations_after_a_restart_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = Arc::new(DataDir::open(Some(folder.path().join("data"))).expect("opens"));
        let credentials = Credentials::new(Arc::new(MemoryStore::default()));
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::from_unix_seconds(1_800_000_000)));
        let open = || Registrations::open(Arc::clone(&dir), credentials.clone(), Arc::clone(&clock));
        let purpose = |flow| Purpose {
            region: "us-east-1".into(),
            start_url: "https://view.awsapps.com/start".into(),
            scopes: OidcFlow::scopes(),
            flow,
        };
        let client = |id: &str| RegisteredClient {
            id: id.to_owned(),
            secret: "planted".into(),
            expires_at: clock.now().plus(Duration::from_secs(90 * 86_400)),
        };
        let before = open();
        before.keep(purpose(OidcFlow::Device), &client("one")).await;
        before.keep(purpose(OidcFlow::Browser), &client("two")).await;
        let after = open();
        assert_eq!(after.secret_ids(), [secret_id("one"), secret_id("two")]);
        for id in after.secret_ids() {
            let kept = credentials.load(&id).await.expect("loads").and_then(|secrets| secrets.client_secret);
            assert!(kept.is_some(), "the record that is named is the one that was saved: {id:?}");
        }
        after.forget("one").await;
        assert_eq!(open().secret_ids(), [secret_id("two")]);
    }
}
