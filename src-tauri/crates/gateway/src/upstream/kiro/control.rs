//! Questions about an account itself: its quota and its profiles. Hosts, forms of the question and families disagree
//! (kiro-upstream §1.2, §8), so both have a short list of places to ask; the one that answered is asked first the next time.

use super::places::{Next, Place, places};
use super::{Kiro, MAX_LIST, MAX_PAGES, answered, capped, checked, not_sent};
use crate::account::{AccessToken, Account, AccountId};
use crate::upstream::classify::{Kind, UpstreamError};
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

/// Which place and form answered an account's question last.
#[derive(Debug, Default)]
pub(super) struct Learned(Mutex<HashMap<AccountId, (Place, usize)>>);

impl Learned {
    pub(super) fn get(&self, account: &AccountId) -> Option<(Place, usize)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(account).cloned()
    }

    pub(super) fn put(&self, account: &AccountId, place: &Place, form: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(account.clone(), (place.clone(), form));
    }

    pub(super) fn forget(&self, account: &AccountId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(account);
    }
}

impl Kiro {
    /// Asks for the quota, as often as the answers leave hope. An account that is refused ends it at once; a token only when no
    /// host takes it.
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
            let next = Next::after(error.kind);
            match (next, next.place(&places, at)) {
                (Next::OtherForm, _) if form + 1 < FORMS.len() => form += 1,
                (Next::OtherForm | Next::OtherPlace | Next::OtherHost, Some(other)) => {
                    at = other;
                    form = 0;
                }
                (Next::OtherForm | Next::OtherPlace | Next::OtherHost, None) | (Next::Stop, _) => {
                    return Err(first.unwrap_or(error));
                }
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
