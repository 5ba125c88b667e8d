//! A change of an account as a face sends it, checked before anything of it is saved.

use crate::account::{Account, AuthMethod, ProxyChoice, Wishes, arn_region, wrong_tags};
use crate::error::{FieldProblem, Problem, ProblemCode};
use crate::upstream::{endpoint, proxy};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

/// Longest name in characters.
const LONGEST_LABEL: usize = 100;
/// Longest note in characters.
const LONGEST_NOTE: usize = 2000;

/// A change of an account: only what changes. `null` goes back to the default.
#[derive(Deserialize, ToSchema, Default)]
#[serde(rename_all = "camelCase")]
pub(in crate::http::admin) struct AccountChange {
    /// Its name for people.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    label: Option<String>,
    /// Whether it serves.
    #[serde(default)]
    enabled: Option<bool>,
    /// Groups it belongs to.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>, max_items = 50)]
    tags: Option<Option<Vec<String>>>,
    /// A person's own words.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    note: Option<Option<String>>,
    /// Lower numbers are used first by the strategy `priority`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i32>)]
    priority: Option<Option<i32>>,
    /// Its share of the requests by the strategy `weighted`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u8>, minimum = 1, maximum = 100)]
    weight: Option<Option<u8>>,
    /// It rests when less than this much of its quota is left, in percent.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u8>, minimum = 0, maximum = 90)]
    quota_floor_percent: Option<Option<u8>>,
    /// How many requests may use it at the same time.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 4096)]
    concurrency: Option<Option<u16>>,
    /// How it reaches the network. A user name and password in the address are taken out of it and kept secret.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ProxyChoice>)]
    proxy: Option<Option<ProxyChoice>>,
    /// User name at the proxy; write-only.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    proxy_user: Option<Option<String>>,
    /// Password at the proxy; write-only.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    proxy_password: Option<Option<String>>,
    /// The only host to ask, from the service's own hosts.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    host: Option<Option<String>>,
    /// Rest rather than pay extra.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    never_overage: Option<Option<bool>>,
    /// The profile that requests name.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    profile_arn: Option<Option<String>>,
}

/// Tells `null` from a field that is not there.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}

/// A change that is acceptable.
pub(super) struct Plan {
    change: AccountChange,
    pub(super) enabled: Option<bool>,
    /// The login at the proxy, when it changes; `Some(None)` removes it.
    pub(super) proxy_login: Option<Option<SecretString>>,
}

impl AccountChange {
    /// Checks everything, so that a person learns of all that is wrong at once.
    pub(super) fn check(mut self, account: &Account) -> Result<Plan, Problem> {
        let mut wrong = Vec::new();
        if let Some(label) = &mut self.label {
            *label = label.trim().to_owned();
            let length = label.chars().count();
            if length == 0 || length > LONGEST_LABEL || label.chars().any(char::is_control) {
                wrong.push(("label", "invalid_value", format!("a name has 1 to {LONGEST_LABEL} characters")));
            }
        }
        if let Some(words) = self.tags.iter().flatten().find_map(|tags| wrong_tags(tags)) {
            wrong.push(("tags", "invalid_value", words));
        }
        if self.note.iter().flatten().any(|note| note.chars().count() > LONGEST_NOTE) {
            wrong.push(("note", "out_of_range", format!("at most {LONGEST_NOTE} characters")));
        }
        if self.quota_floor_percent.flatten().is_some_and(|floor| floor > Wishes::HIGHEST_FLOOR) {
            wrong.push((
                "quotaFloorPercent",
                "out_of_range",
                format!("must be between 0 and {}", Wishes::HIGHEST_FLOOR),
            ));
        }
        if self.concurrency.flatten().is_some_and(|at_once| !(1..=Wishes::HIGHEST_CONCURRENCY).contains(&at_once)) {
            wrong.push((
                "concurrency",
                "out_of_range",
                format!("must be between 1 and {}", Wishes::HIGHEST_CONCURRENCY),
            ));
        }
        if self.weight.flatten().is_some_and(|weight| !(1..=Wishes::HIGHEST_WEIGHT).contains(&weight)) {
            wrong.push(("weight", "out_of_range", format!("must be between 1 and {}", Wishes::HIGHEST_WEIGHT)));
        }
        if let Some(host) = self.host.iter().flatten().find(|host| !endpoint::is_data_plane(host)) {
            let shown: String = host.chars().filter(|c| !c.is_control()).take(80).collect();
            let hosts = endpoint::data_planes().join(", ");
            wrong.push(("host", "invalid_value", format!("{shown:?} is not a host of the service; it has {hosts}")));
        }
        match &self.profile_arn {
            Some(Some(_)) if account.method == AuthMethod::ApiKey => {
                wrong.push(("profileArn", "invalid_value", "an account with an API key names no profile".to_owned()));
            }
            Some(Some(arn)) if !is_profile(arn) => {
                let form = "a profile is written as arn:aws:codewhisperer:REGION:ACCOUNT:profile/NAME";
                wrong.push(("profileArn", "invalid_value", form.to_owned()));
            }
            Some(_) | None => {}
        }
        let proxy_login = self.split_proxy(account).unwrap_or_else(|problem| {
            wrong.push(problem);
            None
        });
        if wrong.is_empty() {
            return Ok(Plan { enabled: self.enabled, change: self, proxy_login });
        }
        let words: Vec<String> = wrong.iter().map(|(field, _, words)| format!("{field}: {words}")).collect();
        let mut problem = Problem::new(ProblemCode::InvalidFields, words.join("; "));
        for (field, code, message) in wrong {
            problem.fields.insert(field.to_owned(), FieldProblem { code: code.to_owned(), message });
        }
        Err(problem)
    }

    /// Takes the login out of the proxy's address, and says what becomes of the one that is kept.
    fn split_proxy(
        &mut self,
        account: &Account,
    ) -> Result<Option<Option<SecretString>>, (&'static str, &'static str, String)> {
        let mut login = match (self.proxy_user.take(), self.proxy_password.take()) {
            (None, None) => None,
            (Some(None), _) => Some(None),
            (None, Some(_)) => {
                return Err((
                    "proxyPassword",
                    "invalid_value",
                    "give the user name together with the password".to_owned(),
                ));
            }
            (Some(Some(user)), password) => {
                let password = password.flatten().unwrap_or_default();
                let login = proxy::login(&user, &password);
                Some(Some(login.map_err(|words| ("proxyUser", "invalid_value", words.to_owned()))?))
            }
        };
        match &mut self.proxy {
            Some(Some(ProxyChoice::Through { url })) => {
                let (address, inside) =
                    proxy::split(url).map_err(|wrong| ("proxy", "invalid_value", wrong.to_string()))?;
                *url = address.to_string();
                let moved = match &account.wishes.proxy {
                    Some(ProxyChoice::Through { url: known }) => known != url,
                    Some(ProxyChoice::Direct) | None => true,
                };
                // A login is for one address: it does not go along to another one.
                login = login.or(inside.map(Some)).or(moved.then_some(None));
            }
            Some(Some(ProxyChoice::Direct) | None) => login = Some(None),
            None => {}
        }
        let used = match (&self.proxy, &account.wishes.proxy) {
            (Some(Some(ProxyChoice::Through { url })), _) | (None, Some(ProxyChoice::Through { url })) => Some(url),
            (Some(_), _) | (None, Some(ProxyChoice::Direct) | None) => None,
        };
        let takes_none = used.is_some_and(|url| proxy::check(url).is_ok_and(|url| !url.takes_login()));
        if takes_none && matches!(login, Some(Some(_))) {
            return Err(("proxyUser", "invalid_value", proxy::WrongProxy::NoLogin.to_string()));
        }
        Ok(login.filter(|login| login.as_ref().is_none_or(|login| !login.expose_secret().is_empty())))
    }
}

impl Plan {
    /// Makes the change.
    pub(super) fn apply(self, account: &mut Account) {
        let change = self.change;
        let wishes = &mut account.wishes;
        if let Some(label) = change.label {
            account.label = label;
        }
        if let Some(tags) = change.tags {
            let mut tags = tags.unwrap_or_default();
            let mut seen = std::collections::HashSet::new();
            tags.retain(|tag| seen.insert(tag.clone()));
            wishes.tags = tags;
        }
        if let Some(note) = change.note {
            wishes.note = note.unwrap_or_default();
        }
        if let Some(priority) = change.priority {
            wishes.priority = priority.unwrap_or_default();
        }
        if let Some(weight) = change.weight {
            wishes.weight = weight.filter(|weight| *weight != 1);
        }
        if let Some(floor) = change.quota_floor_percent {
            wishes.quota_floor_percent = floor;
        }
        if let Some(at_once) = change.concurrency {
            wishes.concurrency = at_once;
        }
        if let Some(proxy) = change.proxy {
            wishes.proxy = proxy;
        }
        if let Some(host) = change.host {
            wishes.host = host;
        }
        if let Some(never) = change.never_overage {
            wishes.never_overage = never;
        }
        if let Some(arn) = change.profile_arn
            && account.profile_arn != arn
        {
            // Another profile may live in another region: what was learned of hosts is about the old one.
            account.learned_host = None;
            account.api_region = arn.as_deref().and_then(arn_region).map(str::to_owned).or(account.api_region.take());
            account.profile_arn = arn;
        }
    }
}

/// `arn:aws:codewhisperer:REGION:ACCOUNT:profile/NAME` in a region that has a data plane.
fn is_profile(arn: &str) -> bool {
    let fields: Vec<&str> = arn.split(':').collect();
    let [scheme, partition, service, region, owner, name] = fields[..] else { return false };
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    scheme == "arn"
        && partition == "aws"
        && service == "codewhisperer"
        && endpoint::is_region(region)
        && owner.len() == 12
        && owner.bytes().all(|byte| byte.is_ascii_digit())
        && name.strip_prefix("profile/").is_some_and(|name| plain(name) && name.len() <= 64)
}

#[cfg(test)]
mod tests;
