//! Accounts: list, and add the demo account. What comes in from elsewhere is in `transfer`; removing is in `removals`.

use super::links::LinkView;
use super::removals::{self, RemovedAccount};
use crate::account::{
    Account, AccountId, AccountOrigin, AccountState, AuthMethod, BookError, LastFailure, ModelPause, Provider,
    ProxyChoice,
};
use crate::admin_event::AdminEvent;
use crate::clock::Timestamp;
use crate::demo::DemoError;
use crate::error::{Problem, ProblemCode};
use crate::quota::QuotaView;
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// An account as faces show it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountView {
    /// Its id.
    pub(super) id: AccountId,
    /// Its name for people.
    pub(super) label: String,
    /// How it proves itself.
    pub(super) method: AuthMethod,
    /// How it came to us.
    pub(super) origin: AccountOrigin,
    /// The person's address, where known.
    pub(super) email: Option<String>,
    /// Region of the data plane.
    pub(super) region: String,
    /// The profile that requests name.
    pub(super) profile_arn: Option<String>,
    /// Start page of its identity instance, for a new sign-in.
    pub(super) start_url: Option<String>,
    /// Region of its identity instance.
    pub(super) sign_in_region: Option<String>,
    /// Whether a person wants it used.
    pub(super) enabled: bool,
    /// Whether its answers are made up on this machine.
    pub(super) demo: bool,
    /// Its condition.
    pub(super) state: AccountState,
    /// When the access token in memory ends.
    pub(super) token_expires_at: Option<Timestamp>,
    /// When a new access token is bought; null for an API key, for an account that is stopped, and while it happens.
    pub(super) next_refresh_at: Option<Timestamp>,
    /// Whether its newest refresh token is in memory only, because the store would not take it.
    pub(super) unsaved: bool,
    /// The program that shares the login, if any.
    pub(super) link: Option<LinkView>,
    /// When the sign-in ends for good, where that is known: a new one is needed then.
    pub(super) sign_in_ends_at: Option<Timestamp>,
    /// Whether that is soon.
    pub(super) sign_in_ends_soon: bool,
    /// When it was added.
    pub(super) added_at: Timestamp,
    /// Who the person signed in with.
    pub(super) provider: Option<Provider>,
    /// Groups it belongs to.
    pub(super) tags: Vec<String>,
    /// A person's own words.
    pub(super) note: String,
    /// Lower numbers are used first by the strategy `priority`.
    pub(super) priority: i32,
    /// Its share of the requests by the strategy `weighted`, 1 to 100.
    pub(super) weight: u16,
    /// It rests when less than this much of its quota is left, in percent; nothing is as the settings say.
    pub(super) quota_floor_percent: Option<u8>,
    /// How many requests may use it at the same time; nothing is as the settings say.
    pub(super) concurrency: Option<u16>,
    /// How it reaches the network; nothing is as everything does.
    pub(super) proxy: Option<ProxyChoice>,
    /// The only host to ask, when a person chose one.
    pub(super) host: Option<String>,
    /// The host that answered last.
    pub(super) learned_host: Option<String>,
    /// The id that it names to the service; never changes by itself.
    pub(super) machine_id: String,
    /// Requests under way.
    pub(super) in_flight: u32,
    /// Requests since the start.
    pub(super) requests: u64,
    /// Failed attempts since the start.
    pub(super) errors: u64,
    /// When it last answered, since the start.
    pub(super) last_success_at: Option<Timestamp>,
    /// What last went wrong, since the start.
    pub(super) last_failure: Option<LastFailure>,
    /// Models that have no capacity for it now.
    pub(super) model_pauses: Vec<ModelPause>,
    /// Rest rather than pay extra; nothing is as the settings say.
    pub(super) never_overage: Option<bool>,
    /// The service's stable id of the person, where known.
    pub(super) user_id: Option<String>,
    /// Title of the plan, where known.
    pub(super) plan: Option<String>,
    /// What it may use and has used; nothing while that was never asked.
    pub(super) quota: Option<QuotaView>,
    /// Credits that the service metered today, in the local time zone.
    pub(super) credits_today: f64,
}

/// All accounts.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountList {
    /// In the order they were added.
    pub(super) accounts: Vec<AccountView>,
    /// The only one that serves, when a person chose it.
    pub(super) only: Option<AccountId>,
    /// Removed a moment ago: can still be taken back.
    pub(super) removed: Vec<RemovedAccount>,
}

pub(super) fn view(gateway: &Gateway, account: &Account) -> AccountView {
    let book = &gateway.parts.book;
    let record = book.leases.record(&account.id).unwrap_or_default();
    AccountView {
        id: account.id.clone(),
        label: account.label.clone(),
        method: account.method,
        origin: account.origin,
        email: account.email.clone(),
        region: account.data_region().to_owned(),
        profile_arn: account.profile_arn.clone(),
        start_url: account.start_url.clone(),
        sign_in_region: account.oidc_region.clone(),
        enabled: account.enabled,
        demo: account.is_demo(),
        state: book.leases.state(account),
        token_expires_at: book.tokens.expires_at(&account.id),
        next_refresh_at: book.tokens.next_refresh_at(&account.id),
        unsaved: book.tokens.is_unsaved(&account.id),
        link: account.link.as_ref().map(LinkView::of),
        sign_in_ends_at: account.client_expires_at,
        sign_in_ends_soon: crate::login::ends_soon(account, gateway.parts.clock.now()),
        added_at: account.added_at,
        provider: account.provider,
        tags: account.wishes.tags.clone(),
        note: account.wishes.note.clone(),
        priority: account.wishes.priority,
        weight: account.wishes.weight(),
        quota_floor_percent: account.wishes.quota_floor_percent,
        concurrency: account.wishes.concurrency,
        proxy: account.wishes.proxy.clone(),
        host: account.wishes.host.clone(),
        learned_host: account.learned_host.clone(),
        machine_id: account.machine_id.clone(),
        in_flight: record.in_flight,
        requests: record.requests,
        errors: record.errors,
        last_success_at: record.last_success,
        last_failure: record.last_failure,
        model_pauses: record.model_pauses,
        never_overage: account.wishes.never_overage,
        user_id: account.user_id.clone(),
        plan: gateway.parts.quotas.plan(&account.id),
        quota: gateway.parts.quotas.view(account),
        credits_today: gateway.parts.ledger.credits_today(&account.id),
    }
}

/// All accounts.
#[utoipa::path(get, path = "/api/accounts", operation_id = "listAccounts", responses((status = 200, body = AccountList)))]
pub(super) async fn list(State(gateway): State<Gateway>) -> Json<AccountList> {
    let accounts = gateway.parts.book.roster.list().iter().map(|account| view(&gateway, account)).collect();
    Json(AccountList { accounts, only: gateway.settings().accounts.only(), removed: removals::removed(&gateway) })
}

/// Adds the demo account, whose answers are made up on this machine, or answers the one that is there.
#[utoipa::path(post, path = "/api/accounts/demo", operation_id = "addDemoAccount",
    responses((status = 200, body = AccountView), (status = 503, body = Problem)))]
pub(super) async fn demo(State(gateway): State<Gateway>) -> Result<Json<AccountView>, Problem> {
    let account = gateway.parts.demo.add().await.map_err(|error| match error {
        DemoError::Unavailable => Problem::new(ProblemCode::DemoUnavailable, error.to_string()),
        DemoError::Start(_) => Problem::new(ProblemCode::Internal, error.to_string()),
        DemoError::Book(error) => book_problem(&error),
    })?;
    changed(&gateway);
    Ok(Json(view(&gateway, &account)))
}

pub(super) fn changed(gateway: &Gateway) {
    gateway.parts.announcer.tell(AdminEvent::Accounts);
    gateway.announce();
}

pub(super) fn book_problem(error: &BookError) -> Problem {
    let code = match error {
        BookError::Store(_) => ProblemCode::StoreUnavailable,
        BookError::Roster(_) => ProblemCode::Storage,
    };
    Problem::new(code, error.to_string()).action(error.action()).param("reason", error.code())
}
