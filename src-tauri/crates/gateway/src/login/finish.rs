//! From tokens to an account: saved first, looked at afterwards.

use std::sync::Arc;
use std::time::Duration;

use super::ended::Ended;
use super::shown::{Awaits, LoginState};
use super::wish::Instance;
use super::{Inbox, Login, Parts};
use crate::account::{Account, AccountId, AccountOrigin, Added, AuthMethod, NewAccount, Provider, Wishes, arn_region};
use crate::clock::Timestamp;
use crate::credential::Secrets;
use crate::upstream::identity::Refreshed;
use crate::upstream::identity::sign_in::{Directory, RegisteredClient, SignInError};

/// When the provider does not say how long an access token lives.
const UNTOLD_LIFE: Duration = Duration::from_secs(3_600);

/// What a sign-in brought.
pub(super) struct Granted {
    method: AuthMethod,
    provider: Provider,
    tokens: Refreshed,
    client: Option<RegisteredClient>,
    instance: Option<Instance>,
    directory: Option<Directory>,
}

impl Granted {
    pub(super) fn oidc(instance: &Instance, client: RegisteredClient, tokens: Refreshed) -> Self {
        let (instance, client) = (Some(instance.clone()), Some(client));
        let provider = instance.as_ref().map_or(Provider::BuilderId, |instance| instance.provider);
        Self { method: AuthMethod::Idc, provider, tokens, client, instance, directory: None }
    }

    pub(super) fn social(provider: Provider, tokens: Refreshed) -> Self {
        Self { method: AuthMethod::Social, provider, tokens, client: None, instance: None, directory: None }
    }

    pub(super) fn directory(directory: Directory, tokens: Refreshed) -> Self {
        let (method, provider) = (AuthMethod::ExternalIdp, Provider::AzureAd);
        Self { method, provider, tokens, client: None, instance: None, directory: Some(directory) }
    }

    fn account(self, label: Option<String>, machine_id: &str, now: Timestamp) -> Result<NewAccount, Ended> {
        let Some(refresh_token) = self.tokens.refresh_token else {
            let words = "the provider gave no refresh token: the sign-in would end within the hour";
            return Err(SignInError::Refused(words.to_owned()).into());
        };
        let email = self.directory.as_ref().and_then(|directory| directory.descriptor.login_hint.clone());
        let client_id = self.client.as_ref().map(|client| client.id.clone());
        let account = Account {
            id: AccountId::random(),
            label: label.or_else(|| email.clone()).unwrap_or_else(|| name(self.provider).to_owned()),
            method: self.method,
            provider: Some(self.provider),
            origin: AccountOrigin::SignedIn,
            email,
            user_id: None,
            api_region: self.tokens.profile_arn.as_deref().and_then(arn_region).map(str::to_owned),
            profile_arn: self.tokens.profile_arn,
            oidc_region: self.instance.as_ref().map(|instance| instance.region.clone()),
            start_url: self.instance.map(|instance| instance.start_url),
            client_id: client_id.or_else(|| self.directory.as_ref().map(|d| d.descriptor.client_id.clone())),
            client_expires_at: self.client.as_ref().map(|client| client.expires_at),
            token_endpoint: self.directory.as_ref().map(|directory| directory.token.to_string()),
            issuer_url: self.directory.as_ref().map(|directory| directory.descriptor.issuer.clone()),
            scopes: self.directory.map(|directory| directory.descriptor.scopes),
            machine_id: machine_id.to_owned(),
            enabled: true,
            stopped: None,
            fingerprint: None,
            link: None,
            wishes: Wishes::default(),
            learned_host: None,
            added_at: now,
        };
        let secrets = Secrets {
            refresh_token: Some(refresh_token),
            client_secret: self.client.map(|client| client.secret),
            ..Secrets::default()
        };
        let ends = now.plus(self.tokens.expires_in.unwrap_or(UNTOLD_LIFE));
        Ok(NewAccount { account, secrets, access: Some((self.tokens.access_token, ends)), warnings: Vec::new() })
    }
}

/// The name of an account of which no more is known.
fn name(provider: Provider) -> &'static str {
    match provider {
        Provider::Google => "Google",
        Provider::Github => "GitHub",
        Provider::BuilderId => "AWS Builder ID",
        Provider::Enterprise | Provider::Internal => "IAM Identity Center",
        Provider::AzureAd => "Microsoft",
    }
}

/// Saves the account and shows what it can do.
pub(super) async fn finish(
    parts: &Arc<Parts>,
    login: &Login,
    granted: Granted,
    label: Option<String>,
    _inbox: &mut Inbox,
) -> Ended {
    let new = match granted.account(label, &parts.machine_id, parts.clock.now()) {
        Ok(new) => new,
        Err(ended) => return ended,
    };
    let added = match parts.book.add(new).await {
        Ok(Added::New(account) | Added::Known(account)) => account,
        Err(error) => return error.into(),
    };
    parts.announcer.tell(crate::admin_event::AdminEvent::Accounts);
    login.show(|shown| {
        shown.account = Some(added.id.clone());
        shown.state = LoginState::Inspecting;
        shown.awaits = Awaits::Inspection;
    });
    Ended::Done
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
