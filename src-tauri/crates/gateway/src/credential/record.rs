//! The bytes of a record: compact JSON with a version, the same in every store.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Secrets;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Plain {
    v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proxy_credentials: Option<String>,
}

/// Serialises a record. The buffer is wiped when dropped.
pub(super) fn encode(secrets: &Secrets) -> Zeroizing<Vec<u8>> {
    let text = |secret: &Option<SecretString>| secret.as_ref().map(|s| s.expose_secret().to_owned());
    let plain = Plain {
        v: VERSION,
        refresh_token: text(&secrets.refresh_token),
        client_secret: text(&secrets.client_secret),
        api_key: text(&secrets.api_key),
        client_key: text(&secrets.client_key),
        data_key: text(&secrets.data_key),
        proxy_credentials: text(&secrets.proxy_credentials),
    };
    Zeroizing::new(serde_json::to_vec(&plain).expect("a struct of strings always serialises"))
}

/// Reads a record; the error says what is wrong without repeating the bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<Secrets, String> {
    let mut plain: Plain = serde_json::from_slice(bytes).map_err(|_| "not a record of this program".to_owned())?;
    if plain.v != VERSION {
        return Err(format!("written by a newer program (record version {})", plain.v));
    }
    Ok(Secrets {
        refresh_token: plain.refresh_token.take().map(SecretString::from),
        client_secret: plain.client_secret.take().map(SecretString::from),
        api_key: plain.api_key.take().map(SecretString::from),
        client_key: plain.client_key.take().map(SecretString::from),
        data_key: plain.data_key.take().map(SecretString::from),
        proxy_credentials: plain.proxy_credentials.take().map(SecretString::from),
    })
}
