//! The accounts that exist upstream: one family per way of signing in (kiro-upstream §1.2, §5).

use serde::{Deserialize, Serialize};

use crate::credits::Allowance;

/// The ARN that all social accounts share (public constant, kiro-upstream §1.6).
pub const SOCIAL_ARN: &str = "arn:aws:codewhisperer:us-east-1:699475941385:profile/EHGA3GRVQMUK";
/// The fixed value that the IDE uses for Builder ID (public constant, kiro-upstream §1.6).
pub const BUILDER_ID_ARN: &str = "arn:aws:codewhisperer:us-east-1:638616132270:profile/AAAACCCCXXXX";

/// Moment of the next monthly reset, Unix seconds; far enough away to stay in the future.
const NEXT_RESET_S: f64 = 4_102_444_800.0;
/// Most credits beyond a plan.
const OVERAGE_CAP: f64 = 10_000.0;

/// Models of the small plan: no Opus, nothing of the newest.
const SMALL_PLAN: [&str; 6] =
    ["auto", "claude-sonnet-4", "claude-sonnet-4.5", "claude-haiku-4.5", "glm-5", "qwen3-coder-next"];

/// How an account signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Family {
    /// Google or GitHub through the Kiro auth service.
    Social,
    /// AWS Builder ID.
    BuilderId,
    /// IAM Identity Center of a company.
    Idc,
    /// Microsoft Entra.
    ExternalIdp,
    /// A `ksk_` key.
    ApiKey,
}

/// One account as the stand-in knows it at start.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountSeed {
    /// Name used by scripts and the journal.
    pub id: String,
    /// How it signs in.
    pub family: Family,
    /// Shown by getUsageLimits.
    pub email: String,
    /// Stable user id of getUsageLimits.
    pub user_id: String,
    /// The account's own profile; `None` for families without one.
    pub profile_arn: Option<String>,
    /// Region of the identity instance; the only one whose OIDC host refreshes it.
    pub oidc_region: String,
    /// First access token (for an API key: the key).
    pub access_token: String,
    /// First refresh token; empty for an API key.
    pub refresh_token: String,
    /// OIDC or Entra client.
    pub client_id: String,
    /// OIDC client secret; empty for public clients.
    pub client_secret: String,
    /// Start URL of the identity instance.
    pub start_url: String,
    /// Lifetime of access tokens in seconds.
    pub expires_in: u64,
    /// Whether a refresh hands out a new refresh token and kills the old one.
    pub rotates: bool,
    /// Title of the plan.
    pub plan: String,
    /// Credits of the plan.
    pub credit_limit: f64,
    /// Credits of the plan used before start.
    pub credits_used: f64,
    /// A free trial on top of the plan.
    pub trial: Option<Allowance>,
    /// Bonuses on top of the plan.
    pub bonuses: Vec<Allowance>,
    /// Whether the person agreed to pay for use beyond the plan.
    pub overage: bool,
    /// Most credits beyond the plan.
    pub overage_cap: f64,
    /// When the plan starts again, Unix seconds.
    pub next_reset_s: f64,
    /// Further profiles that the account may name, of any region.
    pub more_profiles: Vec<String>,
    /// Models this account may use; `None` = the whole catalogue.
    pub models: Option<Vec<String>>,
    /// A suspended account gets 403 TEMPORARILY_SUSPENDED.
    pub suspended: bool,
}

impl AccountSeed {
    /// An account of a family with invented, recognisable credentials (the ones of the reference samples).
    pub fn new(id: &str, family: Family) -> Self {
        let (arn, region, start, life) = match family {
            Family::Social => (Some(SOCIAL_ARN), "us-east-1", "", 3600),
            Family::BuilderId => (None, "us-east-1", "https://view.awsapps.com/start", 3600),
            Family::Idc => (
                Some("arn:aws:codewhisperer:us-east-1:111122223333:profile/EXAMPLEIDCUS"),
                "eu-west-1",
                "https://example-company.awsapps.com/start",
                28_800,
            ),
            Family::ExternalIdp => {
                (Some("arn:aws:codewhisperer:us-east-1:111122223333:profile/EXAMPLEENTRA"), "us-east-1", "", 3600)
            }
            Family::ApiKey => (None, "us-east-1", "", 0),
        };
        let length = if family == Family::ExternalIdp { 200 } else { 140 };
        let (access_token, refresh_token) = if family == Family::ApiKey {
            ("ksk_EXAMPLE0000000000000000000000000000".to_owned(), String::new())
        } else {
            (token("access", id, length), token("refresh", id, length))
        };
        let (client_id, client_secret) = match family {
            Family::BuilderId | Family::Idc => {
                ("EXAMPLECLIENTID", "EXAMPLE-CLIENT-SECRET-".to_owned() + &"x".repeat(60))
            }
            Family::ExternalIdp => ("00000000-0000-4000-8000-00000000cccc", String::new()),
            Family::Social | Family::ApiKey => ("", String::new()),
        };
        Self {
            id: id.to_owned(),
            family,
            email: format!("{id}@example.com"),
            user_id: format!("d-xxxxxxxxxx.{id}"),
            profile_arn: arn.map(str::to_owned),
            oidc_region: region.to_owned(),
            access_token,
            refresh_token,
            client_id: client_id.to_owned(),
            client_secret,
            start_url: start.to_owned(),
            expires_in: life,
            rotates: true,
            plan: "KIRO PRO".to_owned(),
            credit_limit: 1000.0,
            credits_used: 0.0,
            trial: None,
            bonuses: Vec::new(),
            overage: false,
            overage_cap: OVERAGE_CAP,
            next_reset_s: NEXT_RESET_S,
            more_profiles: Vec::new(),
            models: None,
            suspended: false,
        }
    }

    /// One account of every family (the Builder ID one with a small plan), an Identity Center account whose profile lives in the other region, and the demo account.
    pub fn one_of_each() -> Vec<Self> {
        let mut small = Self::new("builderid", Family::BuilderId);
        small.plan = "KIRO FREE".to_owned();
        small.models = Some(SMALL_PLAN.map(str::to_owned).to_vec());
        let mut eu = Self::new("idc-eu", Family::Idc);
        eu.profile_arn = Some("arn:aws:codewhisperer:eu-central-1:111122223333:profile/EXAMPLEIDCEU".to_owned());
        vec![
            Self::new("social", Family::Social),
            small,
            Self::new("idc", Family::Idc),
            eu,
            Self::new("entra", Family::ExternalIdp),
            Self::new("apikey", Family::ApiKey),
            crate::demo::account(),
        ]
    }

    /// Whether a profile belongs to the account.
    pub(crate) fn may_name(&self, arn: &str) -> bool {
        self.profile_arn.iter().chain(&self.more_profiles).any(|own| own == arn)
    }

    /// Region of the data plane: the ARN's, else us-east-1 (kiro-upstream §1.3).
    pub fn api_region(&self) -> &str {
        self.profile_arn.as_deref().and_then(|arn| arn.split(':').nth(3)).unwrap_or("us-east-1")
    }
}

/// An invented token that says what it is: `EXAMPLE-<what>-<whose>-` filled up with hex digits.
pub(crate) fn token(what: &str, whose: &str, length: usize) -> String {
    let mut text = format!("EXAMPLE-{what}-{whose}-");
    text.extend("0123456789abcdef".chars().cycle().take(length.saturating_sub(text.len())));
    text
}
