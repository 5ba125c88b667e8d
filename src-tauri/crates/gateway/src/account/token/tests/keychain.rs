//! A refresh whose save into a keychain is cut off at every write, and the process with it: the login works afterwards or is
//! reported as one that ended in the window, and is never half of both.

use super::house::{House, house};
use super::*;
use crate::credential::{FakeKeychain, KeychainStore};

impl House {
    /// The same house whose secrets are in this keychain, after its process was killed.
    fn over(self, keychain: &FakeKeychain) -> Self {
        let credentials = Credentials::new(Arc::new(KeychainStore::new(keychain.clone())));
        self.with(credentials).killed()
    }

    async fn kept(&self) -> String {
        let secrets = self.credentials.load(&SecretId::account(&self.account.id)).await.expect("readable");
        let token = secrets.expect("there").refresh_token.expect("a token");
        token.expose_secret().to_owned()
    }
}

#[tokio::test]
async fn a_kill_at_any_write_into_a_keychain_costs_nothing_or_is_told_as_the_window() {
    let mut seen = [0_usize; 2];
    for (writes, late) in (0..10).flat_map(|writes| [(writes, false), (writes, true)]) {
        let when = format!("cut after {writes} writes, the last one {}", if late { "done" } else { "not done" });
        let keychain = FakeKeychain::default();
        let house = house().await.over(&keychain);
        // Longer than one item takes on every platform, so that the record has parts.
        let id = SecretId::account(&house.account.id);
        let client_secret = Some(SecretString::from("s".repeat(6_000)));
        for token in ["refresh-0", "refresh-1"] {
            let refresh_token = Some(SecretString::from(token));
            let secrets = Secrets { refresh_token, client_secret: client_secret.clone(), ..Secrets::default() };
            house.credentials.save(&id, &secrets).await.expect("saves");
        }
        keychain.power.cut_after(writes, late);
        house.tokens.access(&house.account).await.expect("used from memory whatever the keychain does");
        let house = house.over(&keychain.copy());
        let (kept, good) = (house.kept().await, house.good());
        assert!(kept == good || kept == "refresh-1", "{when}: {kept}");
        let lost = house.tokens.cut_short().logins_lost;
        match house.tokens.access(&house.account).await {
            Ok(_) => {
                assert_eq!(kept, good, "{when}");
                seen[0] += 1;
            }
            Err(TokenError::NeedsLogin(reason)) => {
                assert_ne!(kept, good, "{when}");
                assert!(reason.contains("before its answer was safe"), "{when}: {reason}");
                assert_eq!(house.tokens.cut_short().logins_lost, lost + 1, "{when}");
                seen[1] += 1;
            }
            Err(other) => panic!("{when}: {other}"),
        }
        assert!(house.roster.get(&house.account.id).is_some(), "{when}: the account stays");
    }
    assert!(seen.iter().all(|times| *times > 0), "both sides of the commit were cut: {seen:?}");
}
