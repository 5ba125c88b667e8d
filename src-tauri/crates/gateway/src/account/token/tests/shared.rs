//! A login shared with the Kiro IDE, whose real file format is in a folder of the test.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::house::House;
use super::*;
use crate::account::{Account, Link, LinkOwner, NewAccount};
use crate::clock::Timestamp;
use crate::data_dir::{read_file, write_synced};
use tokio_util::sync::CancellationToken;

const HOUR: Duration = Duration::from_secs(3600);

/// A house whose account shares its login with a file.
struct Shared {
    house: House,
    folder: tempfile::TempDir,
}

/// The owner has `refresh-1` with an access token that has ended.
async fn shared() -> Shared {
    let house = house().await;
    let folder = tempfile::tempdir().expect("temp dir");
    let shared = Shared { house, folder };
    shared.write("refresh-1", "old", Timestamp(0), "Google");
    shared.change(|account| {
        account.origin = crate::account::AccountOrigin::Linked;
        account.link = Some(Link::new(LinkOwner::KiroIde, shared.file().to_str().expect("text")));
    });
    shared
}

impl Shared {
    fn file(&self) -> PathBuf {
        self.folder.path().join("kiro-auth-token.json")
    }

    /// The owner writes its file.
    fn write(&self, refresh: &str, access: &str, ends: Timestamp, provider: &str) {
        let login = json!({
            "accessToken": access, "refreshToken": refresh, "expiresAt": ends.to_rfc3339(),
            "authMethod": "social", "provider": provider, "extra": {"of": "the owner"},
        });
        write_synced(&self.file(), login.to_string().as_bytes()).expect("written");
    }

    fn read(&self) -> Value {
        serde_json::from_slice(&read_file(&self.file()).expect("reads").expect("there")).expect("JSON")
    }

    fn change(&self, change: impl FnOnce(&mut Account)) {
        self.house.roster.update(&self.house.account.id, change).expect("saved");
    }

    fn account(&self) -> Arc<Account> {
        self.house.roster.get(&self.house.account.id).expect("there")
    }

    fn link(&self) -> Link {
        self.account().link.clone().expect("shared")
    }

    fn later(&self) -> Timestamp {
        self.house.clock.now().plus(HOUR)
    }

    async fn access(&self) -> Result<String, TokenError> {
        let token = self.house.tokens.access(&self.account()).await;
        self.house.settle().await;
        token.map(|token| token.expose().to_owned())
    }
}

#[tokio::test]
async fn newer_tokens_of_the_owner_are_adopted_and_nothing_is_traded() {
    let shared = shared().await;
    let mut news = shared.house.tokens.news();
    shared.house.identity.set_good("refresh-7");
    shared.write("refresh-7", "the-owners", shared.later(), "Google");
    assert_eq!(shared.access().await.expect("adopted"), "the-owners");
    assert_eq!((shared.house.calls(), shared.house.stored().as_str()), (0, "refresh-7"));
    assert_eq!(news.try_recv().expect("told"), TokenNews::Adopted(shared.account().id.clone()));
}

#[tokio::test]
async fn a_refused_access_token_is_replaced_by_the_owners_before_anything_is_traded() {
    let shared = shared().await;
    shared.write("refresh-1", "first", shared.later(), "Google");
    let first = shared.house.tokens.access(&shared.account()).await.expect("adopted");
    assert_eq!(first.expose(), "first");
    shared.house.identity.set_good("refresh-2");
    shared.write("refresh-2", "second", shared.later(), "Google");
    let second = shared.house.tokens.refresh_rejected(&shared.account(), &first).await.expect("adopted");
    assert_eq!((second.expose(), shared.house.calls()), ("second", 0));
    // When the owner has nothing newer than what was refused, its own token is of no use.
    let third = shared.house.tokens.refresh_rejected(&shared.account(), &second).await.expect("traded");
    assert_eq!((third.expose(), shared.house.calls()), ("access-1", 1));
}

#[tokio::test]
async fn without_writing_back_the_owners_file_stays_as_it_is_and_the_divergence_is_told() {
    let shared = shared().await;
    let before = shared.read();
    assert_eq!(shared.access().await.expect("traded"), "access-1");
    assert_eq!(shared.read(), before, "the owner's file is the owner's");
    assert_eq!(shared.link().diverged_at, Some(shared.house.clock.now()));
    // Ours is the newer one now, whatever the file says.
    shared.house.tokens.cell(&shared.account().id).drop_token();
    assert_eq!(shared.access().await.expect("traded"), "access-2");
    // The owner signs in again.
    shared.house.identity.set_good("refresh-20");
    shared.write("refresh-20", "after-sign-in", shared.later(), "Google");
    shared.house.tokens.cell(&shared.account().id).drop_token();
    assert_eq!(shared.access().await.expect("adopted"), "after-sign-in");
    assert_eq!(shared.link().diverged_at, None);
}

#[tokio::test]
async fn with_writing_back_the_owner_has_the_new_token_and_everything_else_of_its_file() {
    let shared = shared().await;
    shared.change(|account| account.link.as_mut().expect("shared").write_back = true);
    assert_eq!(shared.access().await.expect("traded"), "access-1");
    let file = shared.read();
    assert_eq!(file["refreshToken"], shared.house.good());
    assert_eq!(file["accessToken"], "access-1");
    assert_eq!(file["extra"], json!({"of": "the owner"}));
    assert_eq!(shared.link().diverged_at, None);
    // Our own write is no news.
    shared.house.tokens.look_at_owner(&shared.account()).await.expect("looked");
    assert_eq!((shared.house.calls(), shared.house.stored()), (1, shared.house.good()));
}

#[tokio::test]
async fn an_account_that_is_removed_while_it_refreshes_does_not_sign_its_owner_out() {
    let shared = shared().await;
    shared.change(|account| account.link.as_mut().expect("shared").write_back = true);
    let (house, account) = (&shared.house, shared.account());
    let held = house.identity.gate.acquire().await.expect("open");
    let meanwhile = async {
        while house.calls() == 0 {
            tokio::task::yield_now().await;
        }
        house.roster.remove(&account.id, Some(shared.later())).expect("saved");
        drop(held);
    };
    let (token, ()) = tokio::join!(house.tokens.access(&account), meanwhile);
    assert_eq!(token.expect("traded").expose(), "access-1");
    house.settle().await;
    assert_eq!(shared.read()["refreshToken"], house.good(), "the owner has what the service takes");
    // Taken back, it goes on with the same login.
    house.roster.take_back(&account.id).expect("saved").expect("in time");
    house.tokens.look_at_owner(&shared.account()).await.expect("looked");
    assert_eq!((house.calls(), house.stored()), (1, house.good()));
}

#[tokio::test]
async fn a_removal_that_becomes_final_while_the_account_refreshes_does_not_sign_its_owner_out() {
    let shared = shared().await;
    shared.change(|account| account.link.as_mut().expect("shared").write_back = true);
    let (house, account) = (&shared.house, shared.account());
    let held = house.identity.gate.acquire().await.expect("open");
    let meanwhile = async {
        while house.calls() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(house.book().remove(&account.id).await.expect("removed"), "its secrets are gone");
        drop(held);
    };
    let (token, ()) = tokio::join!(house.tokens.access(&account), meanwhile);
    token.expect("traded");
    house.settle().await;
    assert_eq!(shared.read()["refreshToken"], house.good(), "the owner has what the service takes");
    assert!(house.credentials.load(&SecretId::account(&account.id)).await.expect("loads").is_none());
}

#[tokio::test]
async fn a_sign_in_of_our_own_while_a_shared_login_refreshes_does_not_sign_its_owner_out() {
    let shared = shared().await;
    shared.change(|account| {
        account.user_id = Some("u".into());
        account.link.as_mut().expect("shared").write_back = true;
    });
    let (house, account) = (&shared.house, shared.account());
    let held = house.identity.gate.acquire().await.expect("open");
    let meanwhile = async {
        while house.calls() == 0 {
            tokio::task::yield_now().await;
        }
        let own = Account { origin: crate::account::AccountOrigin::SignedIn, link: None, ..Account::clone(&account) };
        let secrets = Secrets { refresh_token: Some(SecretString::from("second-1")), ..Secrets::default() };
        house.identity.set_good("second-1");
        let new = NewAccount { account: own, secrets, access: None, warnings: Vec::new() };
        house.book().add(new).await.expect("signed in");
        drop(held);
    };
    let (_old, ()) = tokio::join!(house.tokens.access(&account), meanwhile);
    house.settle().await;
    assert_eq!(shared.read()["refreshToken"], house.good(), "the owner has what the service takes");
    assert_eq!(house.stored(), "second-1");
}

#[tokio::test]
async fn what_a_crash_kept_from_the_owner_is_written_with_the_next_refresh() {
    let shared = shared().await;
    shared.access().await.expect("looked at once, so that the file is known");
    shared.change(|account| account.link.as_mut().expect("shared").write_back = true);
    // As after a kill between saving and writing back: ours is newer than the file.
    let Shared { house, folder } = shared;
    let shared = Shared { house: house.killed(), folder };
    assert_eq!(shared.read()["refreshToken"], "refresh-1");
    shared.access().await.expect("traded");
    assert_eq!(shared.read()["refreshToken"], shared.house.good());
    assert_eq!(shared.link().diverged_at, None);
}

#[tokio::test]
async fn another_login_in_the_owners_file_stops_the_account_until_a_person_decides() {
    for adopt in [true, false] {
        let shared = shared().await;
        shared.write("refresh-1", "first", shared.later(), "Google");
        shared.access().await.expect("adopted");
        shared.house.identity.set_good("other-1");
        shared.write("other-1", "somebody-else", shared.later(), "Github");
        shared.house.tokens.look_at_owner(&shared.account()).await.expect_err("stopped");
        let state = shared.house.leases.state(&shared.account());
        assert!(matches!(state, AccountState::OwnerSwitched { .. }), "{state:?}");
        assert_eq!(shared.link().switched_at, Some(shared.house.clock.now()));
        assert_eq!(
            (shared.house.calls(), shared.house.stored().as_str()),
            (0, "refresh-1"),
            "nothing was sent or taken"
        );

        let Shared { house, folder } = shared;
        let shared = Shared { house: house.killed(), folder };
        // Also after a restart, and also when the file changes once more.
        shared.write("refresh-1", "first", shared.later(), "Google");
        shared.house.tokens.look_at_owner(&shared.account()).await.expect("a person decides");
        assert!(matches!(shared.house.leases.state(&shared.account()), AccountState::OwnerSwitched { .. }));

        if adopt {
            shared.write("other-1", "somebody-else", shared.later(), "Github");
            let clock = shared.house.clock.clone();
            shared.house.book().adopt_owner(&shared.account().id, clock.as_ref()).await.expect("adopted");
            assert_eq!(shared.access().await.expect("the other login"), "somebody-else");
            assert_eq!(shared.house.stored(), "other-1");
            assert_eq!(
                (shared.account().provider, shared.link().switched_at),
                (Some(crate::account::Provider::Github), None)
            );
        } else {
            shared.house.book().keep_own(&shared.account().id).await.expect("kept");
            assert_eq!(shared.access().await.expect("our own copy"), "access-1");
            assert!(shared.account().link.is_none());
        }
        assert_eq!(shared.house.leases.state(&shared.account()), AccountState::READY);
    }
}

#[tokio::test(start_paused = true)]
async fn a_race_lost_to_an_owner_that_writes_late_ends_with_its_token() {
    let shared = shared().await;
    // The owner has traded the token and writes down what it got a second later.
    shared.house.identity.set_good("refresh-9");
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        shared.write("refresh-9", "the-owners", shared.later(), "Google");
    };
    let (token, ()) = tokio::join!(shared.access(), late);
    assert_eq!(token.expect("adopted"), "the-owners");
    assert_eq!(shared.house.leases.state(&shared.account()), AccountState::READY);
    assert_eq!(shared.house.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_by_the_owner_counts_within_two_seconds_and_ends_the_wait_for_a_sign_in() {
    let shared = shared().await;
    shared.house.identity.set_good("refresh-30");
    let error = shared.access().await.expect_err("nobody has a good token");
    assert!(matches!(error, TokenError::NeedsLogin(_)), "{error}");
    let stop = CancellationToken::new();
    shared.house.tracker.spawn(Arc::clone(&shared.house.tokens).watch_owners(stop.clone()));
    tokio::time::sleep(Duration::from_secs(3)).await;
    shared.write("refresh-30", "signed-in-again", shared.later(), "Google");
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.cancel();
    assert_eq!(shared.house.leases.state(&shared.account()), AccountState::READY);
    assert_eq!(shared.access().await.expect("adopted"), "signed-in-again");
}

#[tokio::test(start_paused = true)]
async fn an_owners_file_that_takes_long_holds_up_no_other() {
    let shared = shared().await;
    let other = shared.folder.path().join("other.json");
    let login = json!({
        "accessToken": "the-others", "refreshToken": "other-2", "expiresAt": shared.later().to_rfc3339(),
        "authMethod": "social", "provider": "Google",
    });
    let mut account = test_account("two");
    account.link = Some(Link::new(LinkOwner::KiroIde, other.to_str().expect("text")));
    let account = shared.house.add(account, "other-1").await;
    // Another program holds the lock of the first one's login, and does not let go.
    let _held = lock::take(lock::beside(&shared.file())).await.expect("free");
    let stop = CancellationToken::new();
    shared.house.tracker.spawn(Arc::clone(&shared.house.tokens).watch_owners(stop.clone()));
    tokio::time::sleep(Duration::from_secs(3)).await;
    write_synced(&other, login.to_string().as_bytes()).expect("written");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let token = shared.house.tokens.access(&account).await.expect("adopted meanwhile");
    stop.cancel();
    assert_eq!((token.expose(), shared.house.calls()), ("the-others", 0));
}

#[tokio::test]
async fn a_forced_refresh_does_not_log_the_owner_out() {
    let shared = shared().await;
    shared.write("refresh-1", "the-owners", shared.later(), "Google");
    for _ in 0..2 {
        let token = shared.house.tokens.force(&shared.account()).await.expect("a token");
        assert_eq!(token.expose(), "the-owners");
    }
    assert_eq!(shared.house.calls(), 0);
}

#[tokio::test]
async fn a_file_that_cannot_be_understood_stops_nothing_but_the_trade() {
    let shared = shared().await;
    write_synced(&shared.file(), b"{\"accessToken\": \"half").expect("written");
    let error = shared.access().await.expect_err("not without having seen the file");
    assert!(matches!(error, TokenError::Transient { .. }), "{error}");
    assert_eq!((shared.house.calls(), shared.house.stored().as_str()), (0, "refresh-1"));
    std::fs::remove_file(shared.file()).expect("gone");
    shared.house.tokens.cell(&shared.account().id).end_pause();
    assert_eq!(shared.access().await.expect("signed out there, still good here"), "access-1");
}
