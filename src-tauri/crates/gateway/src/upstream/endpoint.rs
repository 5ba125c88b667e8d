//! In which order an account tries the hosts of the data plane: a ladder by kind of credential.

use super::host::API_REGIONS;
use crate::account::{Account, AuthMethod, Provider};

/// The profile that Kiro IDE names for every Builder ID; only the newest data plane insists on one.
const BUILDER_ARN: &str = "arn:aws:codewhisperer:us-east-1:638616132270:profile/AAAACCCCXXXX";
/// The profile shared by all Google and GitHub accounts.
const SOCIAL_ARN: &str = "arn:aws:codewhisperer:us-east-1:699475941385:profile/EHGA3GRVQMUK";

/// One rung: a host and the profile to name there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rung {
    /// Host name.
    pub(crate) host: String,
    /// The profile ARN that belongs into requests to this host.
    pub(crate) profile_arn: Option<String>,
}

/// The data-plane hosts of an account, best first.
pub(crate) fn ladder(account: &Account) -> Vec<Rung> {
    let region = api_region(account);
    let runtime = format!("runtime.{region}.kiro.dev");
    let q = format!("q.{region}.amazonaws.com");
    let oldest = (region == "us-east-1").then(|| "codewhisperer.us-east-1.amazonaws.com".to_owned());
    let rung = |host: String, arn: Option<&str>| Rung { host, profile_arn: arn.map(str::to_owned) };
    let own = account.profile_arn.as_deref();
    match account.method {
        AuthMethod::Social => {
            let arn = own.or(Some(SOCIAL_ARN));
            [Some(runtime), Some(q), oldest].into_iter().flatten().map(|host| rung(host, arn)).collect()
        }
        AuthMethod::Idc if is_builder_id(account) => {
            // The newest data plane insists on a profile and often refuses the placeholder: it comes last.
            let mut rungs: Vec<_> = [Some(q), oldest].into_iter().flatten().map(|host| rung(host, own)).collect();
            rungs.push(rung(runtime, own.or(Some(BUILDER_ARN))));
            rungs
        }
        AuthMethod::Idc | AuthMethod::ExternalIdp => {
            [Some(runtime), Some(q), oldest].into_iter().flatten().map(|host| rung(host, own)).collect()
        }
        // A profile beside a key is refused.
        AuthMethod::ApiKey => {
            let oldest = "codewhisperer.us-east-1.amazonaws.com".to_owned();
            vec![rung(oldest, None), rung(q, None)]
        }
    }
}

/// Host and profile for the catalogue call.
pub(crate) fn control_plane(account: &Account) -> Rung {
    let host = format!("q.{}.amazonaws.com", api_region(account));
    let profile_arn = match account.method {
        AuthMethod::Social => account.profile_arn.clone().or_else(|| Some(SOCIAL_ARN.to_owned())),
        AuthMethod::Idc | AuthMethod::ExternalIdp => account.profile_arn.clone(),
        AuthMethod::ApiKey => None,
    };
    Rung { host, profile_arn }
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
