//! AWS Builder ID and IAM Identity Center in a browser: authorization code with PKCE and a loopback redirect (kiro-upstream §5.4).

use std::sync::Arc;

use secrecy::SecretString;

use super::callback::{Callback, Name, Verdict};
use super::descriptor::{self, Meaning};
use super::ended::Ended;
use super::finish::Granted;
use super::pkce::{Pkce, StateToken};
use super::wish::{Instance, Opening};
use super::{Inbox, Login, Parts};
use crate::upstream::identity::sign_in::{CodeExchange, OidcFlow, SignInError};

pub(super) async fn oidc(
    parts: &Arc<Parts>,
    login: &Login,
    instance: &Instance,
    opening: &Opening,
    inbox: &mut Inbox,
) -> Result<Granted, Ended> {
    let Instance { region, start_url, .. } = instance;
    let client = parts.registrations.get(&login.calls, region, start_url, OidcFlow::Browser).await?;
    let mut callback = Callback::open(parts, Name::Address, &[0]).await.map_err(Ended::failed)?;
    let redirect_uri = format!("{}{}", callback.base, descriptor::DIRECTORY_PATH);
    let (state, pkce) = (StateToken::random(), Pkce::random());
    let page = login.calls.oidc_authorize(region, &client, &redirect_uri, state.text(), &pkce.challenge)?;
    let (awaits, port) = (Login::page_awaits(parts, opening), callback.port);
    let present = login.present(parts, &page, opening, |shown| {
        shown.awaits = awaits;
        shown.callback_port = Some(port);
    });
    present.await;
    let code = code(&mut callback, &state, inbox).await;
    callback.close().await;
    let code = code?;
    login.exchanging();
    let exchange = CodeExchange { code: &code, verifier: &pkce.verifier, redirect_uri: &redirect_uri };
    let tokens = login.calls.oidc_exchange(region, &client, &exchange).await;
    if let Err(SignInError::ClientGone(_)) = &tokens {
        parts.registrations.forget(&client.id).await;
    }
    Ok(Granted::oidc(instance, client, tokens?))
}

async fn code(callback: &mut Callback, state: &StateToken, inbox: &mut Inbox) -> Result<SecretString, Ended> {
    loop {
        let arrival = callback.next(inbox).await;
        match descriptor::oidc(&arrival.came, state) {
            Meaning::DirectoryCode(code) => {
                arrival.answer(Verdict::Received);
                return Ok(code);
            }
            Meaning::Refused(words) => {
                arrival.answer(Verdict::Refused);
                return Err(SignInError::Denied(words).into());
            }
            Meaning::Foreign | Meaning::Code { .. } | Meaning::Directory(_) => arrival.answer(Verdict::Foreign),
        }
    }
}
