//! From tokens to an account: saved first, looked at afterwards, so that nothing that goes wrong later costs the sign-in.

mod inspection;
mod settle;

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::ended::Ended;
use super::shown::{Awaits, LoginState};
use super::wish::Instance;
use super::{Inbox, Login, Parts, renewal};
use crate::account::{
    Account, AccountId, AccountOrigin, Added, AuthMethod, NewAccount, Provider, arn_region, fingerprint,
};
use crate::admin_event::AdminEvent;
use crate::clock::Timestamp;
use crate::credential::Secrets;
use crate::upstream::identity::Refreshed;
use crate::upstream::identity::sign_in::{Directory, RegisteredClient, SignInError};

/// When the provider does not say how long an access token lives.
const UNTOLD_LIFE: Duration = Duration::from_secs(3_600);

/// What a sign-in brought.
pub(super) struct Granted {
    what: What,
    email: Option<String>,
}

enum What {
    Social(Provider, Refreshed),
    Oidc(Instance, RegisteredClient, Refreshed),
    Directory(Directory, Refreshed),
    Key(SecretString, Option<String>),
}

impl Granted {
    pub(super) fn social(provider: Provider, tokens: Refreshed) -> Self {
        Self { what: What::Social(provider, tokens), email: None }
    }

    pub(super) fn oidc(instance: &Instance, client: RegisteredClient, tokens: Refreshed) -> Self {
        Self { what: What::Oidc(instance.clone(), client, tokens), email: None }
    }

    pub(super) fn directory(directory: Directory, tokens: Refreshed) -> Self {
        let email = directory.descriptor.login_hint.clone();
        Self { what: What::Directory(directory, tokens), email }
    }

    pub(super) fn key(key: SecretString, region: Option<String>) -> Self {
        Self { what: What::Key(key, region), email: None }
    }

    /// With the person's address.
    pub(super) fn of(self, email: Option<String>) -> Self {
        Self { email, ..self }
    }

    fn provider(&self) -> Option<Provider> {
        match &self.what {
            What::Social(provider, _) => Some(*provider),
            What::Oidc(instance, ..) => Some(instance.provider),
            What::Directory(..) => Some(Provider::AzureAd),
            What::Key(..) => None,
        }
    }

    /// The account, without any secret.
    pub(super) fn described(&self, label: Option<String>, machine_id: &str, now: Timestamp) -> Account {
        let provider = self.provider();
        let label = label.or_else(|| self.email.clone()).unwrap_or_else(|| name(provider).to_owned());
        let bare = Account::bare(label, AuthMethod::Social, AccountOrigin::SignedIn, machine_id.to_owned(), now);
        let mut account = Account { provider, email: self.email.clone(), ..bare };
        match &self.what {
            What::Social(_, tokens) => {
                account.api_region = tokens.profile_arn.as_deref().and_then(arn_region).map(str::to_owned);
                account.profile_arn.clone_from(&tokens.profile_arn);
            }
            What::Oidc(instance, client, _) => {
                account.method = AuthMethod::Idc;
                account.oidc_region = Some(instance.region.clone());
                account.start_url = Some(instance.start_url.clone());
                account.client_id = Some(client.id.clone());
                account.client_expires_at = Some(client.expires_at);
            }
            What::Directory(directory, _) => {
                account.method = AuthMethod::ExternalIdp;
                account.client_id = Some(directory.descriptor.client_id.clone());
                account.token_endpoint = Some(directory.token.to_string());
                account.issuer_url = Some(directory.descriptor.issuer.clone());
                account.scopes = Some(directory.descriptor.scopes.clone());
            }
            What::Key(key, region) => {
                account.method = AuthMethod::ApiKey;
                account.api_region.clone_from(region);
                account.fingerprint = Some(fingerprint(key));
            }
        }
        account
    }

    fn into_account(self, label: Option<String>, machine_id: &str, now: Timestamp) -> Result<NewAccount, Ended> {
        let account = self.described(label, machine_id, now);
        let (tokens, client_secret) = match self.what {
            What::Key(key, _) => {
                let secrets = Secrets { api_key: Some(key), ..Secrets::default() };
                return Ok(NewAccount { account, secrets, access: None, warnings: Vec::new() });
            }
            What::Oidc(_, client, tokens) => (tokens, Some(client.secret)),
            What::Social(_, tokens) | What::Directory(_, tokens) => (tokens, None),
        };
        let Some(refresh_token) = tokens.refresh_token else {
            let words = "the provider gave no refresh token: the sign-in would end within the hour";
            return Err(SignInError::Refused(words.to_owned()).into());
        };
        let secrets = Secrets { refresh_token: Some(refresh_token), client_secret, ..Secrets::default() };
        let ends = now.plus(tokens.expires_in.unwrap_or(UNTOLD_LIFE));
        Ok(NewAccount { account, secrets, access: Some((tokens.access_token, ends)), warnings: Vec::new() })
    }
}

/// The name of an account of which no more is known.
fn name(provider: Option<Provider>) -> &'static str {
    match provider {
        Some(Provider::Google) => "Google",
        Some(Provider::Github) => "GitHub",
        Some(Provider::BuilderId) => "AWS Builder ID",
        Some(Provider::Enterprise | Provider::Internal) => "IAM Identity Center",
        Some(Provider::AzureAd) => "Microsoft",
        None => "API key",
    }
}

/// Saves the account and shows what it can do.
pub(super) async fn finish(
    parts: &Arc<Parts>,
    login: &Login,
    granted: Granted,
    label: Option<String>,
    inbox: &mut Inbox,
) -> Ended {
    let named = label.is_some();
    let mut new = match granted.into_account(label, &parts.machine_id, parts.clock.now()) {
        Ok(new) => new,
        Err(ended) => return ended,
    };
    let renews = parts.book.known(&new.account).is_some();
    if !renews && let Some(meant) = &login.renews {
        let Some(meant) = parts.book.roster.get(&meant.id) else { return SignInError::AccountGone.into() };
        if let Err(error) = renewal::go_along(parts, &meant, &mut new).await {
            return error.into();
        }
    }
    let account = match parts.book.add(new).await {
        Ok(Added::New(account) | Added::Known(account)) => account,
        Err(error) => return error.into(),
    };
    login.show(|shown| {
        shown.account = Some(account.id.clone());
        shown.state = LoginState::Inspecting;
        shown.awaits = Awaits::Inspection;
    });
    parts.announcer.tell(AdminEvent::Accounts);
    let ended = tokio::select! {
        biased;
        () = login.cancel.cancelled() => {
            // Who cancels does not want the account. One that was here before stays, with the sign-in that it has got.
            if !renews {
                return withdraw(parts, login, &account.id).await;
            }
            Ended::Cancelled
        }
        // Nobody took it back: it is looked at when it is used.
        () = parts.stop.cancelled() => Ended::Cancelled,
        () = inspection::inspect(parts, login, &account.id, inbox) => Ended::Done,
    };
    let kept = settle::settle(parts, login, &account.id, renews, named).await;
    login.show(|shown| {
        if let Some(renewal) = &mut shown.renewal {
            renewal.outcome = Some(settle::outcome(parts, renewal, &kept, renews || kept != account.id));
        }
        shown.account = Some(kept);
    });
    parts.announcer.tell(AdminEvent::Accounts);
    ended
}

/// Takes an account back that was added a moment ago, with all that was learned about it.
async fn withdraw(parts: &Arc<Parts>, login: &Login, id: &AccountId) -> Ended {
    let removed = parts.book.remove(id).await;
    parts.inspector.forget(id);
    parts.sign_in.forget(id);
    parts.announcer.tell(AdminEvent::Accounts);
    match removed {
        Ok(_) => {
            login.show(|shown| shown.account = None);
            Ended::Cancelled
        }
        Err(error) => error.into(),
    }
}

impl Login {
    /// The person agreed; the rest is between us and the provider.
    pub(super) fn exchanging(&self) {
        self.show(|shown| {
            shown.state = LoginState::Exchanging;
            shown.awaits = Awaits::Exchange;
            shown.url = None;
            shown.user_code = None;
            shown.callback_port = None;
        });
    }
}
