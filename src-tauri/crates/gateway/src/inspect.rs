//! What a fresh sign-in can do: its profile and region, plan and credits, and the models it is offered. Whoever adds an account
//! asks for this once, so that a person sees proof instead of hope.
//!
//! Promises: each question is asked once, the token is bought anew at most once, and only what the upstream listed is kept. A
//! profile that was chosen before stays chosen while the upstream still lists it.

use crate::account::{Account, AccountId, AuthMethod, Provider, Roster, RosterError};
use crate::catalog::Catalog;
use crate::disk::off_thread;
use crate::error::{Problem, ProblemCode};
use crate::inquiry::{Inquiry, InquiryError};
use crate::quota::Quotas;
use crate::upstream::classify::Kind;
use crate::upstream::endpoint;
use crate::upstream::profiles::{Profile, is_nobodys};
use crate::upstream::usage::Quota;
use std::sync::Arc;

/// Where profiles live: the two regions of the data plane.
const REGIONS: [&str; 2] = ["us-east-1", "eu-central-1"];

/// Start page of every AWS Builder ID (public constant).
const BUILDER_START: &str = "https://view.awsapps.com/start";

/// What was found out about an account.
#[derive(Debug, Clone)]
pub(crate) struct Inspection {
    /// Profiles that can be used. With several, the account names the first, or the one that was chosen before, until a
    /// person decides.
    pub(crate) profiles: Vec<Profile>,
    /// Plan and credits.
    pub(crate) quota: Option<Quota>,
    /// Ids of the models it is offered.
    pub(crate) models: Vec<String>,
    /// The host that its requests go to first.
    pub(crate) host: Option<String>,
    /// What could not be found out, in the order it was asked.
    pub(crate) problems: Vec<Problem>,
}

impl Inspection {
    fn log(&self, account: &Account) {
        tracing::info!(
            account = %account.id,
            plan = self.quota.as_ref().and_then(|quota| quota.plan.as_deref()).unwrap_or("-"),
            profiles = self.profiles.len(),
            models = self.models.len(),
            host = self.host.as_deref().unwrap_or("-"),
            problems = self.problems.len(),
            "the account was looked at"
        );
    }
}

/// Asks the upstream about accounts.
pub(crate) struct Inspector {
    inquiry: Inquiry,
    roster: Arc<Roster>,
    catalog: Arc<Catalog>,
    quotas: Arc<Quotas>,
}

impl Inspector {
    pub(crate) fn new(inquiry: Inquiry, roster: Arc<Roster>, catalog: Arc<Catalog>, quotas: Arc<Quotas>) -> Self {
        Self { inquiry, roster, catalog, quotas }
    }

    /// Finds out what can be known, fills what the list of accounts lacks, and keeps the list of models. An error only when
    /// there is no such account or it has no working token; everything else is in `problems`.
    pub(crate) async fn inspect(&self, id: &AccountId) -> Result<Inspection, Problem> {
        let account =
            self.roster.get(id).ok_or_else(|| Problem::new(ProblemCode::NotFound, "there is no such account"))?;
        let mut problems = Vec::new();
        let profiles = match self.profiles(&account).await {
            Ok(profiles) => profiles,
            Err(error @ (InquiryError::Token(_) | InquiryError::Refused(_))) => return Err(error.problem()),
            Err(error @ InquiryError::Upstream(_)) => {
                problems.push(error.problem());
                Vec::new()
            }
        };
        let account = self.roster.get(id).unwrap_or(account);
        let quota = match self.quotas.fresh(&account).await {
            Ok(()) => self.quotas.known(id),
            Err(error @ (InquiryError::Token(_) | InquiryError::Refused(_))) => return Err(error.problem()),
            Err(error @ InquiryError::Upstream(_)) => {
                problems.push(error.problem());
                None
            }
        };
        let models = match self.inquiry.models(&account).await {
            Ok(models) => {
                let ids = models.iter().map(|model| model.id.clone()).collect();
                if !models.is_empty() {
                    self.catalog.learned(id, models);
                }
                ids
            }
            Err(error) => {
                self.catalog.missed(id);
                problems.push(error.problem());
                Vec::new()
            }
        };
        let account = self.roster.get(id).unwrap_or(account);
        let first = || endpoint::ladder(&account).into_iter().next().map(|rung| rung.host);
        let host = account.learned_host.clone().or_else(first);
        let inspection = Inspection { profiles, quota, models, host, problems };
        inspection.log(&account);
        Ok(inspection)
    }

    /// Forgets what was found out about an account that is taken back.
    pub(crate) fn forget(&self, id: &AccountId) {
        self.catalog.forget(id);
        self.quotas.forget(id);
    }

    /// Whose the account's login is now, as the upstream says; `None` when it does not say.
    pub(crate) async fn whose(&self, account: &Account) -> Result<Option<String>, Problem> {
        self.inquiry.usage(account).await.map(|answer| answer.user_id).map_err(|error| error.problem())
    }

    /// Buys a fresh token, whatever the old one is still good for.
    pub(crate) async fn renew(&self, account: &Account) -> Result<(), Problem> {
        self.inquiry.renew(account).await.map_err(|error| error.problem())
    }

    /// The profiles that can be used, of both regions; the account's own is chosen on the way.
    async fn profiles(&self, account: &Account) -> Result<Vec<Profile>, InquiryError> {
        if !has_own_profiles(account) {
            return Ok(Vec::new());
        }
        let mut found: Vec<Profile> = Vec::new();
        let mut first_error = None;
        for region in regions(account) {
            match self.inquiry.profiles(account, region).await {
                Ok(listed) => {
                    for profile in listed {
                        if profile.active && !found.iter().any(|known| known.arn == profile.arn) {
                            found.push(profile);
                        }
                    }
                }
                // A Builder ID has no profiles, and only this answer tells it from a company's sign-in.
                Err(InquiryError::Upstream(error))
                    if error.kind == Kind::Forbidden && is_builder_id(&error.message) =>
                {
                    let kept = self.keep(&account.id, |account| {
                        account.provider = Some(Provider::BuilderId);
                        account.start_url = Some(BUILDER_START.to_owned());
                    });
                    kept.await;
                    return Ok(Vec::new());
                }
                Err(error @ InquiryError::Upstream(_)) => first_error = first_error.or(Some(error)),
                Err(error @ (InquiryError::Token(_) | InquiryError::Refused(_))) => return Err(error),
            }
        }
        let chosen = account.profile_arn.as_ref().filter(|arn| found.iter().any(|profile| profile.arn == **arn));
        match (chosen, found.first()) {
            (Some(_), _) => {}
            (None, Some(first)) => {
                let (arn, region) = (first.arn.clone(), first.region().map(str::to_owned));
                let kept = self.keep(&account.id, move |account| {
                    if account.method == AuthMethod::Idc {
                        // A Builder ID has none.
                        account.provider = Some(Provider::Enterprise);
                    }
                    account.profile_arn = Some(arn);
                    account.api_region = region.or_else(|| account.api_region.take());
                });
                kept.await;
            }
            (None, None) => {
                if let Some(error) = first_error {
                    return Err(error);
                }
                if account.profile_arn.as_deref().is_some_and(is_nobodys) {
                    self.keep(&account.id, |account| account.profile_arn = None).await;
                }
            }
        }
        Ok(found)
    }

    async fn keep(&self, id: &AccountId, change: impl FnOnce(&mut Account) + Send + 'static) {
        let (roster, wanted) = (Arc::clone(&self.roster), id.clone());
        let kept = off_thread(move || roster.update(&wanted, change)).await.map_err(RosterError::Io);
        if let Err(error) = kept.flatten() {
            tracing::warn!(account = %id, %error, "what was found out about the account could not be saved");
        }
    }
}

/// Only sign-ins of companies have profiles of their own; social accounts share one, keys have none.
fn has_own_profiles(account: &Account) -> bool {
    match account.method {
        AuthMethod::Idc => match account.provider {
            // Files guess it; only the start page or the service's own word is proof.
            Some(Provider::BuilderId) => account.start_url.as_deref() != Some(BUILDER_START),
            None
            | Some(
                Provider::Google | Provider::Github | Provider::Enterprise | Provider::Internal | Provider::AzureAd,
            ) => true,
        },
        AuthMethod::ExternalIdp => true,
        AuthMethod::Social | AuthMethod::ApiKey => false,
    }
}

/// The likelier region first: that of a known profile, else the continent of the identity instance.
fn regions(account: &Account) -> Vec<&'static str> {
    let hint = account
        .profile_arn
        .as_deref()
        .and_then(crate::account::arn_region)
        .or(account.api_region.as_deref())
        .or(account.oidc_region.as_deref())
        .unwrap_or(REGIONS[0]);
    let europe = hint.starts_with("eu-");
    let mut regions = REGIONS.to_vec();
    regions.sort_by_key(|region| region.starts_with("eu-") != europe);
    regions
}

fn is_builder_id(message: &str) -> bool {
    message.to_ascii_lowercase().contains("builder id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::test_account;

    #[test]
    fn the_region_of_the_identity_instance_decides_only_which_region_is_asked_first() {
        let mut account = test_account("a");
        account.method = AuthMethod::Idc;
        account.oidc_region = Some("eu-west-1".into());
        assert_eq!(regions(&account), ["eu-central-1", "us-east-1"]);
        account.profile_arn = Some("arn:aws:codewhisperer:us-east-1:111122223333:profile/A".into());
        assert_eq!(regions(&account), ["us-east-1", "eu-central-1"]);
        account.profile_arn = None;
        account.oidc_region = Some("ap-southeast-1".into());
        assert_eq!(regions(&account), ["us-east-1", "eu-central-1"]);
    }
}
