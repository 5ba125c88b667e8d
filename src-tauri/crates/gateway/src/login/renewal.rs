//! Signing in again for an account that is known: what is taken over from it, its own way to the network from the first call on, and
//! whether the person who came is the same one.
//!
//! Promises: a sign-in that turns out to be another person's never touches the account; the account that is made for it takes the same
//! way to the network before anything is asked with its tokens.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::wish::{self, LoginWish};
use super::{LoginKind, Parts};
use crate::account::{Account, AccountId, AuthMethod, BookError, NewAccount, Provider, ProxyChoice};
use crate::error::{FieldProblem, Problem, ProblemCode};

/// The account that a sign-in is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Renewal {
    /// Its id.
    pub(crate) account: AccountId,
    /// Its name.
    pub(crate) label: String,
    /// Whether it has a proxy of its own, which every call of the sign-in takes. The page in the browser does not.
    pub(crate) own_proxy: bool,
    /// Whose sign-in it was, once that is known.
    pub(crate) outcome: Option<RenewalOutcome>,
}

/// Whose sign-in it was in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum RenewalOutcome {
    /// The account's: it has its new sign-in.
    Renewed,
    /// Another person's, for whom an account was made. The account that was meant is as it was.
    NewAccount,
    /// Another person's, whose account was here already and has the new sign-in. The account that was meant is as it was.
    KnownAccount,
    /// The service did not say whose. It is an account of its own; the one that was meant is as it was.
    Untold,
}

impl Renewal {
    pub(super) fn of(account: &Account) -> Self {
        let own_proxy = match account.wishes.proxy {
            Some(ProxyChoice::Through { .. }) => true,
            Some(ProxyChoice::Direct) | None => false,
        };
        Self { account: account.id.clone(), label: account.label.clone(), own_proxy, outcome: None }
    }
}

/// The account that the wish names, and what the wish leaves out taken from it.
pub(super) fn begin(parts: &Parts, wish: &mut LoginWish) -> Result<Option<Arc<Account>>, Problem> {
    let Some(id) = &wish.account else { return Ok(None) };
    let account = parts.book.roster.get(id).ok_or_else(|| {
        Problem::new(ProblemCode::NotFound, "there is no such account; nothing was sent")
            .action("Sign in without naming an account, or name one that `accounts list` shows.")
    })?;
    fill(wish, &account).map_err(|(field, problem)| {
        let mut refused = Problem::new(ProblemCode::InvalidFields, problem.message.clone())
            .action("Correct the marked fields; nothing was sent.");
        refused.fields.insert(field.to_owned(), problem);
        refused
    })?;
    Ok(Some(account))
}

fn fill(wish: &mut LoginWish, account: &Account) -> Result<(), (&'static str, FieldProblem)> {
    let refused = |field, code: &str, message: &str| {
        Err((field, FieldProblem { code: code.to_owned(), message: message.to_owned() }))
    };
    if account.is_demo() {
        return refused("account", "invalid_value", "the demo account has no sign-in");
    }
    let kind = match (wish.kind, kind_of(account)) {
        (Some(kind), _) if !can_renew(kind, account.method) => {
            return refused("kind", "invalid_value", "the account has another kind of sign-in");
        }
        (Some(kind), _) | (None, Some(kind)) => kind,
        (None, None) => {
            return refused("kind", "missing", "it is not known how this account signed in: name the kind of sign-in");
        }
    };
    wish.kind = Some(kind);
    let (start_url, region) = match kind {
        LoginKind::Idc => (&account.start_url, &account.oidc_region),
        // A Builder ID is one instance for everybody, whatever a company's account of the same method has.
        LoginKind::BuilderId
        | LoginKind::Google
        | LoginKind::Github
        | LoginKind::Microsoft
        | LoginKind::ApiKey
        | LoginKind::Remote => (&None, &None),
    };
    for (wished, known) in [(&mut wish.start_url, start_url), (&mut wish.region, region)] {
        if wished.is_none() {
            wished.clone_from(known);
        }
    }
    Ok(())
}

/// How the account signed in, where that is known.
fn kind_of(account: &Account) -> Option<LoginKind> {
    match account.method {
        AuthMethod::Social => match account.provider {
            Some(Provider::Google) => Some(LoginKind::Google),
            Some(Provider::Github) => Some(LoginKind::Github),
            Some(Provider::BuilderId | Provider::Enterprise | Provider::Internal | Provider::AzureAd) | None => None,
        },
        AuthMethod::Idc if account.start_url.as_deref() == Some(wish::BUILDER_START) => Some(LoginKind::BuilderId),
        AuthMethod::Idc => match account.provider {
            Some(Provider::BuilderId) => Some(LoginKind::BuilderId),
            Some(
                Provider::Google | Provider::Github | Provider::Enterprise | Provider::Internal | Provider::AzureAd,
            ) => Some(LoginKind::Idc),
            None => None,
        },
        AuthMethod::ExternalIdp => Some(LoginKind::Microsoft),
        AuthMethod::ApiKey => Some(LoginKind::ApiKey),
    }
}

/// Whether a sign-in of this kind can be that of an account with this method. A link leaves the choice to whoever opens it.
fn can_renew(kind: LoginKind, method: AuthMethod) -> bool {
    match kind {
        LoginKind::Google | LoginKind::Github => method == AuthMethod::Social,
        LoginKind::BuilderId | LoginKind::Idc => method == AuthMethod::Idc,
        LoginKind::Microsoft => method == AuthMethod::ExternalIdp,
        LoginKind::ApiKey => method == AuthMethod::ApiKey,
        LoginKind::Remote => method != AuthMethod::ApiKey,
    }
}

/// Sends the calls of an account that is about to be added the same way as those of the account it was meant for: whose it is shows only
/// when the service was asked with its tokens.
pub(super) async fn go_along(parts: &Parts, meant: &Account, new: &mut NewAccount) -> Result<(), BookError> {
    new.account.wishes.proxy.clone_from(&meant.wishes.proxy);
    new.secrets.proxy_credentials = match &meant.wishes.proxy {
        Some(ProxyChoice::Through { .. }) => parts.book.credentials.proxy_login(&meant.id).await?,
        Some(ProxyChoice::Direct) | None => None,
    };
    Ok(())
}

/// Whether the account that signed in is the one that was meant; `None` when nobody said. Where nothing is known of whose the account
/// was, the person's own word counts.
pub(super) fn is_same(meant: &Account, came: &Account) -> Option<bool> {
    if meant.method != came.method {
        return Some(false);
    }
    match (&meant.user_id, &came.user_id) {
        (Some(meant), Some(came)) => return Some(meant == came),
        // One person can sign in at several providers, each of which is another account of the service.
        _ if matches!((meant.provider, came.provider), (Some(one), Some(other)) if one != other) => return Some(false),
        _ if is_nameless(meant) => return Some(true),
        (Some(_) | None, _) => {}
    }
    Some(meant.email.as_ref()?.eq_ignore_ascii_case(came.email.as_ref()?))
}

/// Whether nothing is known of whose the account is.
pub(super) fn is_nameless(account: &Account) -> bool {
    account.user_id.is_none() && account.email.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::test_account;
    use crate::login::{FormWish, Opening};

    fn account(method: AuthMethod, provider: Option<Provider>) -> Account {
        Account { method, provider, user_id: None, email: None, ..test_account("one") }
    }

    fn filled(account: &Account, kind: Option<LoginKind>) -> Result<LoginWish, (&'static str, String)> {
        let mut wish = LoginWish { kind, ..LoginWish::new(LoginKind::Google, FormWish::Auto, Opening::Nothing) };
        fill(&mut wish, account).map_err(|(field, problem)| (field, problem.code))?;
        Ok(wish)
    }

    #[test]
    fn kind_start_page_and_region_are_the_accounts_unless_they_are_said() {
        let company = Account {
            start_url: Some("https://one.awsapps.com/start".into()),
            oidc_region: Some("eu-west-1".into()),
            ..account(AuthMethod::Idc, Some(Provider::Enterprise))
        };
        let wish = filled(&company, None).expect("filled");
        assert_eq!(
            (wish.kind, wish.start_url.as_deref(), wish.region.as_deref()),
            (Some(LoginKind::Idc), Some("https://one.awsapps.com/start"), Some("eu-west-1"))
        );
        let builder = Account { start_url: Some(wish::BUILDER_START.into()), ..account(AuthMethod::Idc, None) };
        for (account, kind) in [
            (builder, LoginKind::BuilderId),
            (account(AuthMethod::Idc, Some(Provider::BuilderId)), LoginKind::BuilderId),
            (account(AuthMethod::Social, Some(Provider::Github)), LoginKind::Github),
            (account(AuthMethod::ExternalIdp, None), LoginKind::Microsoft),
            (account(AuthMethod::ApiKey, None), LoginKind::ApiKey),
        ] {
            assert_eq!(filled(&account, None).expect("filled").kind, Some(kind));
        }
    }

    #[test]
    fn a_kind_that_is_not_known_or_not_the_accounts_is_refused() {
        let social = account(AuthMethod::Social, None);
        assert_eq!(filled(&social, None).expect_err("unknown"), ("kind", "missing".to_owned()));
        assert_eq!(filled(&social, Some(LoginKind::Github)).expect("said").kind, Some(LoginKind::Github));
        for kind in [LoginKind::BuilderId, LoginKind::Idc, LoginKind::Microsoft, LoginKind::ApiKey] {
            assert_eq!(filled(&social, Some(kind)).expect_err("another"), ("kind", "invalid_value".to_owned()));
        }
        assert_eq!(filled(&social, Some(LoginKind::Remote)).expect("a link").kind, Some(LoginKind::Remote));
        let demo = Account { origin: crate::account::AccountOrigin::Demo, ..social };
        assert_eq!(filled(&demo, Some(LoginKind::Google)).expect_err("the demo").0, "account");
    }

    #[test]
    fn the_same_person_is_told_by_the_services_id_then_by_the_address() {
        let of = |user_id: Option<&str>, email: Option<&str>| Account {
            user_id: user_id.map(str::to_owned),
            email: email.map(str::to_owned),
            ..account(AuthMethod::Social, Some(Provider::Google))
        };
        let alice = of(Some("d-1"), Some("alice@example.com"));
        for (meant, came, same) in [
            (alice.clone(), of(Some("d-1"), Some("new@example.com")), Some(true)),
            (alice.clone(), of(Some("d-2"), Some("alice@example.com")), Some(false)),
            (alice.clone(), of(None, None), None),
            (alice.clone(), of(None, Some("Alice@Example.com")), Some(true)),
            (of(None, Some("alice@example.com")), of(Some("d-1"), Some("bob@example.com")), Some(false)),
            (of(None, Some("alice@example.com")), of(Some("d-1"), None), None),
            (of(None, None), of(Some("d-1"), Some("alice@example.com")), Some(true)),
            (alice, account(AuthMethod::Idc, None), Some(false)),
        ] {
            assert_eq!(is_same(&meant, &came), same, "{meant:?} {came:?}");
        }
        let github = Account { provider: Some(Provider::Github), ..of(Some("d-9"), Some("alice@example.com")) };
        assert_eq!(is_same(&of(None, Some("alice@example.com")), &github), Some(false), "another provider");
        assert_eq!(is_same(&of(None, None), &github), Some(false), "also where nothing else is known");
    }
}
