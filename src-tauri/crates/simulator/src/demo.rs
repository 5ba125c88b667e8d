//! The demo account: a fixed social account whose credentials a face can import with one action.
//!
//! Its refresh token never rotates, because a face keeps the credentials while every start of the program starts a
//! fresh stand-in: a rotated token would be unknown there. The service may leave out the new refresh token as well.

use serde_json::{Value, json};

use crate::account::{AccountSeed, Family, SOCIAL_ARN};

/// Name of the demo account.
pub const ACCOUNT_ID: &str = "demo";

/// The demo account, to be put into [`crate::Config::accounts`].
pub fn account() -> AccountSeed {
    let mut seed = AccountSeed::new(ACCOUNT_ID, Family::Social);
    seed.rotates = false;
    seed.plan = "KIRO DEMO (simulated)".to_owned();
    seed
}

/// The demo account's credentials in the shape of the Kiro IDE's token file (kiro-upstream §6.1).
/// The access token is given as expired, so that the first use goes through a refresh.
pub fn credentials() -> Value {
    let seed = account();
    json!({
        "accessToken": seed.access_token,
        "refreshToken": seed.refresh_token,
        "profileArn": SOCIAL_ARN,
        "expiresAt": "2026-01-01T00:00:00.000Z",
        "authMethod": "social",
        "provider": "Google",
    })
}
