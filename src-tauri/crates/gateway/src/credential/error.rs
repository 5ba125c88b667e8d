//! Why a store could not do its work, and what a person can do about it.

use super::{KeySource, StoreKind, StoreState};

/// Why a store could not do its work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Waiting for a person.
    #[error("the {} is locked", kind_words(*.0))]
    Locked(StoreKind),
    /// Not there.
    #[error("the {} is not available: {}", kind_words(*.0), .1)]
    Absent(StoreKind, String),
    /// It said no.
    #[error("the {} refused access", kind_words(*.0))]
    Denied(StoreKind),
    /// No answer in time. The work may still finish later, in order.
    #[error("the {} did not answer in time", kind_words(*.0))]
    TimedOut(StoreKind),
    /// No key for a vault that has records.
    #[error("the vault holds sealed secrets and its key was not given{}", .wants.map(|wants| format!("; it comes from {}", wants.words())).unwrap_or_default())]
    KeyMissing {
        /// Where the vault's header says that its key comes from.
        wants: Option<KeySource>,
    },
    /// Another key than the vault's.
    #[error("the key given does not open this vault (the vault wants key {expected}, this is key {given})")]
    KeyWrong {
        /// Key id in the header.
        expected: String,
        /// Id of the key given.
        given: String,
    },
    /// Damaged; kept as it is.
    #[error("the {} has a damaged record ({detail}); it was kept as it is", kind_words(*.kind))]
    Corrupt {
        /// Where.
        kind: StoreKind,
        /// What is wrong, without any secret.
        detail: String,
    },
    /// A key or key file that must not be used.
    #[error("the vault key cannot be used: {0}")]
    KeyRefused(String),
    /// Neither a keychain nor a key: nothing to keep secrets in.
    #[error("there is no place to keep secrets: {0}")]
    NoStore(String),
    /// The recorded choice is another one.
    #[error("this data directory keeps its secrets in the {}, not in the {}", kind_words(*.recorded), kind_words(*.asked))]
    OtherStore {
        /// What `store.json` says.
        recorded: StoreKind,
        /// What was asked for now.
        asked: StoreKind,
    },
    /// What was asked for is about a vault.
    #[error("secrets are kept in the {}, not in a vault", kind_words(*.0))]
    NotAVault(StoreKind),
    /// A move to the store that is in use.
    #[error("secrets are in the {} already", kind_words(*.0))]
    AlreadyThere(StoreKind),
    /// The file system or the platform failed in another way.
    #[error("the {} failed: {}", kind_words(*.0), .1)]
    Failed(StoreKind, String),
}

fn kind_words(kind: StoreKind) -> &'static str {
    match kind {
        StoreKind::Keychain => "system keychain",
        StoreKind::Vault => "vault",
        StoreKind::Memory => "memory store",
    }
}

/// The ways out for a machine that has neither a keychain nor a key.
const HELP_NO_STORE: &str = "Either make a key file and name it (or give its content in KIRO_PROXY_VAULT_KEY):\n  \
    (umask 077; head -c 32 /dev/urandom | base64 > ~/kiro-proxy.key) && kiro-proxy serve --vault-key-file ~/kiro-proxy.key\n\
    or type a passphrase at every start:\n  \
    kiro-proxy serve --vault-ask\n\
    or start and unlock a keyring, then start again:\n  \
    sudo apt-get install gnome-keyring && gnome-keyring-daemon --unlock --components=secrets";

impl StoreError {
    /// Stable code for the admin API and the command line.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked(StoreKind::Vault) => "vault_locked",
            Self::Locked(StoreKind::Keychain | StoreKind::Memory) => "store_locked",
            Self::Absent(..) => "store_absent",
            Self::Denied(_) => "store_denied",
            Self::TimedOut(_) => "store_timed_out",
            Self::KeyMissing { .. } => "vault_key_missing",
            Self::KeyWrong { .. } => "vault_key_wrong",
            Self::Corrupt { .. } => "store_corrupt",
            Self::KeyRefused(_) => "vault_key_refused",
            Self::NoStore(_) => "no_credential_store",
            Self::OtherStore { .. } => "store_mismatch",
            Self::NotAVault(_) => "store_not_a_vault",
            Self::AlreadyThere(_) => "store_in_use",
            Self::Failed(..) => "store_failed",
        }
    }

    /// What a person can do about it.
    pub fn action(&self) -> String {
        match self {
            Self::Locked(StoreKind::Vault) => "Give its key to the running gateway: kiro-proxy vault unlock".into(),
            Self::Locked(StoreKind::Keychain | StoreKind::Memory) => "Unlock the keychain (log in to the desktop, or `gnome-keyring-daemon --unlock`), then try again.".into(),
            Self::Absent(..) | Self::NoStore(_) => HELP_NO_STORE.into(),
            Self::Denied(_) => "Allow Kiro Proxy to use the keychain, then try again.".into(),
            Self::TimedOut(_) => "Look for a password window of the keychain and answer it, then try again.".into(),
            Self::KeyMissing { wants } => {
                let way = match wants {
                    Some(KeySource::SystemdCredential) => "LoadCredentialEncrypted=kiro-proxy-vault-key:FILE in the unit",
                    Some(KeySource::Passphrase) => "--vault-ask, or `kiro-proxy vault unlock`",
                    Some(KeySource::Environment) => "KIRO_PROXY_VAULT_KEY",
                    Some(KeySource::AutoKeyFile) => "vault-auto.key in the data directory, from a backup",
                    Some(KeySource::KeyFile) | None => "--vault-key-file FILE",
                };
                format!("Give the key this vault was made with: {way}. A new key would not open it. A recovery passphrase opens it with --vault-recover, if one was set.")
            }
            Self::KeyWrong { .. } => "Give the key this vault was made with. Nothing was changed.".into(),
            Self::Corrupt { .. } => "Restore the file from a backup, or remove the account and sign in again.".into(),
            Self::KeyRefused(_) => "Use a regular file of your own with mode 0600, outside the vault folder: (umask 077; head -c 32 /dev/urandom | base64 > FILE)".into(),
            Self::OtherStore { recorded, .. } => match recorded {
                StoreKind::Keychain => "Start without a vault key to use the keychain again, or use another --data-dir.".into(),
                StoreKind::Vault => "Give the vault's key with --vault-key-file FILE or KIRO_PROXY_VAULT_KEY, or use another --data-dir.".into(),
                StoreKind::Memory => "Use another --data-dir.".into(),
            },
            Self::NotAVault(_) => "`kiro-proxy vault migrate vault` moves everything into one.".into(),
            Self::AlreadyThere(_) => "Nothing needs to be done.".into(),
            Self::Failed(..) => "See the message; free space and access rights are the usual causes.".into(),
        }
    }

    /// The state of the store that this error shows.
    pub fn state(&self) -> StoreState {
        match self {
            Self::Locked(_) => StoreState::Locked,
            Self::Absent(..) | Self::NoStore(_) | Self::OtherStore { .. } => StoreState::Absent,
            Self::Denied(_) => StoreState::Denied,
            Self::TimedOut(_) => StoreState::TimedOut,
            Self::KeyMissing { .. } | Self::KeyRefused(_) => StoreState::KeyMissing,
            Self::KeyWrong { .. } => StoreState::KeyWrong,
            Self::Corrupt { .. } => StoreState::Corrupt,
            // One failed call says nothing about the next.
            Self::Failed(..) | Self::NotAVault(_) | Self::AlreadyThere(_) => StoreState::Ready,
        }
    }
}
