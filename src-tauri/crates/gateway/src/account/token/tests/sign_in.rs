//! A new sign-in in the place of a login that is in use.
#![allow(clippy::disallowed_methods, reason = "a test plants a folder where a file should be")]

use std::path::PathBuf;

use super::house::{House, house};
use super::*;
use crate::account::{Account, AccountOrigin, Added, NewAccount};

/// What a person who signs in again brings; the house's account is recognised by its user id.
fn again(house: &House) -> NewAccount {
    let known = house.roster.update(&house.account.id, |account| account.user_id = Some("u".into())).expect("saved");
    let account = Account { origin: AccountOrigin::SignedIn, ..Account::clone(&known.expect("there")) };
    let secrets = Secrets { refresh_token: Some(SecretString::from("second-1")), ..Secrets::default() };
    house.identity.set_good("second-1");
    NewAccount { account, secrets, access: None, warnings: Vec::new() }
}

/// Puts a folder in the place of the list, so that nothing can be saved there.
fn block_list(house: &House) -> PathBuf {
    let list = house.dir.file("accounts.json");
    std::fs::remove_file(&list).expect("removes");
    std::fs::create_dir(&list).expect("a folder");
    list
}

#[tokio::test]
async fn a_rotation_under_way_is_not_lost_when_a_new_sign_in_cannot_be_listed() {
    let house = house().await;
    let new = again(&house);
    let hold = house.identity.gate.acquire().await.expect("open");
    let refresh = house.tokens.access(&house.account);
    let sign_in = async {
        while house.calls() == 0 {
            tokio::task::yield_now().await;
        }
        let list = block_list(&house);
        house.book().add(new).await.expect_err("the list cannot be saved");
        drop(hold);
        list
    };
    let (bought, list) = tokio::join!(refresh, sign_in);
    bought.expect("the old login goes on");
    house.settle().await;
    std::fs::remove_dir(&list).expect("removes");
    assert_eq!(house.stored(), house.good(), "what the refresh brought is in the store");
    house.tokens.force(&house.account).await.expect("and is traded for the next");
    assert_eq!(house.stored(), house.good());
}

#[tokio::test]
async fn what_only_memory_has_is_not_lost_when_a_new_sign_in_cannot_be_listed() {
    let house = house().await;
    let new = again(&house);
    // Nothing of it is in the store, and a second place is not asked while this runs.
    house
        .tokens
        .cell(&house.account.id)
        .set_unsaved(Some(Secrets { refresh_token: Some(SecretString::from("refresh-2")), ..Secrets::default() }));
    house.identity.set_good("refresh-2");
    let list = block_list(&house);
    house.book().add(new).await.expect_err("the list cannot be saved");
    std::fs::remove_dir(&list).expect("removes");
    house.tokens.force(&house.account).await.expect("the old login goes on");
    assert_eq!(house.stored(), house.good());
}

#[tokio::test]
async fn a_person_who_leaves_while_a_new_sign_in_is_saved_costs_no_login() {
    for polls in 0..24 {
        let house = house().await.with_store_apart();
        let book = house.book();
        let new = again(&house);
        {
            let adding = book.add(new);
            tokio::pin!(adding);
            for _ in 0..polls {
                if futures_util::poll!(&mut adding).is_ready() {
                    break;
                }
                // Threads that save go on meanwhile.
                tokio::task::spawn_blocking(|| ()).await.expect("runs");
            }
        }
        house.settle().await;
        // Whatever was kept of it: the next refreshes go on with the login that is in the store.
        for _ in 0..2 {
            house.tokens.force(&house.account).await.expect("refreshed");
            let stored = house.stored();
            assert!([house.good(), house.identity.good("second")].contains(&stored), "{stored} after {polls} polls");
        }
    }
}

#[tokio::test]
async fn a_refresh_that_waits_for_the_lock_while_a_new_sign_in_comes_goes_on_with_the_new_login() {
    let house = house().await;
    let new = again(&house);
    let elsewhere = purchase::hold(&house.tokens.parts, &house.account.id).await.expect("free");
    let refresh = house.tokens.access(&house.account);
    tokio::pin!(refresh);
    assert!(futures_util::poll!(&mut refresh).is_pending());
    let added = house.book().add(new).await.expect("signed in");
    assert!(matches!(added, Added::New(_)));
    drop(elsewhere);
    refresh.await.expect("a token of the new login");
    house.settle().await;
    assert_eq!(house.stored(), house.identity.good("second"), "nothing was traded that is not kept");
    assert_eq!(house.good(), "refresh-1", "the old one is left alone");
}

#[tokio::test]
async fn what_the_service_says_of_the_old_access_token_says_nothing_about_the_new_login() {
    let house = house().await;
    let old = house.tokens.access(&house.account).await.expect("a token");
    let mut new = again(&house);
    new.access = Some((SecretString::from("second-access"), house.clock.now().plus(Duration::from_secs(3600))));
    house.book().add(new).await.expect("signed in");

    house.tokens.accepted(&house.account.id, &old);
    house.settle().await;
    let record = SecretId::account(&house.account.id);
    assert!(
        house.credentials.load_previous(&record).await.expect("loads").is_some(),
        "the new login has not worked yet"
    );
    let token = house.tokens.refresh_rejected(&house.account, &old).await.expect("the new one");
    assert_eq!((token.expose(), house.calls()), ("second-access", 1), "which nobody has refused");
}
