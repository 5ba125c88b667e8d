//! The login of one account handed over to another while it is being refreshed.
#![allow(clippy::disallowed_methods, reason = "a test plants a folder where a file should be")]

use secrecy::ExposeSecret as _;

use super::house::{House, house};
use super::*;
use crate::account::book::Book;

fn book(house: &House) -> Book {
    Book {
        roster: Arc::clone(&house.roster),
        leases: Arc::clone(&house.leases),
        tokens: Arc::clone(&house.tokens),
        credentials: house.credentials.clone(),
    }
}

async fn refresh_token_of(house: &House, id: &AccountId) -> Option<String> {
    let secrets = house.credentials.load(&SecretId::account(id)).await.expect("loads")?;
    secrets.refresh_token.map(|token| token.expose_secret().to_owned())
}

#[tokio::test]
async fn a_refresh_under_way_ends_first_and_its_tokens_are_the_ones_that_are_handed_over() {
    let house = house().await;
    let older = house.account.clone();
    let newer = house.add(test_account("two"), "newer-1").await;
    let book = book(&house);
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
    assert_eq!(refresh_token_of(&house, &newer.id).await, None);
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
        book(&house).merge(&newer.id, &older.id).await.expect("handed over");
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
    book(&house).merge(&newer.id, &older.id).await.expect("handed over");
    assert_eq!(refresh_token_of(&house, &older.id).await, Some(house.identity.good("newer")));
    house.settle().await;
    assert_eq!(house.tokens.unsaved(), [], "nothing is left to be saved for an account that is gone");
    assert_eq!(refresh_token_of(&house, &newer.id).await, None);
}

#[tokio::test]
async fn when_the_store_takes_nothing_both_accounts_stay_as_they_were() {
    let house = house().await;
    let older = house.account.clone();
    let newer = house.add(test_account("two"), "newer-1").await;
    house.store.refusals.store(1, Ordering::SeqCst);
    book(&house).merge(&newer.id, &older.id).await.expect_err("refused");
    assert_eq!(refresh_token_of(&house, &older.id).await.as_deref(), Some("refresh-1"));
    assert_eq!(refresh_token_of(&house, &newer.id).await.as_deref(), Some("newer-1"));
    for account in [&older, &newer] {
        house.tokens.force(account).await.expect("still works");
    }
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
    book(&house).merge(&newer.id, &older.id).await.expect_err("refused");
    assert_eq!(refresh_token_of(&house, &older.id).await.as_deref(), Some("refresh-1"), "not the newer one's");
    assert_eq!(refresh_token_of(&house, &newer.id).await.as_deref(), Some("newer-1"));
    assert_eq!(house.roster.list().len(), 2);
    std::fs::remove_dir(&list).expect("removes");
    for account in [&older, &newer] {
        house.tokens.force(account).await.expect("still works, each with its own");
    }
}
