//! The keychain of this operating system, through `keyring-core` and the platform's own store.
//!
//! `keyring` is the front of the same crates; it keeps its first failure for the life of the process, so that a keychain
//! which appears or is unlocked later would stay "missing". Here a failed connection is tried again at the next call.

use std::sync::{Arc, Mutex, PoisonError};

use keyring_core::{CredentialStore as PlatformStore, Entry, Error};
use zeroize::Zeroizing;

use super::super::{StoreError, StoreKind};
use super::KeychainBackend;

/// Under this name a person finds our items in the keychain's own window.
const SERVICE: &str = "Kiro Proxy";

/// The system's keychain; connects at the first call.
#[derive(Debug, Default)]
pub struct SystemKeychain(Mutex<Option<Arc<PlatformStore>>>);

impl SystemKeychain {
    fn entry(&self, name: &str) -> Result<Entry, StoreError> {
        let mut connected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let store = match connected.as_ref() {
            Some(store) => Arc::clone(store),
            None => {
                let store = connect().map_err(|error| match error {
                    Error::NoStorageAccess(_) => translate(&error),
                    // Without a session bus or a service the connection itself fails.
                    other => StoreError::Absent(StoreKind::Keychain, words(&other)),
                })?;
                *connected = Some(Arc::clone(&store));
                store
            }
        };
        Entry::new_in_store(&store, SERVICE, name).map_err(|error| translate(&error))
    }

    /// After a failure of the platform the connection is made anew: the service may have been restarted.
    fn failed(&self, error: &Error) -> StoreError {
        if let Error::PlatformFailure(_) = error {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        translate(error)
    }
}

impl KeychainBackend for SystemKeychain {
    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        match self.entry(name)?.get_secret() {
            Ok(value) => Ok(Some(Zeroizing::new(value))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn set(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.entry(name)?.set_secret(value).map_err(|error| self.failed(&error))
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        match self.entry(name)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }
}

#[cfg(target_os = "linux")]
fn connect() -> keyring_core::Result<Arc<PlatformStore>> {
    let store: Arc<PlatformStore> = zbus_secret_service_keyring_store::Store::new()?;
    Ok(store)
}

#[cfg(target_os = "macos")]
fn connect() -> keyring_core::Result<Arc<PlatformStore>> {
    let store: Arc<PlatformStore> = apple_native_keyring_store::keychain::Store::new()?;
    Ok(store)
}

#[cfg(windows)]
fn connect() -> keyring_core::Result<Arc<PlatformStore>> {
    let store: Arc<PlatformStore> = windows_native_keyring_store::Store::new()?;
    Ok(store)
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn connect() -> keyring_core::Result<Arc<PlatformStore>> {
    Err(Error::NotSupportedByStore("this system has no keychain that Kiro Proxy knows".into()))
}

/// Error values may carry the item's bytes, so only the platform's own words are repeated.
fn words(error: &Error) -> String {
    match error {
        Error::PlatformFailure(inner) | Error::NoStorageAccess(inner) => inner.to_string(),
        Error::BadEncoding(_) | Error::BadDataFormat(..) => "an item is not in the expected form".into(),
        other => other.to_string(),
    }
}

fn translate(error: &Error) -> StoreError {
    let words = words(error);
    let lower = words.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|word| lower.contains(word));
    match error {
        // A dismissed prompt is a person's no (Secret Service); -128 and -25293 are the same on macOS.
        Error::NoStorageAccess(_) if says(&["prompt", "dismiss", "cancel", "denied", "-128", "-25293"]) => {
            StoreError::Denied(StoreKind::Keychain)
        }
        // No logon session of a person, as for a Windows service.
        Error::NoStorageAccess(_) if says(&["logon session"]) => StoreError::Absent(StoreKind::Keychain, words),
        Error::NoStorageAccess(_) => StoreError::Locked(StoreKind::Keychain),
        Error::PlatformFailure(_) if says(&["islocked", "is locked", "object locked"]) => {
            StoreError::Locked(StoreKind::Keychain)
        }
        Error::PlatformFailure(_)
            if says(&[
                "serviceunknown",
                "no secret service",
                "not provided",
                "no such file",
                "connection refused",
                "autolaunch",
            ]) =>
        {
            StoreError::Absent(StoreKind::Keychain, words)
        }
        Error::PlatformFailure(_) if says(&["accessdenied", "access denied", "permission denied"]) => {
            StoreError::Denied(StoreKind::Keychain)
        }
        Error::PlatformFailure(_) if says(&["noreply", "timed out", "timeout"]) => {
            StoreError::TimedOut(StoreKind::Keychain)
        }
        Error::NoDefaultStore | Error::NotSupportedByStore(_) => StoreError::Absent(StoreKind::Keychain, words),
        Error::BadEncoding(_) | Error::BadDataFormat(..) | Error::BadStoreFormat(_) => {
            StoreError::Corrupt { kind: StoreKind::Keychain, detail: words }
        }
        _ => StoreError::Failed(StoreKind::Keychain, words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Error {
        Error::PlatformFailure(text.to_owned().into())
    }

    #[test]
    fn the_four_states_of_a_keychain_are_told_apart() {
        let access = |text: &str| Error::NoStorageAccess(text.to_owned().into());
        let code = |error: &Error| translate(error).code();
        assert_eq!(code(&access("SS error: result not returned from SS API")), "store_locked");
        assert_eq!(code(&access("SS error: prompt dismissed")), "store_denied");
        assert_eq!(
            code(&platform("org.freedesktop.DBus.Error.ServiceUnknown: The name was not provided")),
            "store_absent"
        );
        assert_eq!(code(&platform("org.freedesktop.DBus.Error.NoReply: Did not receive a reply")), "store_timed_out");
        assert_eq!(code(&platform("org.freedesktop.Secret.Error.IsLocked")), "store_locked");
        assert_eq!(code(&platform("something else")), "store_failed");
    }

    #[test]
    fn the_bytes_of_an_unreadable_item_are_not_repeated() {
        let error = Error::BadEncoding(b"planted-secret".to_vec());
        assert!(!translate(&error).to_string().contains("planted"));
    }
}
