//! The accounts in the tray: one line each, with a mark for the state and what is left of the quota.

mod line;

use crate::words::Words;
use line::{Account, cut};
use serde::Deserialize;

/// Longer menus than this do not fit on small screens.
const MAX_SHOWN: usize = 20;

/// What `GET /api/accounts` says, as far as the tray shows it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Accounts {
    accounts: Vec<Account>,
    /// The one account that answers everything; `None` when the gateway chooses.
    only: Option<String>,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Whichever account fits best.
    Automatic,
    /// This one only.
    Account(String),
}

impl Choice {
    /// The id of its menu item.
    pub(crate) fn id(&self) -> String {
        match self {
            Self::Automatic => "use:".to_owned(),
            Self::Account(id) => format!("use:{id}"),
        }
    }

    /// The choice of a menu item.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        match id.strip_prefix("use:")? {
            "" => Some(Self::Automatic),
            id => Some(Self::Account(id.to_owned())),
        }
    }
}

/// One choice in the menu; exactly one of them is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChoiceItem {
    pub(crate) choice: Choice,
    pub(crate) text: String,
    pub(crate) chosen: bool,
}

impl Accounts {
    /// Whether there is any.
    pub(crate) fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// The ids of all accounts that are used.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.accounts.iter().filter(|account| account.state.kind != "disabled").map(|account| account.id.as_str())
    }

    /// How many wait for a person.
    pub(crate) fn needing_attention(&self) -> usize {
        self.accounts.iter().filter(|account| account.needs_attention()).count()
    }

    /// Automatic first, then the accounts in their own order; the chosen one is always among them.
    pub(crate) fn choices(&self, words: &Words) -> Vec<ChoiceItem> {
        let chosen = self.chosen();
        let automatic =
            ChoiceItem { choice: Choice::Automatic, text: words.tray("accounts.automatic"), chosen: chosen.is_none() };
        let is_chosen = |account: &Account| chosen.is_some_and(|chosen| chosen.id == account.id);
        let shown = self.accounts.iter().enumerate();
        let shown = shown.filter(|(index, account)| *index < MAX_SHOWN || is_chosen(account));
        let accounts = shown.map(|(_, account)| ChoiceItem {
            choice: Choice::Account(account.id.clone()),
            text: account.line(words),
            chosen: is_chosen(account),
        });
        std::iter::once(automatic).chain(accounts).collect()
    }

    /// The line for those that are not shown.
    pub(crate) fn more(&self, words: &Words) -> Option<String> {
        let hidden = self.accounts.len().saturating_sub(MAX_SHOWN);
        (hidden > 0).then(|| words.tray_with("accounts.more", &[("count", &hidden.to_string())]))
    }

    /// "2 accounts need attention", when that is so.
    pub(crate) fn attention(&self, words: &Words) -> Option<String> {
        match self.needing_attention() {
            0 => None,
            1 => Some(words.tray("attention.one")),
            count => Some(words.tray_with("attention.many", &[("count", &count.to_string())])),
        }
    }

    /// For the tooltip: who answers, and what is left.
    pub(crate) fn summary(&self, usable: usize, words: &Words) -> Vec<String> {
        let single = match self.accounts.as_slice() {
            [single] => Some(single),
            [] => return Vec::new(),
            [..] => self.chosen(),
        };
        let Some(account) = single else {
            let (usable, total) = (usable.to_string(), self.accounts.len().to_string());
            return vec![words.tray_with("accounts.usable", &[("usable", &usable), ("total", &total)])];
        };
        let plan = account.quota.as_ref().and_then(|quota| quota.plan.as_deref());
        let name = cut(&account.label);
        let who = plan.map_or_else(|| name.clone(), |plan| format!("{name} ({plan})"));
        let left = account.quota.as_ref().map(|quota| {
            let left = quota.left(words);
            quota.resets(words).map_or_else(|| left.clone(), |resets| format!("{left} · {resets}"))
        });
        std::iter::once(who).chain(left).collect()
    }

    fn chosen(&self) -> Option<&Account> {
        let only = self.only.as_deref()?;
        self.accounts.iter().find(|account| account.id == only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiro_gateway::settings::Language;
    use serde_json::{Value, json};

    fn english() -> Words {
        Words::choose(Language::English, None)
    }

    fn account(id: &str, state: &str) -> Value {
        json!({ "id": id, "label": id.to_uppercase(), "state": { "kind": state } })
    }

    fn with_quota(id: &str, state: &str, left: f64, age: u64) -> Value {
        let mut account = account(id, state);
        account["quota"] = json!({
            "fetchedAt": 1_000_000, "ageSeconds": age, "plan": "Pro", "used": 0, "limit": 1_000.0, "left": left,
            "resetsAt": 1_000_000 + 9 * 86_400_000i64 + 5_000_000, "parts": [],
        });
        account
    }

    fn accounts(list: &[Value], only: Option<&str>) -> Accounts {
        serde_json::from_value(json!({ "accounts": list, "only": only })).unwrap()
    }

    fn texts(accounts: &Accounts) -> Vec<String> {
        accounts.choices(&english()).into_iter().map(|item| item.text).collect()
    }

    #[test]
    fn each_account_has_a_mark_for_its_state_and_what_is_left() {
        let list = [
            with_quota("alice", "ready", 612.0, 120),
            account("bob", "needsLogin"),
            with_quota("c", "coolingDown", 1_234.56, 5),
        ];
        assert_eq!(
            texts(&accounts(&list, None)),
            [
                "Automatic",
                "● ALICE: 612 of 1,000 left (2 min ago)",
                "▲ BOB: Sign in again",
                "◐ C: Pausing · 1,234.6 of 1,000 left (now)"
            ]
        );
    }

    #[test]
    fn exactly_one_line_is_chosen() {
        let list = [account("a", "ready"), account("b", "ready")];
        let chosen = |only: Option<&str>| -> Vec<bool> {
            accounts(&list, only).choices(&english()).iter().map(|item| item.chosen).collect()
        };
        assert_eq!(chosen(None), [true, false, false]);
        assert_eq!(chosen(Some("b")), [false, false, true]);
        assert_eq!(chosen(Some("gone")), [true, false, false]);
    }

    #[test]
    fn a_long_list_is_cut_but_never_loses_the_chosen_account() {
        let list: Vec<Value> = (0..30).map(|n| account(&format!("a{n}"), "ready")).collect();
        let accounts = accounts(&list, Some("a27"));
        let choices = accounts.choices(&english());
        assert_eq!(choices.len(), 1 + MAX_SHOWN + 1);
        assert_eq!(choices.iter().filter(|item| item.chosen).count(), 1);
        assert_eq!(accounts.more(&english()).as_deref(), Some("10 more…"));
    }

    #[test]
    fn attention_counts_what_only_a_person_can_mend() {
        let states =
            ["ready", "probing", "coolingDown", "exhausted", "disabled", "needsLogin", "suspended", "a-later-one"];
        let list: Vec<Value> = states.iter().map(|state| account(state, state)).collect();
        let accounts = accounts(&list, None);
        assert_eq!(accounts.needing_attention(), 3);
        assert_eq!(accounts.attention(&english()).as_deref(), Some("3 accounts need attention"));
        assert_eq!(self::accounts(&list[..5], None).attention(&english()), None);
        assert!(texts(&accounts).last().unwrap().ends_with("Needs attention"));
    }

    #[test]
    fn attention_follows_the_table_that_the_window_follows_too() {
        let table = include_str!("../../../tests/fixtures/faces/attention.json");
        let table: std::collections::BTreeMap<String, bool> = serde_json::from_str(table).unwrap();
        assert!(table.len() > 8);
        for (state, waits) in table {
            let one = accounts(&[account("a", &state)], None);
            assert_eq!(one.needing_attention() == 1, waits, "{state}");
        }
    }

    #[test]
    fn the_tooltip_tells_who_answers_and_what_is_left() {
        let list = [with_quota("alice", "ready", 612.0, 60), account("bob", "ready")];
        assert_eq!(accounts(&list, None).summary(1, &english()), ["1 of 2 accounts can answer"]);
        let alice = ["ALICE (Pro)", "612 of 1,000 left · resets in 9 d"];
        assert_eq!(accounts(&list, Some("alice")).summary(1, &english()), alice);
        assert_eq!(accounts(&list[..1], None).summary(1, &english()), alice);
        assert_eq!(accounts(&[], None).summary(0, &english()), Vec::<String>::new());
    }

    #[test]
    fn choices_are_found_again_by_the_id_of_their_item() {
        for choice in [Choice::Automatic, Choice::Account("a-1".to_owned())] {
            assert_eq!(Choice::parse(&choice.id()), Some(choice));
        }
        assert_eq!(Choice::parse("open"), None);
    }
}
