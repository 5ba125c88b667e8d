//! Kiro's hosted portal: Google and GitHub with one page, a company directory with a second one (kiro-upstream §5.1, §5.5).

use std::sync::Arc;

use secrecy::SecretString;
use url::Url;

use super::callback::{Callback, Name, Verdict};
use super::descriptor::{self, Meaning};
use super::device;
use super::ended::Ended;
use super::finish::Granted;
use super::pkce::{Pkce, StateToken};
use super::shown::{Awaits, LoginKind};
use super::wish::{Opening, PortalPorts};
use super::{Inbox, Login, Parts};
use crate::account::Provider;
use crate::upstream::identity::sign_in::{CodeExchange, Descriptor, Directory, SignInError, SocialIdp, SocialRedirect};

/// The second leg: its own directory, state and PKCE pair.
struct SecondLeg {
    described: Descriptor,
    directory: Directory,
    state: StateToken,
    pkce: Pkce,
    redirect_uri: String,
    page: Url,
}

/// What the two legs brought.
enum Brought {
    Portal { code: SecretString, redirect: SocialRedirect },
    Directory(SecretString),
}

pub(super) async fn portal(
    parts: &Arc<Parts>,
    login: &Login,
    ports: &PortalPorts,
    opening: &Opening,
    inbox: &mut Inbox,
) -> Result<Granted, Ended> {
    let callback = match (Callback::open(parts, Name::Localhost, ports.ports).await, ports.otherwise) {
        (Ok(callback), _) => callback,
        (Err(problem), Some(idp)) => {
            tracing::info!(%problem, "a device code is used instead");
            return device::social(parts, login, idp, opening).await;
        }
        (Err(problem), None) => return Err(Ended::failed(problem)),
    };
    let (state, pkce) = (StateToken::random(), Pkce::random());
    let page = login.calls.portal(&callback.base, state.text(), &pkce.challenge)?;
    let (awaits, port) = (Login::page_awaits(parts, opening), callback.port);
    let present = login.present(parts, &page, opening, |shown| {
        shown.awaits = awaits;
        shown.callback_port = Some(port);
    });
    present.await;
    let mut second = None;
    let mut callback = callback;
    let brought = wait(login, &mut callback, &state, &mut second, inbox).await;
    callback.close().await;
    let brought = brought?;
    login.exchanging();
    match (brought, second) {
        (Brought::Directory(code), Some(leg)) => {
            let exchange = CodeExchange { code: &code, verifier: &leg.pkce.verifier, redirect_uri: &leg.redirect_uri };
            let tokens = login.calls.directory_exchange(&leg.directory, &exchange).await?;
            Ok(Granted::directory(leg.directory, tokens))
        }
        (Brought::Portal { code, redirect }, _) => {
            let tokens = login.calls.social_exchange(&code, &pkce.verifier, &redirect).await?;
            let chosen = redirect.login_option.as_deref().and_then(SocialIdp::recognise).map(device::provider);
            Ok(Granted::social(chosen.unwrap_or_else(|| asked(ports.asked)), tokens))
        }
        // A directory's code is recognised by the second leg's state only.
        (Brought::Directory(_), None) => {
            Err(SignInError::Refused("the directory answered before it was asked".into()).into())
        }
    }
}

fn asked(kind: LoginKind) -> Provider {
    match kind {
        LoginKind::Github => Provider::Github,
        LoginKind::Google
        | LoginKind::BuilderId
        | LoginKind::Idc
        | LoginKind::Microsoft
        | LoginKind::ApiKey
        | LoginKind::Remote => Provider::Google,
    }
}

async fn wait(
    login: &Login,
    callback: &mut Callback,
    state: &StateToken,
    second: &mut Option<SecondLeg>,
    inbox: &mut Inbox,
) -> Result<Brought, Ended> {
    loop {
        let arrival = callback.next(inbox).await;
        match descriptor::portal(&arrival.came, state, second.as_ref().map(|leg| &leg.state)) {
            Meaning::Foreign => arrival.answer(Verdict::Foreign),
            Meaning::Refused(words) => {
                arrival.answer(Verdict::Refused);
                return Err(SignInError::Denied(words).into());
            }
            Meaning::Code { code, path, login_option } => {
                arrival.answer(Verdict::Received);
                let redirect = SocialRedirect { base: callback.base.clone(), path, login_option };
                return Ok(Brought::Portal { code, redirect });
            }
            Meaning::DirectoryCode(code) => {
                arrival.answer(Verdict::Received);
                return Ok(Brought::Directory(code));
            }
            Meaning::Directory(described) => match second {
                // Browsers fetch ahead and again: the same question gets the same answer.
                Some(leg) if leg.described == described => {
                    let page = leg.page.clone();
                    arrival.answer(Verdict::Go(page));
                }
                Some(_) => arrival.answer(Verdict::Foreign),
                None => match begin(login, callback, described).await {
                    Ok(leg) => {
                        let page = leg.page.clone();
                        *second = Some(leg);
                        login.show(|shown| {
                            shown.url = Some(page.clone());
                            shown.awaits = Awaits::DirectorySignIn;
                        });
                        arrival.answer(Verdict::Go(page));
                    }
                    Err(error) => {
                        arrival.answer(Verdict::Refused);
                        return Err(error.into());
                    }
                },
            },
        }
    }
}

async fn begin(login: &Login, callback: &Callback, described: Descriptor) -> Result<SecondLeg, SignInError> {
    let directory = login.calls.discover(&described).await?;
    let (state, pkce) = (StateToken::random(), Pkce::random());
    let redirect_uri = format!("{}{}", callback.base, descriptor::DIRECTORY_PATH);
    let page = login.calls.directory_page(&directory, &redirect_uri, state.text(), &pkce.challenge)?;
    Ok(SecondLeg { described, directory, state, pkce, redirect_uri, page })
}
