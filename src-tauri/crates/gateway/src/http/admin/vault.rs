//! Where secrets are kept: what can be told about it, lock and unlock, a new key, and moving everything to the other store.
//! Key material comes in bodies only, and never goes out.

use super::extract::Body;
use crate::credential::{KeySource, MoveTo, StoreError, StoreKind, StoreState, VaultKeySource};
use crate::error::{Problem, ProblemCode};
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::State;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// The store of secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct VaultView {
    /// Which store is in use.
    pub(super) kind: StoreKind,
    /// Whether it can be used.
    pub(super) state: StoreState,
    /// Where the vault's key comes from, as its header records it.
    pub(super) key_source: Option<KeySource>,
    /// Tells keys apart: the first 8 bytes of the key's SHA-256, in hex.
    pub(super) key_id: Option<String>,
    /// Sealed records; `null` for a keychain, which is not counted.
    pub(super) records: Option<usize>,
    /// True when the key lies beside the vault, so that whoever reads the one can read the other.
    pub(super) protected_by_permissions_only: bool,
    /// Whether a recovery passphrase opens the vault too.
    pub(super) recovery: bool,
}

/// The store of secrets.
#[utoipa::path(get, path = "/api/vault", operation_id = "getVault",
    responses((status = 200, body = VaultView), (status = 503, body = Problem)))]
pub(super) async fn show(State(gateway): State<Gateway>) -> Result<Json<VaultView>, Problem> {
    view(&gateway).await.map(Json)
}

async fn view(gateway: &Gateway) -> Result<VaultView, Problem> {
    let credentials = &gateway.parts.book.credentials;
    let facts = credentials.vault_facts().await.map_err(|error| problem(&error))?;
    Ok(VaultView {
        kind: credentials.kind(),
        state: credentials.state(),
        key_source: facts.as_ref().map(|facts| facts.key_source),
        key_id: facts.as_ref().map(|facts| facts.key_id.clone()),
        records: facts.as_ref().map(|facts| facts.records),
        protected_by_permissions_only: facts.as_ref().is_some_and(|facts| facts.key_source == KeySource::AutoKeyFile),
        recovery: facts.is_some_and(|facts| facts.recovery),
    })
}

/// Makes the vault forget its key. Accounts go on with the access tokens in memory; renewing them waits for an unlock.
#[utoipa::path(post, path = "/api/vault/lock", operation_id = "lockVault",
    responses((status = 200, body = VaultView), (status = 400, body = Problem)))]
pub(super) async fn lock(State(gateway): State<Gateway>) -> Result<Json<VaultView>, Problem> {
    let locked = gateway.parts.book.credentials.lock().await;
    answer(&gateway, locked).await
}

/// The key of a locked vault: one of the members. None: the key beside the vault, or another try with a keychain.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct VaultUnlock {
    /// The passphrase it was made with.
    #[serde(default)]
    passphrase: Option<String>,
    /// The recovery passphrase.
    #[serde(default)]
    recovery_passphrase: Option<String>,
    /// A key file that only its owner can read.
    #[serde(default)]
    key_file: Option<String>,
    /// The key itself, in base64.
    #[serde(default)]
    key: Option<String>,
}

/// Gives a locked vault its key.
#[utoipa::path(post, path = "/api/vault/unlock", operation_id = "unlockVault", request_body = VaultUnlock,
    responses((status = 200, body = VaultView), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn unlock(
    State(gateway): State<Gateway>,
    Body(given): Body<VaultUnlock>,
) -> Result<Json<VaultView>, Problem> {
    let prompt = |text: String| Arc::new(SecretString::from(text));
    let mut ways = [
        given.passphrase.map(|text| VaultKeySource::Passphrase(prompt(text))),
        given.recovery_passphrase.map(|text| VaultKeySource::Recovery(prompt(text))),
        given.key_file.map(|path| VaultKeySource::File(path.into())),
        given.key.map(|text| VaultKeySource::Key(SecretString::from(text))),
    ]
    .into_iter()
    .flatten();
    let way = match (ways.next(), gateway.parts.book.credentials.kind()) {
        (Some(way), _) => Some(way),
        (None, StoreKind::Vault) => Some(VaultKeySource::AutoKeyFile),
        (None, StoreKind::Keychain | StoreKind::Memory) => None,
    };
    if ways.next().is_some() {
        return Err(Problem::new(ProblemCode::InvalidRequest, "give one key, not several"));
    }
    let unlocked = gateway.parts.book.credentials.unlock(way).await;
    if unlocked.is_ok() {
        gateway.parts.book.tokens.store_unlocked();
        // What waited for the store: the first client key of a new data directory.
        let _ = gateway.parts.keys.ensure_first().await;
        gateway.finish_removals().await;
    }
    answer(&gateway, unlocked).await
}

/// A key to seal with from now on.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct VaultNewKey {
    /// Where it will come from at the next start.
    source: KeySource,
    /// For `passphrase`: at least 12 characters.
    #[serde(default)]
    passphrase: Option<String>,
    /// For `keyFile` and `systemdCredential`: a file with the key.
    #[serde(default)]
    key_file: Option<String>,
    /// For `environment`: the key in base64.
    #[serde(default)]
    key: Option<String>,
    /// A passphrase that will open the vault too, should the key be lost; without it there is none.
    #[serde(default)]
    recovery_passphrase: Option<String>,
}

impl VaultNewKey {
    fn source(self) -> Result<(VaultKeySource, Option<SecretString>), Problem> {
        let Self { source, passphrase, key_file, key, recovery_passphrase } = self;
        let given =
            [passphrase.is_some(), key_file.is_some(), key.is_some()].into_iter().filter(|given| *given).count();
        let way = match source {
            KeySource::Passphrase => {
                passphrase.map(|text| VaultKeySource::Passphrase(Arc::new(SecretString::from(text))))
            }
            KeySource::KeyFile => key_file.map(|path| VaultKeySource::File(path.into())),
            KeySource::SystemdCredential => key_file.map(|path| VaultKeySource::SystemdCredential(path.into())),
            KeySource::Environment => key.map(|text| VaultKeySource::Key(SecretString::from(text))),
            KeySource::AutoKeyFile => Some(VaultKeySource::AutoKeyFile),
        };
        let wanted = usize::from(source != KeySource::AutoKeyFile);
        match way {
            Some(way) if given == wanted => Ok((way, recovery_passphrase.map(SecretString::from))),
            Some(_) | None => Err(Problem::new(
                ProblemCode::InvalidRequest,
                format!("a key from {} needs exactly what belongs to it", source.words()),
            )),
        }
    }
}

/// What was done.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct VaultChange {
    /// Records that were sealed anew or moved.
    pub(super) changed: usize,
    /// The store now.
    pub(super) vault: VaultView,
}

/// Seals everything with another key. Cut off at any step, either the old key holds or the new one.
#[utoipa::path(post, path = "/api/vault/rekey", operation_id = "rekeyVault", request_body = VaultNewKey,
    responses((status = 200, body = VaultChange), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn rekey(
    State(gateway): State<Gateway>,
    Body(new): Body<VaultNewKey>,
) -> Result<Json<VaultChange>, Problem> {
    let (source, recovery) = new.source()?;
    let done = gateway.clone();
    // To its end, also when the face that asked goes away.
    let work = async move { done.parts.book.credentials.rekey(source, recovery).await };
    finished(&gateway, gateway.parts.tasks.spawn(work).await).await
}

/// Where all secrets should move.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct VaultMove {
    /// `keychain` or `vault`.
    to: StoreKind,
    /// The new vault's key.
    #[serde(default)]
    key: Option<VaultNewKey>,
}

/// Moves all secrets to the other store: copied, read back, compared; then the other store is used and the old copies go.
#[utoipa::path(post, path = "/api/vault/migrate", operation_id = "moveSecrets", request_body = VaultMove,
    responses((status = 200, body = VaultChange), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn migrate(
    State(gateway): State<Gateway>,
    Body(wish): Body<VaultMove>,
) -> Result<Json<VaultChange>, Problem> {
    let invalid = |text: &str| Problem::new(ProblemCode::InvalidRequest, text);
    let (to, recovery) = match (wish.to, wish.key) {
        (StoreKind::Keychain, None) => (MoveTo::Keychain, None),
        (StoreKind::Keychain, Some(_)) => return Err(invalid("a keychain needs no key")),
        (StoreKind::Vault, Some(key)) => {
            let (source, recovery) = key.source()?;
            (MoveTo::Vault(source), recovery)
        }
        (StoreKind::Vault, None) => return Err(invalid("a vault needs a key")),
        (StoreKind::Memory, _) => return Err(invalid("secrets that should outlive the process do not go to memory")),
    };
    if recovery.is_some() {
        return Err(invalid("a recovery passphrase is set by a change of the key, after the move"));
    }
    let done = gateway.clone();
    gateway.parts.kept.own_key().await;
    let ids = gateway.secret_ids();
    let work = async move { done.parts.book.credentials.move_to(to, ids).await };
    finished(&gateway, gateway.parts.tasks.spawn(work).await).await
}

async fn finished(
    gateway: &Gateway,
    done: Result<Result<usize, StoreError>, tokio::task::JoinError>,
) -> Result<Json<VaultChange>, Problem> {
    let done = done.map_err(|_| Problem::new(ProblemCode::Internal, "the change met a fault of ours"))?;
    gateway.announce();
    let changed = done.map_err(|error| problem(&error))?;
    Ok(Json(VaultChange { changed, vault: view(gateway).await? }))
}

async fn answer(gateway: &Gateway, done: Result<(), StoreError>) -> Result<Json<VaultView>, Problem> {
    gateway.announce();
    done.map_err(|error| problem(&error))?;
    view(gateway).await.map(Json)
}

fn problem(error: &StoreError) -> Problem {
    let code = match error {
        StoreError::NotAVault(_) | StoreError::AlreadyThere(_) => ProblemCode::InvalidRequest,
        StoreError::Locked(_)
        | StoreError::Absent(..)
        | StoreError::Denied(_)
        | StoreError::TimedOut(_)
        | StoreError::KeyMissing { .. }
        | StoreError::KeyWrong { .. }
        | StoreError::Corrupt { .. }
        | StoreError::KeyRefused(_)
        | StoreError::NoStore(_)
        | StoreError::OtherStore { .. }
        | StoreError::Failed(..) => ProblemCode::StoreUnavailable,
    };
    Problem::new(code, error.to_string()).action(error.action()).param("reason", error.code())
}
