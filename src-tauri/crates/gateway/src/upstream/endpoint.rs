//! In which order an account tries the hosts of the data plane: a ladder by kind of credential (kiro-upstream 1.2). What a
//! person chose stands alone; what worked last comes first.

use super::host::{API_REGIONS, region_of};
use crate::account::{Account, AuthMethod, Provider};

/// The profile that Kiro IDE names for every Builder ID; only the newest data plane insists on one.
const BUILDER_ARN: &str = "arn:aws:codewhisperer:us-east-1:638616132270:profile/AAAACCCCXXXX";
/// The profile shared by all Google and GitHub accounts.
const SOCIAL_ARN: &str = "arn:aws:codewhisperer:us-east-1:699475941385:profile/EHGA3GRVQMUK";
/// The oldest name of the service; it exists in one region only.
const OLDEST: &str = "codewhisperer.us-east-1.amazonaws.com";

/// How the hosts of the newer control plane begin.
const MANAGEMENT: &str = "management.";

/// One rung: a host and the profile to name there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rung {
    /// Host name.
    pub(crate) host: String,
    /// The profile ARN that belongs into requests to this host.
    pub(crate) profile_arn: Option<String>,
}

/// The data-plane hosts of an account, best first; at least one.
pub(crate) fn ladder(account: &Account) -> Vec<Rung> {
    if let Some(host) = account.wishes.host.as_deref().filter(|host| is_data_plane(host)) {
        return vec![rung(account, host.to_owned())];
    }
    let mut rungs: Vec<Rung> = hosts(account).into_iter().map(|host| rung(account, host)).collect();
    if let Some(learned) = &account.learned_host
        && let Some(at) = rungs.iter().position(|rung| rung.host == *learned)
    {
        rungs[..=at].rotate_right(1);
    }
    rungs
}

/// Host and profile for the catalogue call.
pub(crate) fn control_plane(account: &Account) -> Rung {
    let region = account.learned_host.as_deref().and_then(region_of).unwrap_or_else(|| api_region(account));
    let profile_arn = match account.method {
        AuthMethod::Social => account.profile_arn.clone().or_else(|| Some(SOCIAL_ARN.to_owned())),
        AuthMethod::Idc | AuthMethod::ExternalIdp => account.profile_arn.clone(),
        AuthMethod::ApiKey => None,
    };
    Rung { host: format!("q.{region}.amazonaws.com"), profile_arn }
}

/// Where questions about an account may be asked, best first: the regional host, for a key also the one its ladder begins
/// with, the other region while none is known, and the newer control plane.
pub(crate) fn control_planes(account: &Account) -> Vec<Rung> {
    let own = control_plane(account);
    let region = region_of(&own.host).unwrap_or(API_REGIONS[0]);
    let newer = Rung { host: format!("{MANAGEMENT}{region}.kiro.dev"), profile_arn: own.profile_arn.clone() };
    // A profile belongs to one region, and so does a key.
    let (bound, key) = match account.method {
        AuthMethod::ApiKey => (account.api_region.is_some(), true),
        AuthMethod::Social | AuthMethod::Idc | AuthMethod::ExternalIdp => (account.profile_arn.is_some(), false),
    };
    let bare = |host: String| Rung { host, profile_arn: None };
    let oldest = (key && region == API_REGIONS[0]).then(|| bare(OLDEST.to_owned()));
    let elsewhere = API_REGIONS.iter().filter(|other| !bound && **other != region).map(|other| bare(q(other)));
    std::iter::once(own).chain(oldest).chain(elsewhere).chain([newer]).collect()
}

/// True for the newer control plane, which names the operation in a header.
pub(crate) fn is_management(host: &str) -> bool {
    host.starts_with(MANAGEMENT)
}

/// True for a host that answers conversations; the only ones a person may choose.
pub(crate) fn is_data_plane(host: &str) -> bool {
    host == OLDEST || region_of(host).is_some_and(|region| host == runtime(region) || host == q(region))
}

/// The host that answers first in a region, for a look whether anything answers at all.
pub(crate) fn first_host(region: &str) -> String {
    q(region)
}

/// True for a region that has a data plane.
pub(crate) fn is_region(region: &str) -> bool {
    API_REGIONS.contains(&region)
}

/// Every host that a person may choose.
pub(crate) fn data_planes() -> Vec<String> {
    let regional = API_REGIONS.iter().flat_map(|region| [runtime(region), q(region)]);
    regional.chain([OLDEST.to_owned()]).collect()
}

fn hosts(account: &Account) -> Vec<String> {
    let region = api_region(account);
    let oldest = (region == "us-east-1").then(|| OLDEST.to_owned());
    // Without a profile the region is a guess: the other one is tried last.
    let guessed = account.profile_arn.is_none() && account.api_region.is_none();
    let elsewhere = API_REGIONS.iter().find(|other| **other != region).filter(|_| guessed).map(|other| q(other));
    match account.method {
        AuthMethod::Social => [Some(runtime(region)), Some(q(region)), oldest].into_iter().flatten().collect(),
        // The newest data plane insists on a profile and often refuses the placeholder: it comes last.
        AuthMethod::Idc if is_builder_id(account) => {
            [Some(q(region)), oldest, Some(runtime(region))].into_iter().flatten().collect()
        }
        AuthMethod::Idc | AuthMethod::ExternalIdp => {
            [Some(runtime(region)), Some(q(region)), oldest, elsewhere].into_iter().flatten().collect()
        }
        // A key is bound to one region: a host of another one comes behind.
        AuthMethod::ApiKey if region != "us-east-1" => vec![q(region), OLDEST.to_owned()],
        AuthMethod::ApiKey => [Some(OLDEST.to_owned()), Some(q(region)), elsewhere].into_iter().flatten().collect(),
    }
}

/// The profile that belongs to this account on this host.
fn rung(account: &Account, host: String) -> Rung {
    let own = account.profile_arn.as_deref();
    let profile_arn = match account.method {
        AuthMethod::Social => own.or(Some(SOCIAL_ARN)),
        AuthMethod::Idc if is_builder_id(account) && host.starts_with("runtime.") => own.or(Some(BUILDER_ARN)),
        AuthMethod::Idc | AuthMethod::ExternalIdp => own,
        // A profile beside a key is refused.
        AuthMethod::ApiKey => None,
    };
    Rung { host, profile_arn: profile_arn.map(str::to_owned) }
}

fn runtime(region: &str) -> String {
    format!("runtime.{region}.kiro.dev")
}

fn q(region: &str) -> String {
    format!("q.{region}.amazonaws.com")
}

/// Builder IDs sign in like IAM Identity Center and differ in hosts and profile.
fn is_builder_id(account: &Account) -> bool {
    match account.provider {
        Some(Provider::BuilderId) => true,
        Some(Provider::Google | Provider::Github | Provider::Enterprise | Provider::Internal | Provider::AzureAd) => {
            false
        }
        None => account.profile_arn.is_none(),
    }
}

/// The data plane lives in two regions; Europe has one, everybody else the other.
fn api_region(account: &Account) -> &'static str {
    let wanted = account.data_region();
    match API_REGIONS.iter().find(|region| **region == wanted) {
        Some(region) => region,
        None if wanted.starts_with("eu-") => "eu-central-1",
        None => "us-east-1",
    }
}

#[cfg(test)]
mod tests;
