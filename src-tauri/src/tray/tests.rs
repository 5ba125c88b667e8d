use super::*;
use kiro_gateway::clock::Timestamp;
use kiro_gateway::settings::Language;
use kiro_gateway::{AccountCounts, Problem, ProblemCode, StoreName, StoreStatus};
use serde_json::json;

fn english() -> Words {
    Words::choose(Language::English, None)
}

fn status(state: ListenerState) -> Status {
    let running = state == ListenerState::Running;
    Status {
        version: "0.0.0".to_owned(),
        state,
        addresses: if running { vec!["http://127.0.0.1:8080".to_owned()] } else { Vec::new() },
        port: 8080,
        started_at: Timestamp(0),
        data_dir: String::new(),
        in_flight: 0,
        accounts: AccountCounts { total: 1, usable: 1, demo: 0 },
        store: StoreStatus { kind: StoreName::Keychain, state: StoreCondition::Ready },
        problem: None,
        refreshes: Default::default(),
        simulated: false,
    }
}

fn shown(status: &Status) -> Menu {
    menu(View::Open { status, at_login: false, accounts: &Accounts::default() }, &english())
}

fn two_accounts() -> Accounts {
    let accounts = json!({ "accounts": [
        { "id": "a", "label": "Alice", "state": { "kind": "ready" }, "quota": {
            "fetchedAt": 0, "ageSeconds": 600, "limit": 50.0, "left": 20.0, "resetsAt": 86_400_000 } },
        { "id": "b", "label": "Bob", "state": { "kind": "suspended", "reason": "" } },
    ], "only": "a" });
    serde_json::from_value(accounts).unwrap()
}

fn enabled(menu: &Menu) -> Vec<TrayAction> {
    menu.items.iter().filter(|item| item.enabled).map(|item| item.action).collect()
}

#[test]
fn every_action_is_found_again_by_its_id() {
    for action in TrayAction::ALL {
        assert_eq!(Click::parse(action.id()), Some(Click::Do(action)));
    }
    assert_eq!(Click::parse("headline"), None);
    assert_eq!(Click::parse("use:a"), Some(Click::Use(Choice::Account("a".to_owned()))));
    assert_eq!(Click::parse(ATTENTION), Some(Click::Do(TrayAction::Open)));
}

#[test]
fn the_icon_follows_the_state() {
    let icon = |change: &dyn Fn(&mut Status)| {
        let mut status = status(ListenerState::Running);
        change(&mut status);
        shown(&status).icon
    };
    assert_eq!(icon(&|_| ()), Icon::Ready);
    assert_eq!(icon(&|status| status.state = ListenerState::Stopped), Icon::Off);
    assert_eq!(icon(&|status| status.state = ListenerState::Failed), Icon::Attention);
    assert_eq!(icon(&|status| status.in_flight = 2), Icon::Busy);
    assert_eq!(icon(&|status| status.accounts.usable = 0), Icon::Attention);
    assert_eq!(icon(&|status| status.store.state = StoreCondition::Locked), Icon::Attention);
    assert_eq!(icon(&|status| status.problem = Some(Problem::new(ProblemCode::NoAccount, ""))), Icon::Attention);
}

#[test]
fn only_what_makes_sense_can_be_clicked() {
    use TrayAction::{AtLogin, CopyAddress, Open, Quit, Start, Stop};
    assert_eq!(enabled(&shown(&status(ListenerState::Running))), [Open, Stop, CopyAddress, AtLogin, Quit]);
    assert_eq!(enabled(&shown(&status(ListenerState::Stopped))), [Open, Start, AtLogin, Quit]);
    assert_eq!(enabled(&shown(&status(ListenerState::Failed))), [Open, Start, AtLogin, Quit]);
    assert_eq!(enabled(&shown(&status(ListenerState::Stopping))), [Open, AtLogin, Quit]);
    assert_eq!(enabled(&menu(View::Opening, &english())), [Open, Quit]);
    assert_eq!(enabled(&menu(View::Failed, &english())), [Open, Quit]);
}

#[test]
fn an_account_that_waits_for_a_person_is_told_and_shown() {
    let status = status(ListenerState::Running);
    let accounts = two_accounts();
    let menu = menu(View::Open { status: &status, at_login: false, accounts: &accounts }, &english());
    assert_eq!(menu.icon, Icon::Attention);
    assert_eq!(menu.attention.as_deref(), Some("▲ 1 account needs attention"));
    let chosen: Vec<&str> =
        menu.accounts.choices.iter().filter(|item| item.chosen).map(|item| item.text.as_str()).collect();
    assert_eq!(chosen, ["● Alice: 20 of 50 left (10 min ago)"]);
    assert_eq!(menu.tooltip.lines().count(), 4);
    assert!(menu.accounts.enabled && enabled(&menu).contains(&TrayAction::RefreshQuota));
    let empty = shown(&status);
    assert_eq!((empty.attention, empty.accounts.enabled), (None, false));
}

#[test]
fn the_headline_tells_the_state_and_the_address() {
    let mut running = status(ListenerState::Running);
    assert!(shown(&running).headline.contains("127.0.0.1:8080"));
    running.in_flight = 3;
    assert!(shown(&running).headline.contains('3'));
    assert!(!shown(&status(ListenerState::Stopped)).headline.contains("127.0.0.1"));
}

#[test]
fn simulated_answers_are_labelled() {
    let mut status = status(ListenerState::Running);
    let without = shown(&status).headline;
    status.simulated = true;
    assert!(shown(&status).headline.starts_with(&without));
    assert_ne!(shown(&status).headline, without);
}

#[test]
fn only_start_at_login_has_a_check_mark() {
    let status = status(ListenerState::Running);
    for at_login in [true, false] {
        for item in menu(View::Open { status: &status, at_login, accounts: &Accounts::default() }, &english()).items {
            assert_eq!(item.checked, (item.action == TrayAction::AtLogin).then_some(at_login));
        }
    }
}

#[test]
fn every_word_of_the_tray_is_in_both_catalogues() {
    let states = [
        ListenerState::Stopped,
        ListenerState::Starting,
        ListenerState::Running,
        ListenerState::Stopping,
        ListenerState::Failed,
    ];
    for language in [Language::English, Language::SimplifiedChinese] {
        let words = Words::choose(language, None);
        for in_flight in [0, 3] {
            for state in states {
                let status = Status { in_flight, simulated: true, ..status(state) };
                let view = View::Open { status: &status, at_login: false, accounts: &two_accounts() };
                let menu = menu(view, &words);
                let choices = menu.accounts.choices.iter().map(|item| &item.text).chain(&menu.accounts.more);
                let own = [&menu.headline, &menu.tooltip, &menu.accounts.title];
                let items = menu.items.iter().map(|item| &item.text);
                for text in items.chain(own).chain(choices).chain(&menu.attention) {
                    assert!(!text.contains("tray."), "{text} has no words in {language:?}");
                    assert!(!text.contains('{'), "{text} keeps a placeholder in {language:?}");
                }
            }
        }
    }
}
