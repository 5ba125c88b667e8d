//! What the tray shows for a state, as plain values, and what a click on it means. [`tauri`] draws it.

pub(crate) mod accounts;
pub(crate) mod tauri;

use crate::words::Words;
use accounts::{Accounts, Choice, ChoiceItem};
use kiro_gateway::{ListenerState, Status, StoreCondition};

/// The four icons. They differ in shape and colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Icon {
    /// Clients cannot connect.
    Off,
    /// Clients can connect.
    Ready,
    /// A request is being answered.
    Busy,
    /// A person has to do something.
    Attention,
}

/// What a person can do in the tray.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum TrayAction {
    Open,
    Start,
    Stop,
    CopyAddress,
    AtLogin,
    /// Asks how much every account has left.
    RefreshQuota,
    Quit,
}

/// What was clicked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Click {
    /// One of the fixed items.
    Do(TrayAction),
    /// Who answers from now on.
    Use(Choice),
}

impl Click {
    /// The meaning of a menu item.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        match id {
            ATTENTION | MORE_ACCOUNTS => Some(Self::Do(TrayAction::Open)),
            id => TrayAction::parse(id).map(Self::Do).or_else(|| Choice::parse(id).map(Self::Use)),
        }
    }
}

/// The id of the line about accounts that wait for a person.
const ATTENTION: &str = "attention";
/// The id of the line for accounts that are not shown.
const MORE_ACCOUNTS: &str = "more-accounts";

impl TrayAction {
    /// In the order of the menu; the last but one is in the accounts' own menu.
    pub(crate) const ALL: [Self; 7] =
        [Self::Open, Self::Start, Self::Stop, Self::CopyAddress, Self::AtLogin, Self::RefreshQuota, Self::Quit];

    /// The id of its menu item.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::CopyAddress => "copy-address",
            Self::AtLogin => "start-at-login",
            Self::RefreshQuota => "refresh-quota",
            Self::Quit => "quit",
        }
    }

    /// The action of a menu item.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.id() == id)
    }
}

/// What there is to show.
#[derive(Debug, Clone, Copy)]
pub(crate) enum View<'a> {
    /// The gateway is being opened.
    Opening,
    /// The gateway is there.
    Open {
        status: &'a Status,
        /// The setting "start at login".
        at_login: bool,
        /// As they were told last.
        accounts: &'a Accounts,
    },
    /// The gateway cannot be opened.
    Failed,
}

/// The whole tray.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Menu {
    pub(crate) icon: Icon,
    /// The first line of the menu, which cannot be clicked.
    pub(crate) headline: String,
    /// At most five short lines, where there are tooltips.
    pub(crate) tooltip: String,
    /// The line about accounts that wait for a person; a click opens the window.
    pub(crate) attention: Option<String>,
    /// The accounts' own menu.
    pub(crate) accounts: AccountsMenu,
    /// One per action, in the order of [`TrayAction::ALL`]. All are always there: a menu that changes under the pointer
    /// makes people click the wrong thing.
    pub(crate) items: Vec<Item>,
}

/// The accounts' own menu: who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountsMenu {
    pub(crate) title: String,
    /// False while there is no account.
    pub(crate) enabled: bool,
    pub(crate) choices: Vec<ChoiceItem>,
    /// The line for those that are not shown.
    pub(crate) more: Option<String>,
}

/// One line that can be clicked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) action: TrayAction,
    pub(crate) text: String,
    pub(crate) enabled: bool,
    /// `None` for items without a check mark.
    pub(crate) checked: Option<bool>,
}

/// The tray for a view.
pub(crate) fn menu(view: View<'_>, words: &Words) -> Menu {
    let items = TrayAction::ALL.into_iter().map(|action| item(action, view, words)).collect();
    let none = Accounts::default();
    let accounts = accounts_of(view).unwrap_or(&none);
    let headline = headline(view, words);
    let attention = accounts.attention(words).map(|text| format!("▲ {text}"));
    Menu {
        icon: icon(view),
        tooltip: tooltip(view, &headline, accounts, words),
        headline,
        attention,
        accounts: AccountsMenu {
            title: words.tray("accounts"),
            enabled: !accounts.is_empty(),
            choices: accounts.choices(words),
            more: accounts.more(words),
        },
        items,
    }
}

fn accounts_of(view: View<'_>) -> Option<&Accounts> {
    match view {
        View::Open { accounts, .. } => Some(accounts),
        View::Opening | View::Failed => None,
    }
}

/// State and address, who answers, what is left, and what is wrong.
fn tooltip(view: View<'_>, headline: &str, accounts: &Accounts, words: &Words) -> String {
    let usable = match view {
        View::Open { status, .. } => status.accounts.usable,
        View::Opening | View::Failed => 0,
    };
    let mut lines = vec![headline.to_owned()];
    lines.extend(accounts.summary(usable, words));
    lines.extend(accounts.attention(words));
    lines.join("\n")
}

fn icon(view: View<'_>) -> Icon {
    match view {
        View::Opening => Icon::Off,
        View::Failed => Icon::Attention,
        View::Open { status, accounts, .. } => match status.state {
            ListenerState::Failed => Icon::Attention,
            ListenerState::Stopped | ListenerState::Starting => Icon::Off,
            ListenerState::Running if needs_attention(status) || accounts.needing_attention() > 0 => Icon::Attention,
            ListenerState::Running if status.in_flight > 0 => Icon::Busy,
            ListenerState::Running => Icon::Ready,
            ListenerState::Stopping => Icon::Busy,
        },
    }
}

fn needs_attention(status: &Status) -> bool {
    status.problem.is_some() || status.store.state != StoreCondition::Ready || status.accounts.usable == 0
}

fn headline(view: View<'_>, words: &Words) -> String {
    let status = match view {
        View::Opening => return words.tray("state.starting"),
        View::Failed => return words.tray("state.failed"),
        View::Open { status, .. } => status,
    };
    let address = address(status).unwrap_or_default();
    let text = match status.state {
        ListenerState::Failed => words.tray("state.failed"),
        ListenerState::Stopped => words.tray("state.stopped"),
        ListenerState::Starting => words.tray("state.starting"),
        ListenerState::Stopping => words.tray("state.stopping"),
        ListenerState::Running if status.in_flight > 0 => {
            words.tray_with("state.busy", &[("count", &status.in_flight.to_string()), ("address", address)])
        }
        ListenerState::Running => words.tray_with("state.running", &[("address", address)]),
    };
    if status.simulated { format!("{text} · {}", words.tray("simulated")) } else { text }
}

fn item(action: TrayAction, view: View<'_>, words: &Words) -> Item {
    let status = match view {
        View::Open { status, .. } => Some(status),
        View::Opening | View::Failed => None,
    };
    let state = status.map(|status| status.state);
    let (name, enabled, checked) = match action {
        TrayAction::Open => ("open", true, None),
        TrayAction::Start => ("start", matches!(state, Some(ListenerState::Stopped | ListenerState::Failed)), None),
        TrayAction::Stop => ("stop", matches!(state, Some(ListenerState::Running | ListenerState::Starting)), None),
        TrayAction::CopyAddress => ("copyAddress", status.and_then(address).is_some(), None),
        TrayAction::AtLogin => {
            let on = matches!(view, View::Open { at_login: true, .. });
            ("startAtLogin", status.is_some(), Some(on))
        }
        TrayAction::RefreshQuota => {
            ("accounts.refresh", accounts_of(view).is_some_and(|accounts| !accounts.is_empty()), None)
        }
        TrayAction::Quit => ("quit", true, None),
    };
    Item { action, text: words.tray(name), enabled, checked }
}

/// The address to copy: the first one clients can use.
pub(crate) fn address(status: &Status) -> Option<&str> {
    status.addresses.first().map(String::as_str)
}

#[cfg(test)]
mod tests;
