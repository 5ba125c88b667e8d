//! The commit protocol, fault by fault: whatever fails or ends in between, the login is there afterwards, or the reason is.

use super::*;
use crate::account::token::cell::{Cell, Pace};
use crate::account::{Account, NewAccount};
use crate::clock::Timestamp;
use crate::data_dir::{remove_synced, write_synced};

fn unanswered() -> IdentityError {
    IdentityError::Unanswered("the connection broke".into())
}

#[tokio::test]
async fn the_intent_is_open_exactly_while_the_token_is_in_the_air() {
    let house = house().await;
    let intents = &house.tokens.parts.intents;
    let hold = house.identity.gate.acquire().await.expect("open");
    let call = house.tokens.access(&house.account);
    let look = async {
        while house.calls() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(intents.pending(&house.account.id).is_some(), "on disk before anything is sent");
        drop(hold);
    };
    let (answer, ()) = tokio::join!(call, look);
    answer.expect("a token");
    house.settle().await;
    assert_eq!(intents.pending(&house.account.id), None);
}

#[tokio::test]
async fn a_kill_before_the_token_was_sent_costs_nothing() {
    let house = house().await;
    let token = SecretString::from("refresh-1");
    house.tokens.parts.intents.begin(&house.account.id, &token, house.clock.now()).await.expect("saved");
    let house = house.killed();
    house.tokens.access(&house.account).await.expect("the old token is tried once and is good");
    house.settle().await;
    assert_eq!((house.stored(), house.calls()), (house.good(), 1));
    assert_eq!(house.tokens.cut_short(), CutShort { refreshes: 1, logins_lost: 0 });
}

#[tokio::test]
async fn a_kill_after_the_new_token_was_saved_costs_nothing_and_counts_nothing() {
    let house = house().await;
    house.tokens.access(&house.account).await.expect("a token");
    house.settle().await;
    // The intent was never closed: the kill came between saving and closing.
    let old = SecretString::from("refresh-1");
    house.tokens.parts.intents.begin(&house.account.id, &old, house.clock.now()).await.expect("saved");
    let house = house.killed();
    house.tokens.access(&house.account).await.expect("a token");
    house.settle().await;
    assert_eq!(house.stored(), house.good());
    assert_eq!(house.tokens.cut_short(), CutShort::default());
}

#[tokio::test]
async fn a_kill_inside_the_unavoidable_window_keeps_the_account_and_says_why_it_needs_a_sign_in() {
    let house = house().await;
    let token = SecretString::from("refresh-1");
    house.tokens.parts.intents.begin(&house.account.id, &token, Timestamp(0)).await.expect("saved");
    // The service has committed; its answer never came.
    house.identity.set_good("refresh-2");
    let house = house.killed();
    let error = house.tokens.access(&house.account).await.expect_err("gone");
    let TokenError::NeedsLogin(reason) = error else { panic!("{error}") };
    assert!(reason.contains("invalid_grant") && reason.contains("1970-01-01T00:00:00Z"), "{reason}");
    house.settle().await;
    let kept = house.roster.get(&house.account.id).expect("the account is still there");
    assert_eq!(kept.label, "one");
    assert_eq!(house.stored(), "refresh-1", "nothing is thrown away");
    assert_eq!(house.tokens.cut_short(), CutShort { refreshes: 1, logins_lost: 1 });
    assert_eq!(house.calls(), 1, "tried once");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_arrives_leaves_the_intent_open_until_the_next_try_decides() {
    let house = house().await;
    house.identity.troubles.lock().expect("lock").push_back(Trouble::Before(unanswered()));
    house.tokens.access(&house.account).await.expect_err("no answer");
    house.settle().await;
    assert!(house.tokens.parts.intents.pending(&house.account.id).is_some());
    assert_eq!(house.leases.state(&house.account), AccountState::READY, "nothing is known about the grant");
    tokio::time::advance(Duration::from_secs(120)).await;
    house.tokens.access(&house.account).await.expect("it was not exchanged");

    house.identity.troubles.lock().expect("lock").push_back(Trouble::After(unanswered()));
    house.tokens.force(&house.account).await.expect_err("no answer");
    tokio::time::advance(Duration::from_secs(120)).await;
    let error = house.tokens.force(&house.account).await.expect_err("it was exchanged");
    assert!(
        matches!(&error, TokenError::NeedsLogin(reason) if reason.contains("before its answer was safe")),
        "{error}"
    );
    assert_eq!(house.tokens.cut_short(), CutShort { refreshes: 2, logins_lost: 1 });
}

#[tokio::test]
async fn a_disk_that_takes_nothing_stops_no_request_and_risks_no_token_that_is_still_good() {
    let house = house().await;
    let old = house.tokens.access(&house.account).await.expect("a token");
    house.settle().await;
    // A file where the folder was: every write in it fails, for root as well.
    let folder = house.dir.file("refresh");
    std::fs::remove_dir_all(&folder).expect("removed");
    write_synced(&folder, b"").expect("in the way");
    let error = house.tokens.force(&house.account).await.expect_err("nothing is traded");
    assert!(matches!(error, TokenError::Transient { .. }), "{error}");
    assert_eq!((house.calls(), house.stored()), (1, house.good()));
    assert_eq!(house.tokens.access(&house.account).await.expect("the old one").expose(), old.expose());
    // Once the old one has expired there is nothing left to protect, and requests matter more.
    house.clock.advance(Duration::from_secs(3600));
    house.tokens.cell(&house.account.id).end_pause();
    house.tokens.access(&house.account).await.expect("a token");
    assert_eq!(house.stored(), house.good());
    remove_synced(&folder).expect("gone");
}

#[tokio::test]
async fn a_new_sign_in_is_neither_overwritten_nor_ended_by_a_refresh_of_the_login_before() {
    for refused in [false, true] {
        let house = house().await;
        let book = house.book();
        let hold = house.identity.gate.acquire().await.expect("open");
        let old = house.tokens.access(&house.account);
        let again = async {
            while house.calls() == 0 {
                tokio::task::yield_now().await;
            }
            let mut account = Account::clone(&house.account);
            account.user_id = Some("u".into());
            let secrets = Secrets { refresh_token: Some(SecretString::from("second-1")), ..Secrets::default() };
            house.identity.set_good("second-1");
            if refused {
                house.identity.set_good("refresh-9");
            }
            let known = house.roster.update(&account.id, |account| account.user_id = Some("u".into())).expect("saved");
            account = Account::clone(&known.expect("there"));
            account.origin = crate::account::AccountOrigin::SignedIn;
            book.add(NewAccount { account, secrets, access: None, warnings: Vec::new() }).await.expect("added");
            drop(hold);
        };
        let (answer, ()) = tokio::join!(old, again);
        answer.expect("who waited for the old login goes on, with the new one where that ended");
        house.settle().await;
        assert_eq!(house.stored(), house.identity.good("second"));
        assert_eq!(house.leases.state(&house.account), AccountState::READY);
        house.tokens.access(&house.account).await.expect("the new login works");
        assert_eq!(house.stored(), house.identity.good("second"));
    }
}

#[tokio::test]
async fn a_refusal_in_the_wrong_region_is_not_taken_for_a_dead_login() {
    let house = house().await;
    let account = Account {
        method: AuthMethod::Idc,
        oidc_region: Some("us-east-1".into()),
        profile_arn: Some("arn:aws:codewhisperer:eu-central-1:111122223333:profile/P".into()),
        ..test_account("idc")
    };
    *house.identity.region.lock().expect("lock") = Some("eu-central-1".into());
    let account = house.add(account, "idc-1").await;
    house.tokens.access(&account).await.expect("found in the region of its profile");
    let known = house.roster.get(&account.id).expect("there");
    assert_eq!(known.oidc_region.as_deref(), Some("eu-central-1"), "and remembered");
    house.tokens.force(&known).await.expect("asked there at once");
    assert_eq!(house.calls(), 3);
}

#[tokio::test]
async fn a_lost_race_is_not_taken_for_a_dead_login() {
    let house = house().await;
    let hold = house.identity.gate.acquire().await.expect("open");
    let call = house.tokens.access(&house.account);
    let race = async {
        while house.calls() == 0 {
            tokio::task::yield_now().await;
        }
        house.identity.set_good("refresh-7");
        let newer = Secrets { refresh_token: Some(SecretString::from("refresh-7")), ..Secrets::default() };
        house.credentials.save(&SecretId::account(&house.account.id), &newer).await.expect("saved");
        drop(hold);
    };
    let (answer, ()) = tokio::join!(call, race);
    answer.expect("the newer token is used");
    assert_eq!((house.stored(), house.calls()), (house.good(), 2));
}

#[tokio::test]
async fn a_caller_that_goes_away_at_any_await_point_loses_nothing() {
    for polls in 0..12 {
        let house = house().await;
        {
            let call = house.tokens.access(&house.account);
            tokio::pin!(call);
            for _ in 0..polls {
                // One poll, then everybody else for a moment.
                if futures_util::poll!(&mut call).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        house.settle().await;
        assert_eq!(house.stored(), house.good(), "after {polls} polls");
        house.tokens.access(&house.account).await.expect("a token");
        assert_eq!(house.calls(), 1, "after {polls} polls");
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_who_asks_for_a_refresh_does_not_wait_for_a_pause() {
    let house = house().await;
    let trouble = IdentityError::transient("no connection");
    house.identity.troubles.lock().expect("lock").push_back(Trouble::Before(trouble));
    house.tokens.access(&house.account).await.expect_err("trouble");
    house.tokens.access(&house.account).await.expect_err("pausing");
    assert_eq!(house.calls(), 1);
    let both = join_all([house.tokens.force(&house.account), house.tokens.force(&house.account)]).await;
    assert!(both.iter().all(Result::is_ok), "{both:?}");
    assert_eq!(house.calls(), 2, "asked together, bought once");
}

#[tokio::test]
async fn a_generation_that_never_worked_gives_way_to_the_one_before_it() {
    let house = house().await;
    // What was saved last is not what the service takes; the generation before it is.
    let broken = Secrets { refresh_token: Some(SecretString::from("refresh-garbled")), ..Secrets::default() };
    house.credentials.save(&SecretId::account(&house.account.id), &broken).await.expect("saved");
    house.tokens.access(&house.account).await.expect("the previous generation works");
    assert_eq!((house.stored(), house.calls()), (house.good(), 2));
}

#[tokio::test]
async fn the_generation_before_is_kept_until_the_new_one_has_worked() {
    let house = house().await;
    let id = SecretId::account(&house.account.id);
    let token = house.tokens.access(&house.account).await.expect("a token");
    house.settle().await;
    assert!(house.credentials.load_previous(&id).await.expect("loads").is_some(), "not proven yet");
    let stale = token.clone();
    house.tokens.accepted(&house.account.id, &token);
    house.settle().await;
    assert!(house.credentials.load_previous(&id).await.expect("loads").is_none(), "it worked");
    house.tokens.force(&house.account).await.expect("a token");
    house.tokens.accepted(&house.account.id, &stale);
    house.settle().await;
    assert!(house.credentials.load_previous(&id).await.expect("loads").is_some(), "an older token proves nothing");
}

#[tokio::test]
async fn a_token_that_the_store_would_not_take_survives_a_kill_in_the_second_place() {
    let house = house().await;
    house.store.refusals.store(1, Ordering::SeqCst);
    house.tokens.access(&house.account).await.expect("used from memory");
    assert_eq!(house.tokens.unsaved(), std::slice::from_ref(&house.account.id));
    assert_eq!(house.stored(), "refresh-1", "the store has the old one");
    let house = house.killed();
    house.tokens.access(&house.account).await.expect("from the second place");
    house.settle().await;
    assert_eq!((house.stored(), house.calls()), (house.good(), 2));
    let aside = house.credentials.load_aside(&SecretId::account(&house.account.id)).await.expect("loads");
    assert!(aside.is_none(), "where it belongs by now");
}

#[test]
fn an_older_token_proves_nothing_about_secrets_that_were_saved_after_it_came() {
    let cell = Cell::default();
    let now = Timestamp(1_000);
    let put = |text: &str| cell.put(SecretString::from(text), Some(Duration::from_secs(3600)), Pace::Ahead, now);
    let old = put("old");
    assert!(cell.take_proof(old.generation), "what was there at the start");
    // The next generation is in the store, and its access token is not published yet.
    cell.want_proof();
    assert!(!cell.would_prove(old.generation) && !cell.take_proof(old.generation));
    let new = put("new");
    assert!(!cell.take_proof(old.generation));
    assert!(cell.take_proof(new.generation));
    assert!(!cell.would_prove(new.generation), "once is enough");
    cell.return_proof(new.generation);
    assert!(cell.would_prove(new.generation), "it could not be used, so the next one is");
}

#[tokio::test(start_paused = true)]
async fn a_hiccup_of_the_first_refresh_does_not_hide_that_the_region_is_wrong() {
    let house = house().await;
    let account = Account {
        method: AuthMethod::Idc,
        oidc_region: Some("us-east-1".into()),
        profile_arn: Some("arn:aws:codewhisperer:eu-central-1:111122223333:profile/P".into()),
        ..test_account("idc")
    };
    *house.identity.region.lock().expect("lock") = Some("eu-central-1".into());
    let account = house.add(account, "idc-1").await;
    for _ in 0..2 {
        let busy = IdentityError::transient("503");
        house.identity.troubles.lock().expect("lock").push_back(Trouble::Before(busy));
        house.tokens.force(&account).await.expect_err("it passes");
        house.settle().await;
    }
    house.tokens.force(&account).await.expect("found in the region of its profile");
    let known = house.roster.get(&account.id).expect("there");
    assert_eq!(known.oidc_region.as_deref(), Some("eu-central-1"));
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_asks_to_be_left_alone_is_left_alone_that_long() {
    let house = house().await;
    let busy = IdentityError::Transient { message: "429".into(), retry_after: Some(Duration::from_secs(300)) };
    house.identity.troubles.lock().expect("lock").push_back(Trouble::Before(busy));
    house.tokens.access(&house.account).await.expect_err("busy");
    house.settle().await;
    for seconds in [60, 239] {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        house.tokens.access(&house.account).await.expect_err("still left alone");
        assert_eq!(house.calls(), 1);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    house.tokens.access(&house.account).await.expect("asked again");
    assert_eq!(house.calls(), 2);
}
