//! What a person wishes for an account, and what of it is acceptable.

use serde::{Deserialize, Serialize};

/// What a person wishes for an account. None of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Wishes {
    /// Groups it belongs to; client keys can be restricted to groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// A person's own words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Lower numbers are used first by the strategy `priority`.
    pub priority: i32,
    /// Its share of the requests by the strategy `weighted`, 1 to 100; `None` is 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u8>,
    /// The account rests when less than this much of its quota is left, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota_floor_percent: Option<u8>,
    /// How many requests may use it at the same time, 1 to 4096; `None` is as the settings say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u16>,
    /// How it reaches the network; `None` is as everything else does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyChoice>,
    /// The only host to ask, from the compiled table; for advanced users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Rest rather than pay extra once the plan's credits are used up; `None` is as the settings say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub never_overage: Option<bool>,
}

impl Wishes {
    /// Highest floor in percent.
    pub(crate) const HIGHEST_FLOOR: u8 = 90;
    /// Highest share by the strategy `weighted`.
    pub(crate) const HIGHEST_WEIGHT: u8 = 100;
    /// Most requests at the same time, as in the settings.
    pub(crate) const HIGHEST_CONCURRENCY: u16 = 4096;

    /// Its share of the requests, at least 1.
    pub(crate) fn weight(&self) -> u16 {
        self.weight.unwrap_or(1).max(1).into()
    }

    /// How many requests may use it at the same time, at least 1, where `for_all` is what the settings say.
    pub(crate) fn concurrency(&self, for_all: u32) -> u16 {
        self.concurrency.unwrap_or_else(|| u16::try_from(for_all).unwrap_or(u16::MAX)).max(1)
    }

    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How an account reaches the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ProxyChoice {
    /// Without any proxy.
    Direct,
    /// Through this one, for every call of the account; when it does not work, nothing is sent.
    Through {
        /// `http`, `https`, `socks5`, `socks5h`, `socks4` or `socks4a`, host and port. A user name and password are a secret of
        /// the account.
        url: String,
    },
}

/// Most tags of an account or a key.
const MOST_TAGS: usize = 50;
/// Longest tag in characters.
const LONGEST_TAG: usize = 40;

/// Why these tags are not acceptable, in plain words.
pub(crate) fn wrong_tags(tags: &[String]) -> Option<String> {
    let wrong = |tag: &String| {
        let length = tag.chars().count();
        length == 0 || length > LONGEST_TAG || tag.trim() != tag || tag.chars().any(|c| c.is_control() || c == ',')
    };
    if tags.len() > MOST_TAGS {
        return Some(format!("at most {MOST_TAGS} tags"));
    }
    let at = tags.iter().position(wrong)?;
    Some(format!("tag {} must have 1 to {LONGEST_TAG} characters, no comma and no space around it", at + 1))
}
