//! Questions about an account itself: its quota and its profiles. Hosts, forms of the question and families disagree
//! (kiro-upstream §1.2, §8), so both have a short list of places to ask; the one that answered is asked first the next time.

use super::{Kiro, MAX_LIST, MAX_PAGES, answered, capped, checked, not_sent};
use crate::account::{AccessToken, Account, AccountId, AuthMethod};
use crate::upstream::classify::{Kind, UpstreamError};
use crate::upstream::endpoint;
use crate::upstream::host::API_REGIONS;
use crate::upstream::http::Route;
use crate::upstream::profiles::{self, Profile};
use crate::upstream::usage::{self, UsageAnswer};
use reqwest::Method;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// More questions than this are not asked for one answer.
const MOST: usize = 8;
/// Names the operation where the path cannot.
const PROFILES_TARGET: &str = "KiroControlPlaneBearerService.ListAvailableProfiles";

/// How the question for the quota is worded; plans and gates differ in what they accept.
const FORMS: [&[(&str, &str)]; 4] = [
    &[("origin", "AI_EDITOR"), ("resourceType", "AGENTIC_REQUEST"), ("isEmailRequired", "true")],
    &[("origin", "AI_EDITOR"), ("isEmailRequired", "true")],
    &[("origin", "AI_EDITOR"), ("resourceType", "CONVERSATION"), ("isEmailRequired", "true")],
    &[("origin", "AI_EDITOR")],
];

/// Where to ask for the quota, and which profile to name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    host: String,
    arn: Option<String>,
}

/// Which place and form answered an account's question last.
#[derive(Debug, Default)]
pub(super) struct Learned(Mutex<HashMap<AccountId, (Place, usize)>>);

impl Learned {
    fn get(&self, account: &AccountId) -> Option<(Place, usize)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(account).cloned()
    }

    fn put(&self, account: &AccountId, place: &Place, form: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(account.clone(), (place.clone(), form));
    }
}

impl Kiro {
    /// Asks for the quota, as often as the answers leave hope. A token or account that is refused ends it at once.
    pub(super) async fn ask_usage(&self, account: &Account, token: &AccessToken) -> Result<UsageAnswer, UpstreamError> {
        let mut places = places(account);
        let mut form = 0;
        if let Some((place, known)) = self.learned.get(&account.id)
            && places.contains(&place)
        {
            places.retain(|other| *other != place);
            places.insert(0, place);
            form = known;
        }
        let mut at = 0;
        let mut first: Option<UpstreamError> = None;
        for _ in 0..MOST {
            let place = &places[at];
            let error = match self.usage_at(account, token, place, form).await {
                Ok(answer) => {
                    self.learned.put(&account.id, place, form);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            match next(&error) {
                Next::OtherForm if form + 1 < FORMS.len() => form += 1,
                Next::OtherForm | Next::OtherPlace if at + 1 < places.len() => {
                    at += 1;
                    form = 0;
                }
                Next::OtherForm | Next::OtherPlace | Next::Stop => return Err(first.unwrap_or(error)),
            }
            // The first refusal is of the likeliest place: it says most about the account.
            first.get_or_insert(error);
        }
        Err(first.unwrap_or_else(|| UpstreamError::local(Kind::NotSent, "there is no place to ask for the quota")))
    }

    async fn usage_at(
        &self,
        account: &Account,
        token: &AccessToken,
        place: &Place,
        form: usize,
    ) -> Result<UsageAnswer, UpstreamError> {
        let path = usage_path(place, form);
        let request = self
            .http
            .request(&Route::of(account), Method::GET, &place.host, &path)
            .await
            .map_err(not_sent)?
            .headers(self.plain_headers(account, token, 1)?);
        usage::read(&capped(answered(account, request).await?, MAX_LIST).await)
    }

    /// The profiles of one region, over all pages.
    pub(super) async fn ask_profiles(
        &self,
        account: &Account,
        token: &AccessToken,
        region: &str,
    ) -> Result<Vec<Profile>, UpstreamError> {
        let older = format!("q.{region}.amazonaws.com");
        match self.profiles_at(account, token, &older, "/ListAvailableProfiles").await {
            Err(error) if matches!(error.kind, Kind::NoSuchPath | Kind::Transport | Kind::TimedOut) => {
                let newer = format!("management.{region}.kiro.dev");
                self.profiles_at(account, token, &newer, "/").await.map_err(|_| error)
            }
            answered => answered,
        }
    }

    async fn profiles_at(
        &self,
        account: &Account,
        token: &AccessToken,
        host: &str,
        path: &str,
    ) -> Result<Vec<Profile>, UpstreamError> {
        let mut listed: Vec<Profile> = Vec::new();
        let mut page: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut headers = self.plain_headers(account, token, 1)?;
            if path == "/" {
                checked(&mut headers, "content-type", "application/x-amz-json-1.0")?;
                checked(&mut headers, "x-amz-target", PROFILES_TARGET)?;
            } else {
                checked(&mut headers, "content-type", "application/json")?;
            }
            let request = self
                .http
                .request(&Route::of(account), Method::POST, host, path)
                .await
                .map_err(not_sent)?
                .headers(headers)
                .body(profiles::question(page.as_deref()));
            let (found, next) = profiles::read(&capped(answered(account, request).await?, MAX_LIST).await)?;
            for profile in found {
                if !listed.iter().any(|known| known.arn == profile.arn) {
                    listed.push(profile);
                }
            }
            // A token that comes again would loop for ever.
            if next.is_none() || next == page {
                break;
            }
            page = next;
        }
        Ok(listed)
    }
}

fn usage_path(place: &Place, form: usize) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(FORMS[form]);
    if let Some(arn) = &place.arn {
        query.append_pair("profileArn", arn);
    }
    format!("/getUsageLimits?{}", query.finish())
}

/// The account's own host with and without its profile, the other region, and last the newer control plane.
fn places(account: &Account) -> Vec<Place> {
    let own = endpoint::control_plane(account);
    let region = API_REGIONS.iter().copied().find(|region| own.host.contains(region)).unwrap_or(API_REGIONS[0]);
    let mut places = vec![Place { host: own.host.clone(), arn: own.profile_arn.clone() }];
    if own.profile_arn.is_some() {
        places.push(Place { host: own.host.clone(), arn: None });
    }
    // A profile belongs to one region, and so does a key: the other one is asked only while none is known.
    let bound = match account.method {
        AuthMethod::ApiKey => account.api_region.is_some(),
        AuthMethod::Social | AuthMethod::Idc | AuthMethod::ExternalIdp => account.profile_arn.is_some(),
    };
    if !bound {
        let others = API_REGIONS.iter().filter(|other| **other != region);
        places.extend(others.map(|other| Place { host: format!("q.{other}.amazonaws.com"), arn: None }));
    }
    places.push(Place { host: format!("management.{region}.kiro.dev"), arn: own.profile_arn });
    places
}

enum Next {
    OtherForm,
    OtherPlace,
    Stop,
}

/// Whether another question could be answered after this refusal.
fn next(error: &UpstreamError) -> Next {
    match error.kind {
        Kind::Gate => Next::OtherForm,
        Kind::Malformed
        | Kind::Invalid
        | Kind::WrongRung
        | Kind::Forbidden
        | Kind::NoSuchPath
        | Kind::Transport
        | Kind::Corrupt => Next::OtherPlace,
        Kind::ContextTooLong
        | Kind::UnknownModel
        | Kind::ConversationId
        | Kind::ReasoningSignature
        | Kind::FieldsUnsupported
        | Kind::TokenRejected
        | Kind::Suspended
        | Kind::Organisation
        | Kind::MonthlyQuota
        | Kind::DailyQuota
        | Kind::Throttled
        | Kind::RiskControl
        | Kind::ModelBusy
        | Kind::Unavailable
        | Kind::ServerError
        | Kind::GaveUp
        | Kind::Blocked
        | Kind::TimedOut
        | Kind::Truncated
        | Kind::BrokenToolCall
        | Kind::Empty
        | Kind::ProxyDown
        | Kind::NotSent => Next::Stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::test_account;

    fn hosts(account: &Account) -> Vec<(String, bool)> {
        places(account).into_iter().map(|place| (place.host, place.arn.is_some())).collect()
    }

    #[test]
    fn an_account_with_a_profile_never_asks_the_other_region() {
        let mut account = test_account("a");
        account.method = AuthMethod::Idc;
        account.profile_arn = Some("arn:aws:codewhisperer:eu-central-1:111122223333:profile/A".into());
        let own = "q.eu-central-1.amazonaws.com".to_owned();
        let newer = "management.eu-central-1.kiro.dev".to_owned();
        assert_eq!(hosts(&account), [(own.clone(), true), (own, false), (newer, true)]);
    }

    #[test]
    fn a_key_of_a_region_never_asks_the_other_one() {
        let mut account = test_account("a");
        account.method = AuthMethod::ApiKey;
        account.profile_arn = None;
        account.api_region = Some("eu-central-1".into());
        let asked: Vec<String> = hosts(&account).into_iter().map(|(host, _)| host).collect();
        assert_eq!(asked, ["q.eu-central-1.amazonaws.com", "management.eu-central-1.kiro.dev"]);
    }

    #[test]
    fn an_account_without_a_profile_asks_both_regions() {
        let mut account = test_account("a");
        account.method = AuthMethod::Idc;
        let asked: Vec<String> = hosts(&account).into_iter().map(|(host, _)| host).collect();
        assert_eq!(
            asked,
            ["q.us-east-1.amazonaws.com", "q.eu-central-1.amazonaws.com", "management.us-east-1.kiro.dev"]
        );
    }
}
