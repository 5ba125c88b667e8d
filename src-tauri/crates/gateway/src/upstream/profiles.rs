//! What ListAvailableProfiles says (kiro-upstream §1.6), and what may be kept of it.

use super::classify::{Kind, UpstreamError};
use super::identity::hosts;
use serde::Deserialize;
use serde_json::json;

/// ARNs that many accounts share, or that stand for none; none of them is somebody's profile (kiro-upstream §1.6).
const NOBODYS: [&str; 2] = ["638616132270:profile/AAAACCCCXXXX", "610548660232:profile/VNECVYCYYAWN"];

/// A profile that an account may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    /// Its ARN.
    pub(crate) arn: String,
    /// Its name for people.
    pub(crate) name: Option<String>,
    /// Whether it can be used now.
    pub(crate) active: bool,
}

impl Profile {
    /// Region of the data plane that belongs to it.
    pub(crate) fn region(&self) -> Option<&str> {
        crate::account::arn_region(&self.arn)
    }
}

/// True for a text that can be the name of a profile: `arn:aws:codewhisperer:<region>:<12 digits>:profile/<id>`.
pub(crate) fn is_name(arn: &str) -> bool {
    let fields: Vec<&str> = arn.split(':').collect();
    let ["arn", partition, "codewhisperer", region, account, resource] = fields.as_slice() else { return false };
    ["aws", "aws-us-gov", "aws-cn"].contains(partition)
        && hosts::is_region(region)
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && resource.strip_prefix("profile/").is_some_and(|id| {
            (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

/// True for the ARNs that must not be kept as an account's own.
pub(crate) fn is_nobodys(arn: &str) -> bool {
    NOBODYS.iter().any(|known| arn.ends_with(known))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    profiles: Vec<Listed>,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default)]
    arn: Option<String>,
    #[serde(default)]
    profile_name: Option<String>,
    #[serde(default)]
    status: Option<String>,
}

/// The body of a request for a page.
pub(super) fn question(page: Option<&str>) -> String {
    match page {
        None => json!({"maxResults": 10}),
        Some(token) => json!({"maxResults": 10, "nextToken": token}),
    }
    .to_string()
}

/// Reads a page: its profiles and the token of the next one. What is no ARN of a profile, or nobody's, is left out.
pub(super) fn read(body: &[u8]) -> Result<(Vec<Profile>, Option<String>), UpstreamError> {
    let page: Page = serde_json::from_slice(body).map_err(|error| {
        UpstreamError::local(Kind::Corrupt, format!("the list of profiles cannot be read: {error}"))
    })?;
    let profile = |listed: Listed| {
        let arn = listed.arn.filter(|arn| is_profile(arn) && !is_nobodys(arn))?;
        Some(Profile {
            arn,
            name: listed.profile_name.filter(|name| !name.is_empty()),
            // Without a word on it, it is tried.
            active: listed.status.is_none_or(|status| status.eq_ignore_ascii_case("ACTIVE")),
        })
    };
    Ok((page.profiles.into_iter().filter_map(profile).collect(), page.next_token.filter(|token| !token.is_empty())))
}

/// The form of a profile's ARN. It goes into queries and headers, so nothing else passes.
fn is_profile(arn: &str) -> bool {
    let plain = arn.len() <= 200 && arn.bytes().all(|b| b.is_ascii_alphanumeric() || b":/-_.".contains(&b));
    plain && crate::account::arn_region(arn).is_some() && arn.contains(":profile/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLLECTION: &str = include_str!("../../../../../tests/fixtures/upstream/list-available-profiles.json");

    #[test]
    fn every_list_of_the_collection_gives_the_profile_it_expects() {
        let collection: serde_json::Value = serde_json::from_str(COLLECTION).expect("JSON");
        let mut seen = 0;
        for case in collection["cases"].as_array().expect("cases") {
            let alone = std::slice::from_ref(case);
            let steps = case["steps"].as_array().map_or(alone, Vec::as_slice);
            let answers = steps.iter().map(|step| &step["response"]).filter(|answer| answer["status"] == 200);
            let listed: Vec<Profile> =
                answers.flat_map(|answer| read(answer["body"].to_string().as_bytes()).expect("a list").0).collect();
            let active: Vec<&Profile> = listed.iter().filter(|profile| profile.active).collect();
            if let Some(count) = case["expected"]["count"].as_u64() {
                assert_eq!(active.len() as u64, count, "{}", case["name"]);
            } else {
                let first = active.first();
                assert_eq!(first.map(|p| p.arn.as_str()), case["expected"]["arn"].as_str(), "{}", case["name"]);
                if let Some(region) = case["expected"]["api_region"].as_str() {
                    assert_eq!(first.and_then(|p| p.region()), Some(region), "{}", case["name"]);
                }
            }
            seen += 1;
        }
        assert!(seen >= 6);
    }

    #[test]
    fn what_is_nobodys_profile_or_no_profile_is_left_out() {
        let body = json!({"profiles": [
            {"arn": "arn:aws:codewhisperer:us-east-1:638616132270:profile/AAAACCCCXXXX", "status": "ACTIVE"},
            {"arn": "arn:aws:codewhisperer:us-east-1:610548660232:profile/VNECVYCYYAWN", "status": "ACTIVE"},
            {"arn": "", "status": "ACTIVE"}, {"status": "ACTIVE"}, {"arn": "arn:aws:s3:::bucket"},
            {"arn": "arn:aws:codewhisperer:us-east-1:1:profile/A\r\nx-evil: 1"},
            {"arn": "arn:aws:codewhisperer:eu-central-1:111122223333:profile/MINE"}
        ], "nextToken": ""});
        let (profiles, next) = read(body.to_string().as_bytes()).expect("a list");
        assert_eq!(
            profiles.iter().map(|p| p.arn.as_str()).collect::<Vec<_>>(),
            ["arn:aws:codewhisperer:eu-central-1:111122223333:profile/MINE"]
        );
        assert!(profiles[0].active && next.is_none());
    }
}
