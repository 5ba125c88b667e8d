use std::sync::atomic::Ordering;

use futures_util::future::join_all;

use super::*;
use crate::account::{AccountState, test_account};
use crate::credential::{CredentialStore, SecretId, Secrets};
use crate::upstream::identity::IdentityError;
use house::{Trouble, house};

mod hand_over;
pub(super) mod house;
mod keychain;
mod safety;
mod shared;
mod sign_in;

#[tokio::test]
async fn a_thousand_callers_share_one_refresh() {
    let house = house().await;
    let hold = house.identity.gate.acquire().await.expect("open");
    let callers = join_all((0..1_000).map(|_| house.tokens.access(&house.account)));
    let release = async {
        // The refresh is under way before it may be answered.
        while house.calls() == 0 {
            tokio::task::yield_now().await;
        }
        drop(hold);
    };
    let (answers, ()) = tokio::join!(callers, release);
    for answer in answers {
        assert_eq!(answer.expect("a token").expose(), "access-1");
    }
    assert_eq!(house.calls(), 1);
}

#[tokio::test]
async fn the_rotated_token_is_saved_before_the_access_token_is_seen() {
    let house = house().await;
    house.tokens.access(&house.account).await.expect("a token");
    assert_eq!(house.stored(), "refresh-2");
    assert_eq!(house.stored(), house.good());
    let arn = house.roster.get(&house.account.id).expect("there").profile_arn.clone();
    assert_eq!(arn.as_deref(), Some("arn:aws:codewhisperer:us-east-1:111122223333:profile/P"));
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_take_the_rotated_token_with_it() {
    let house = house().await;
    let hold = house.identity.gate.acquire().await.expect("open");
    {
        let call = house.tokens.access(&house.account);
        tokio::pin!(call);
        tokio::select! {
            biased;
            _ = &mut call => panic!("held back"),
            () = async { while house.calls() == 0 { tokio::task::yield_now().await } } => {}
        }
    }
    drop(hold);
    house.settle().await;
    assert_eq!(house.stored(), house.good());
    assert_eq!(house.tokens.access(&house.account).await.expect("a token").expose(), "access-1");
    assert_eq!(house.calls(), 1);
}

#[tokio::test]
async fn a_token_that_is_due_is_used_while_the_next_one_is_bought() {
    let house = house().await;
    house.tokens.access(&house.account).await.expect("a token");
    house.clock.advance(Duration::from_secs(3600 * 9 / 10));
    assert_eq!(house.tokens.access(&house.account).await.expect("old").expose(), "access-1");
    while house.calls() < 2 || house.tokens.access(&house.account).await.expect("token").expose() == "access-1" {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn trouble_on_the_way_keeps_the_old_token_until_it_expires() {
    let house = house().await;
    house.tokens.access(&house.account).await.expect("a token");
    let trouble = || Trouble::Before(IdentityError::transient("no connection"));
    house.identity.troubles.lock().expect("lock").extend([trouble(), trouble()]);
    house.clock.advance(Duration::from_secs(3300));
    assert_eq!(house.tokens.access(&house.account).await.expect("old").expose(), "access-1");
    while house.calls() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(house.tokens.access(&house.account).await.expect("still old").expose(), "access-1");
    house.clock.advance(Duration::from_secs(300));
    let error = house.tokens.access(&house.account).await.expect_err("expired now");
    assert!(matches!(error, TokenError::Transient { .. }), "{error}");
    assert_eq!(house.leases.state(&house.account), AccountState::READY);
    // The endpoint is not asked again at once, and then it is.
    let before = house.calls();
    house.tokens.access(&house.account).await.expect_err("pausing");
    assert_eq!(house.calls(), before);
    tokio::time::advance(Duration::from_secs(120)).await;
    house.identity.troubles.lock().expect("lock").clear();
    house.tokens.access(&house.account).await.expect("a token");
}

#[tokio::test]
async fn a_rejected_grant_asks_for_a_new_sign_in_and_says_so_in_the_roster() {
    let house = house().await;
    house.identity.set_good("refresh-another");
    let error = house.tokens.access(&house.account).await.expect_err("rejected");
    assert!(matches!(error, TokenError::NeedsLogin(_)), "{error}");
    assert!(matches!(house.leases.state(&house.account), AccountState::NeedsLogin { .. }));
    assert!(house.roster.get(&house.account.id).expect("there").stopped.is_some());
}

#[tokio::test]
async fn many_refused_requests_force_one_refresh_together() {
    let house = house().await;
    let old = house.tokens.access(&house.account).await.expect("a token");
    let forced = join_all((0..100).map(|_| house.tokens.refresh_rejected(&house.account, &old))).await;
    for token in forced {
        assert_eq!(token.expect("a token").expose(), "access-2");
    }
    // A straggler with the old token takes the new one and forces nothing.
    let late = house.tokens.refresh_rejected(&house.account, &old).await.expect("a token");
    assert_eq!((late.expose(), house.calls()), ("access-2", 2));
}

#[tokio::test(start_paused = true)]
async fn a_rotated_token_that_cannot_be_saved_is_used_kept_and_saved_later() {
    let house = house().await;
    house.store.refusals.store(2, Ordering::SeqCst);
    let token = house.tokens.access(&house.account).await.expect("used from memory");
    assert_eq!(house.stored(), "refresh-1");
    assert_eq!(house.tokens.unsaved(), std::slice::from_ref(&house.account.id));
    // The next refresh uses the token in memory, not the dead one in the store.
    house.tokens.refresh_rejected(&house.account, &token).await.expect("the chain goes on");
    house.settle().await;
    assert_eq!(house.tokens.unsaved(), []);
    assert_eq!(house.stored(), house.good());
}

#[tokio::test]
async fn another_account_is_not_held_up() {
    let house = house().await;
    let other = house.add(test_account("two"), "other-1").await;
    house.tokens.seed(&other.id, SecretString::from("seeded"), house.clock.now().plus(Duration::from_secs(600)));
    let _hold = house.identity.gate.acquire().await.expect("open");
    let stuck = house.tokens.access(&house.account);
    tokio::pin!(stuck);
    tokio::select! {
        biased;
        _ = &mut stuck => panic!("held back"),
        token = house.tokens.access(&other) => assert_eq!(token.expect("at once").expose(), "seeded"),
    }
}

#[tokio::test]
async fn an_api_key_is_the_bearer_itself_and_is_never_refreshed() {
    let house = house().await;
    let mut account = test_account("key");
    account.method = AuthMethod::ApiKey;
    let account = house.roster.add(account).expect("adds");
    let secrets = Secrets { api_key: Some(SecretString::from("ksk_x")), ..Secrets::default() };
    house.store.save(&SecretId::account(&account.id), &secrets).expect("saves");
    let token = house.tokens.access(&account).await.expect("the key");
    assert_eq!((token.expose(), token.expires_at()), ("ksk_x", None));
    house.tokens.refresh_rejected(&account, &token).await.expect_err("nothing to refresh");
    assert_eq!(house.calls(), 0);
}

#[tokio::test]
async fn a_key_that_was_replaced_while_a_request_was_under_way_does_not_end_the_new_one() {
    let house = house().await;
    let of_key = |key: &str, label: &str| {
        let account = Account { method: AuthMethod::ApiKey, ..test_account(label) };
        let secrets = Secrets { api_key: Some(SecretString::from(key)), ..Secrets::default() };
        house.store.save(&SecretId::account(&account.id), &secrets).expect("saves");
        house.roster.add(account).expect("adds")
    };
    let (account, newer) = (of_key("ksk_old", "one key"), of_key("ksk_new", "another"));
    let old = house.tokens.access(&account).await.expect("the key");
    house.book().merge(&newer.id, &account.id).await.expect("handed over");
    let token = house.tokens.refresh_rejected(&account, &old).await.expect("the key that it has now");
    assert_eq!(token.expose(), "ksk_new");
    house.tokens.refresh_rejected(&account, &token).await.expect_err("this one is refused itself");
}

#[tokio::test]
async fn a_token_never_appears_in_debug_output() {
    let house = house().await;
    let token = house.tokens.access(&house.account).await.expect("a token");
    assert!(!format!("{token:?} {:?}", house.tokens).contains("access-1"));
}
