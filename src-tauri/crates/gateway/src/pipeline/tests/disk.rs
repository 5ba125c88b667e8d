//! A disk that hangs: what has to be saved waits for it, requests do not.

use super::*;
use crate::account::StoppedKind;
use std::sync::mpsc;

const SUSPENDED: &str = r#"{"message":"Your User ID temporarily is suspended.","reason":"TEMPORARILY_SUSPENDED"}"#;
/// Only for a program that waits for the disk: it would wait for ever.
const GIVE_UP: Duration = Duration::from_secs(30);

/// Somebody is writing the list of accounts, and the disk does not answer until this is dropped.
struct Hanging {
    _release: mpsc::Sender<()>,
}

fn hang(roster: &Arc<Roster>) -> Hanging {
    let (release, held) = mpsc::channel();
    let (begun, begins) = mpsc::channel();
    let (roster, id) = (Arc::clone(roster), roster.list()[0].id.clone());
    std::thread::spawn(move || {
        let waiting = |_: &mut crate::account::Account| {
            begun.send(()).expect("the test waits");
            let _: Result<(), _> = held.recv_timeout(GIVE_UP);
        };
        roster.update(&id, waiting).expect("saved in the end");
    });
    begins.recv().expect("it hangs");
    Hanging { _release: release }
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_cannot_be_saved_yet_holds_at_once_and_keeps_no_request_waiting() {
    let disk = DiskLine::start();
    let scenes = vec![Scene::Refuse(403, SUSPENDED, None), answer("from the other"), answer("and again")];
    let house = House::built(&["a", "b"], scenes, Arc::new(Renewing), disk.clone());
    for account in house.roster.list().iter() {
        // As of an account that was just added: its first answer teaches which host it is.
        house.roster.update(&account.id, |account| account.learned_host = None).expect("saved");
    }
    let hanging = hang(&house.roster);
    for said_first in ["from the other", "and again"] {
        let (events, end) = all(&mut house.begin().await).await;
        assert_eq!((said(&events).as_str(), end), (said_first, Ok(())));
    }
    assert!(matches!(house.state(0), AccountState::Suspended { .. }));
    assert_eq!(house.upstream.seen().len(), 3, "the suspended one is not asked again");
    assert_eq!(house.roster.list()[0].stopped, None, "the disk has not answered yet");
    drop(hanging);
    disk.caught_up().await;
    let saved = house.roster.list()[0].stopped.clone().expect("saved in its turn");
    assert_eq!(saved.kind, StoppedKind::Suspended);
    assert!(house.roster.list()[1].learned_host.is_some(), "and so is what was learned");
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_ended_before_it_could_be_saved_is_never_saved() {
    let disk = DiskLine::start();
    let house = House::built(&["a", "b"], Vec::new(), Arc::new(Renewing), disk.clone());
    let id = house.roster.list()[0].id.clone();
    let hanging = hang(&house.roster);
    house.leases.signal_soon(&id, Signal::GrantRejected { reason: "gone".into() });
    house.leases.signal_soon(&id, Signal::LoggedIn);
    drop(hanging);
    disk.caught_up().await;
    assert_eq!((house.state(0), house.roster.list()[0].stopped.clone()), (AccountState::READY, None));
}
