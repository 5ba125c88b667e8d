//! What a fresh account can do, shown as proof; and the profile that a person chooses where there are several.

use std::sync::Arc;
use std::time::Duration;

use crate::account::{Account, AccountId, RosterError, arn_region};
use crate::disk::off_thread;
use crate::error::{Problem, ProblemCode};
use crate::inspect::Inspection;
use crate::login::shown::{Awaits, LoginState, OfferedProfile, Proof};
use crate::login::{Inbox, Login, PATIENCE, Parts, Said, late};
use crate::upstream::profiles::Profile;

/// All questions together; the account is there already.
const PATIENT: Duration = Duration::from_secs(60);

/// Looks at the account, asks for a profile where there are several, and shows what was found.
pub(super) async fn inspect(parts: &Arc<Parts>, login: &Login, id: &AccountId, inbox: &mut Inbox) {
    let Some(mut found) = look(parts, login, id).await else { return };
    if found.profiles.len() > 1
        && let Some(arn) = choose(parts, login, &found.profiles, inbox).await
        && take(parts, id, arn).await
    {
        login.show(|shown| {
            shown.state = LoginState::Inspecting;
            shown.awaits = Awaits::Inspection;
            shown.profiles = Vec::new();
        });
        // Another profile has another plan, and may live in another region.
        match look(parts, login, id).await {
            Some(again) => found = again,
            None => return,
        }
    }
    let proof = proof(parts, id, &found);
    login.show(|shown| {
        shown.proof = Some(proof);
        shown.problem = found.problems.first().cloned();
    });
}

async fn look(parts: &Parts, login: &Login, id: &AccountId) -> Option<Inspection> {
    let problem = match tokio::time::timeout(PATIENT, parts.inspector.inspect(id)).await {
        Ok(Ok(found)) => return Some(found),
        Ok(Err(problem)) => problem,
        Err(_) => Problem::new(ProblemCode::UpstreamFailed, "the service took too long to say what the account can do"),
    };
    tracing::warn!(account = %id, %problem, "signed in, and the account could not be looked at");
    login.show(|shown| shown.problem = Some(problem));
    None
}

/// The profile that the person chooses; `None` when they take too long, and the first one stays.
async fn choose(parts: &Parts, login: &Login, profiles: &[Profile], inbox: &mut Inbox) -> Option<String> {
    let begun = parts.clock.now();
    login.show(|shown| {
        shown.state = LoginState::ChooseProfile;
        shown.awaits = Awaits::Profile;
        shown.expires_at = begun.plus(PATIENCE);
        shown.profiles = profiles.iter().map(offered).collect();
    });
    let chosen = async {
        while let Some(said) = inbox.recv().await {
            match said {
                Said::Chosen(arn, answer) if profiles.iter().any(|profile| profile.arn == arn) => {
                    let _ = answer.send(Ok(()));
                    return Some(arn);
                }
                Said::Chosen(_, answer) => {
                    let problem = Problem::new(ProblemCode::InvalidRequest, "the account has no such profile");
                    let _ = answer.send(Err(problem.action("Choose one of the profiles that are listed.")));
                }
                Said::Pasted(_, answer) => {
                    let problem = Problem::new(ProblemCode::PasteRefused, "this sign-in does not wait for that now");
                    let _ = answer.send(Err(problem.param("reason", "notNow")));
                }
            }
        }
        None
    };
    tokio::select! {
        arn = chosen => arn,
        () = late(&*parts.clock, begun) => None,
    }
}

fn offered(profile: &Profile) -> OfferedProfile {
    let name = profile.name.clone().unwrap_or_else(|| profile.arn.rsplit('/').next().unwrap_or_default().to_owned());
    OfferedProfile { arn: profile.arn.clone(), name, region: profile.region().unwrap_or_default().to_owned() }
}

/// Whether it was saved.
async fn take(parts: &Parts, id: &AccountId, arn: String) -> bool {
    let saved = save(parts, id, move |account| {
        account.api_region = arn_region(&arn).map(str::to_owned);
        account.profile_arn = Some(arn);
        account.learned_host = None;
    });
    let saved = saved.await;
    if let Err(error) = &saved {
        tracing::warn!(account = %id, %error, "the chosen profile could not be saved");
    }
    saved.is_ok()
}

/// Changes an account in the list.
pub(super) async fn save(
    parts: &Parts,
    id: &AccountId,
    change: impl FnOnce(&mut Account) + Send + 'static,
) -> Result<(), RosterError> {
    let (roster, id) = (Arc::clone(&parts.book.roster), id.clone());
    off_thread(move || roster.update(&id, change)).await?.map(|_| ())
}

fn proof(parts: &Parts, id: &AccountId, found: &Inspection) -> Proof {
    let now = parts.clock.now();
    let account = parts.book.roster.get(id);
    let sum = found.quota.as_ref().and_then(|quota| quota.included(now));
    Proof {
        plan: found.quota.as_ref().and_then(|quota| quota.plan.clone()),
        credits_left: sum.map(|sum| sum.left()),
        credits_limit: sum.map(|sum| sum.limit),
        resets_at: found.quota.as_ref().and_then(|quota| quota.resets_at),
        models: found.models.clone(),
        region: account.as_ref().map(|account| account.data_region().to_owned()).unwrap_or_default(),
        host: found.host.clone(),
    }
}
