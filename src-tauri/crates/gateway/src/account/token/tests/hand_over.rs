//! The login of one account handed over to another while it is being refreshed.
#![allow(clippy::disallowed_methods, reason = "a test plants a folder where a file should be")]

use secrecy::ExposeSecret as _;

use super::house::{House, house};
use super::*;
use crate::account::{Account, AccountOrigin, NewAccount};

async fn refresh_token_of(house: &House, id: &AccountId) -> Option<String> {
    token_in(house, &house.roster.secret_id(id)).await
}

async fn token_in(house: &House, record: &SecretId) -> Option<String> {
    let secrets = house.credentials.load(record).await.expect("loads")?;
    secrets.refresh_token.map(|token| token.expose_secret().to_owned())
}

#[tokio::test]
async fn a_refresh_under_way_ends_first_and_its_tokens_are_the_ones_that_are_handed_over() {
    let house = house().await;
    let older = house.account.clone();
    let newer = house.add(test_account("two"), "newer-1").await;
    let book = house.book();
    let hold = house.identity.gate.acquire().await.expect("open");
    let refresh = house.tokens.access(&newer);
    let merge = async {
        while house.calls() == 0 {
            tokio::task::yield_now().await;
        }
        let merge = book.merge(&newer.id, &older.id);
        tokio::pin!(merge);
        tokio::select! {
            biased;
            _ = &mut merge => panic!("the refresh is still under way"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(refresh_token_of(&house, &older.id).await.as_deref(), Some("refresh-1"), "nothing is moved yet");
        drop(hold);
        merge.await.expect("handed over");
    };
    let (bought, ()) = tokio::join!(refresh, merge);
    assert_eq!(bought.expect("a token").expose(), "access-1");

    assert_eq!(refresh_token_of(&house, &older.id).await, Some(house.identity.good("newer")), "the one that is good");
    assert_eq!(token_in(&house, &SecretId::account(&older.id)).await, None, "what the older one had is gone");
    assert_eq!(house.roster.list().len(), 1);
    let older = house.roster.get(&older.id).expect("stays");
    assert_eq!(house.tokens.access(&older).await.expect("a token").expose(), "access-1", "and its good access token");
    assert_eq!(house.calls(), 1, "nothing had to be bought for it");
    house.tokens.force(&older).await.expect("the chain goes on under the older one");
}

#[tokio::test]
async fn a_refresh_of_the_older_login_under_way_neither_overwrites_the_new_one_nor_stops_the_account() {
    let house = house().await;
    let older = house.account.clone();
    let newer = house.add(test_account("two"), "newer-1").await;
    let hold = house.identity.gate.acquire().await.expect("open");
    let refresh = house.tokens.access(&older);
    let merge = async {
        while house.calls() == 0 {
            tokio::task::yield_now().await;
        }
        house.book().merge(&newer.id, &older.id).await.expect("handed over");
        drop(hold);
    };
    let (_old, ()) = tokio::join!(refresh, merge);
    house.settle().await;
    assert_eq!(refresh_token_of(&house, &older.id).await.as_deref(), Some("newer-1"));
    assert_eq!(house.leases.state(&house.roster.get(&older.id).expect("stays")), AccountState::READY);
    house.tokens.force(&older).await.expect("the new login works");
    assert_eq!(refresh_token_of(&house, &older.id).await, Some(house.identity.good("newer")));
}

#[tokio::test]
async fn a_token_that_only_memory_has_is_handed_over_too() {
    let house = house().await;
    let older = house.account.clone();
    let newer = house.add(test_account("two"), "newer-1").await;
    house.store.refusals.store(1, Ordering::SeqCst);
    house.tokens.access(&newer).await.expect("used from memory");
    assert_eq!(house.tokens.unsaved(), std::slice::from_ref(&newer.id));
    house.book().merge(&newer.id, &older.id).await.expect("handed over");
    assert_eq!(refresh_token_of(&house, &older.id).await, Some(house.identity.good("newer")));
    house.settle().await;
    assert_eq!(house.tokens.unsaved(), [], "nothing is left to be saved for an account that is gone");
}

#[tokio::test]
async fn when_the_store_takes_nothing_a_token_that_only_memory_has_stays_where_it_is() {
    let house = house().await;
    let older = house.account.clone();
    let newer = house.add(test_account("two"), "newer-1").await;
    house.store.refusals.store(2, Ordering::SeqCst);
    house.tokens.access(&newer).await.expect("used from memory");
    house.book().merge(&newer.id, &older.id).await.expect_err("refused");
    assert_eq!(house.tokens.unsaved(), std::slice::from_ref(&newer.id));
    assert_eq!(refresh_token_of(&house, &older.id).await.as_deref(), Some("refresh-1"));
    for account in [&older, &newer] {
        house.tokens.force(account).await.expect("still works");
    }
    assert_eq!(refresh_token_of(&house, &newer.id).await, Some(house.identity.good("newer")));
}

#[tokio::test]
async fn a_login_is_handed_over_without_being_moved_in_the_store() {
    let house = house().await;
    let older = house.account.clone();
    let newer = house.add(test_account("two"), "newer-1").await;
    house.store.refusals.store(1, Ordering::SeqCst);
    house.book().merge(&newer.id, &older.id).await.expect("nothing has to be saved for it");
    house.store.refusals.store(0, Ordering::SeqCst);
    let house = house.killed();
    house.tokens.force(&house.account).await.expect("found there also after a restart");
    assert_eq!(refresh_token_of(&house, &older.id).await, Some(house.identity.good("newer")));
}

#[tokio::test]
async fn nothing_is_left_in_the_store_of_an_account_that_took_logins_over() {
    let house = house().await;
    let older = house.account.clone();
    let mut records = vec![SecretId::account(&older.id)];
    for name in ["second", "third"] {
        let newer = house.add(test_account(name), &format!("{name}-1")).await;
        records.push(SecretId::account(&newer.id));
        house.book().merge(&newer.id, &older.id).await.expect("handed over");
        assert_eq!(refresh_token_of(&house, &older.id).await, Some(house.identity.good(name)));
        house.tokens.force(&house.roster.get(&older.id).expect("stays")).await.expect("refreshed");
        assert_eq!(refresh_token_of(&house, &older.id).await, Some(house.identity.good(name)));
    }
    let known = house.roster.get(&older.id).expect("stays");
    let again = NewAccount {
        account: Account { origin: AccountOrigin::SignedIn, user_id: Some("u".into()), ..Account::clone(&known) },
        secrets: Secrets { refresh_token: Some(SecretString::from("fourth-1")), ..Secrets::default() },
        access: None,
        warnings: Vec::new(),
    };
    house.roster.update(&older.id, |account| account.user_id = Some("u".into())).expect("saved");
    house.identity.set_good("fourth-1");
    house.book().add(again).await.expect("signed in in place");
    assert_eq!(refresh_token_of(&house, &older.id).await.as_deref(), Some("fourth-1"));
    assert!(house.book().remove(&older.id).await.expect("removed"));
    for record in records {
        assert_eq!(token_in(&house, &record).await, None, "{record}");
    }
    assert!(house.roster.leaving().is_empty());
}

#[tokio::test]
async fn two_sign_ins_that_are_each_others_become_one_account() {
    let house = house().await;
    let (one, two) = (house.account.clone(), house.add(test_account("two"), "newer-1").await);
    let book = house.book();
    let both = futures_util::future::join(book.merge(&one.id, &two.id), book.merge(&two.id, &one.id));
    let (first, second) = tokio::time::timeout(Duration::from_secs(60), both).await.expect("neither waits for ever");
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    let list = house.roster.list();
    assert_eq!(list.len(), 1);
    house.tokens.force(&list[0]).await.expect("and its login works");
}

#[tokio::test]
async fn when_the_list_cannot_be_saved_both_accounts_stay_as_they_were() {
    let house = house().await;
    let older = house.account.clone();
    let newer = house.add(test_account("two"), "newer-1").await;
    // A folder in the place of the file: nothing can be saved there.
    let list = house.dir.file("accounts.json");
    std::fs::remove_file(&list).expect("removes");
    std::fs::create_dir(&list).expect("a folder");
    house.book().merge(&newer.id, &older.id).await.expect_err("refused");
    assert_eq!(refresh_token_of(&house, &older.id).await.as_deref(), Some("refresh-1"), "not the newer one's");
    assert_eq!(refresh_token_of(&house, &newer.id).await.as_deref(), Some("newer-1"));
    assert_eq!(house.roster.list().len(), 2);
    std::fs::remove_dir(&list).expect("removes");
    for account in [&older, &newer] {
        house.tokens.force(account).await.expect("still works, each with its own");
    }
}
