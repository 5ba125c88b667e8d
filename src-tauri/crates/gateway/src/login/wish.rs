//! What a person asked for, checked before anything is sent, and the plan that follows from it.

use std::net::SocketAddr;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use super::remote;
use super::shown::{LoginForm, LoginKind};
use crate::account::{AccountId, Provider};
use crate::error::{FieldProblem, Problem, ProblemCode};
use crate::upstream::API_REGIONS;
use crate::upstream::identity::hosts;
use crate::upstream::identity::sign_in::SocialIdp;

/// Builder ID is one instance for everybody.
pub(super) const BUILDER_START: &str = "https://view.awsapps.com/start";
const BUILDER_REGION: &str = "us-east-1";
/// Where the portal may come back to; the first is the only one that directories are known to accept (kiro-upstream §5.1, §5.5).
pub(super) const PORTAL_PORTS: [u16; 10] = [3128, 4649, 6588, 8008, 9091, 49153, 50153, 51153, 52153, 53153];
const DIRECTORY_PORT: u16 = 3128;
const LONGEST_LABEL: usize = 100;

/// How a sign-in should go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum FormWish {
    /// In a browser where there is one, else with a device code.
    #[default]
    Auto,
    /// In a browser of this machine.
    Browser,
    /// With a code that is confirmed in any browser.
    Device,
}

/// Where the page is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Nowhere: the person copies the address.
    Nothing,
    /// In a window of the desktop app.
    Popup,
    /// In a browser.
    Browser {
        /// Which one; the system's own when `None`.
        id: Option<String>,
        /// In a private window.
        private: bool,
    },
}

/// What a person asked for.
#[derive(Debug)]
pub(crate) struct LoginWish {
    /// Known from `account` when absent.
    pub(crate) kind: Option<LoginKind>,
    /// The account that signs in again.
    pub(crate) account: Option<AccountId>,
    pub(crate) form: FormWish,
    pub(crate) start_url: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) api_key: Option<SecretString>,
    /// Keep a key also when the service cannot be asked about it.
    pub(crate) unchecked: bool,
    pub(crate) remote_address: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) opening: Opening,
}

impl LoginWish {
    /// A wish for this and nothing else.
    pub(crate) fn new(kind: LoginKind, form: FormWish, opening: Opening) -> Self {
        let (start_url, region, api_key, remote_address, label) = (None, None, None, None, None);
        let kind = Some(kind);
        Self { kind, account: None, form, start_url, region, api_key, unchecked: false, remote_address, label, opening }
    }
}

/// An identity instance of AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instance {
    pub(super) provider: Provider,
    pub(super) region: String,
    pub(super) start_url: String,
}

/// Ports on which the portal may come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PortalPorts {
    pub(super) ports: &'static [u16],
    /// Where a device code takes over when no port is free.
    pub(super) otherwise: Option<SocialIdp>,
    pub(super) asked: LoginKind,
}

/// The way to tokens.
#[derive(Debug)]
pub(super) enum Way {
    OidcDevice(Instance),
    OidcBrowser(Instance),
    SocialDevice(SocialIdp),
    Portal(PortalPorts),
    Key { key: SecretString, region: Option<String>, unchecked: bool },
}

/// What a sign-in does.
#[derive(Debug)]
pub(super) enum Task {
    /// Goes one way to tokens.
    Direct(Way),
    /// Waits for a person elsewhere, who chooses the way.
    Remote(SocketAddr),
}

/// A checked wish.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) kind: LoginKind,
    pub(super) task: Task,
    pub(super) label: Option<String>,
    pub(super) opening: Opening,
}

impl Plan {
    /// Checks a wish. Nothing is sent unless all of it is acceptable. `has_browser`: whether one can be opened here.
    pub(super) fn new(wish: LoginWish, has_browser: bool) -> Result<Self, Problem> {
        let mut fields = Fields::default();
        let label = wish.label.as_deref().map(|label| label.trim().to_owned()).filter(|label| !label.is_empty());
        if label
            .as_ref()
            .is_some_and(|label| label.chars().count() > LONGEST_LABEL || label.chars().any(char::is_control))
        {
            fields.refuse::<()>("label", "out_of_range", "a label has at most 100 characters, without line breaks");
        }
        let Some(kind) = wish.kind else {
            fields.refuse::<()>("kind", "missing", "say what to sign in with, or for which account");
            return Err(fields.problem());
        };
        match task(kind, &wish, has_browser, &mut fields) {
            Some(task) if fields.0.is_empty() => Ok(Self { kind, task, label, opening: wish.opening }),
            Some(_) | None => Err(fields.problem()),
        }
    }

    pub(super) fn form(&self) -> LoginForm {
        match &self.task {
            Task::Remote(_) => LoginForm::Remote,
            Task::Direct(Way::OidcDevice(_) | Way::SocialDevice(_)) => LoginForm::Device,
            Task::Direct(Way::OidcBrowser(_) | Way::Portal(_)) => LoginForm::Browser,
            Task::Direct(Way::Key { .. }) => LoginForm::Key,
        }
    }
}

fn task(kind: LoginKind, wish: &LoginWish, has_browser: bool, fields: &mut Fields) -> Option<Task> {
    let in_browser = match wish.form {
        FormWish::Browser => true,
        FormWish::Device => false,
        FormWish::Auto => has_browser,
    };
    let social = |idp| {
        if in_browser {
            let otherwise = (wish.form == FormWish::Auto).then_some(idp);
            Way::Portal(PortalPorts { ports: &PORTAL_PORTS, otherwise, asked: kind })
        } else {
            Way::SocialDevice(idp)
        }
    };
    let oidc = |instance| if in_browser { Way::OidcBrowser(instance) } else { Way::OidcDevice(instance) };
    let region = wish.region.as_deref();
    let way = match kind {
        LoginKind::Google => social(SocialIdp::Google),
        LoginKind::Github => social(SocialIdp::Github),
        LoginKind::BuilderId => {
            let region = fields.region(region.unwrap_or(BUILDER_REGION))?;
            oidc(Instance { provider: Provider::BuilderId, region, start_url: BUILDER_START.to_owned() })
        }
        LoginKind::Idc => {
            let start_url = fields.start_url(wish.start_url.as_deref());
            let region = match region {
                Some(region) => fields.region(region),
                None => fields.refuse(
                    "region",
                    "missing",
                    "name the region of your company's Identity Center, such as us-east-1",
                ),
            };
            oidc(Instance { provider: Provider::Enterprise, region: region?, start_url: start_url? })
        }
        LoginKind::Microsoft => {
            if wish.form == FormWish::Device {
                return fields.refuse(
                    "form",
                    "invalid_value",
                    "company directories have no device code here: use the browser form",
                );
            }
            Way::Portal(PortalPorts { ports: &[DIRECTORY_PORT], otherwise: None, asked: kind })
        }
        LoginKind::ApiKey => {
            let key = fields.key(wish.api_key.as_ref());
            let region = fields.key_region(region);
            Way::Key { key: key?, region: region?, unchecked: wish.unchecked }
        }
        LoginKind::Remote => {
            let at = remote::address(wish.remote_address.as_deref());
            return match at {
                Some(at) => Some(Task::Remote(at)),
                None => fields.refuse(
                    "remoteAddress",
                    "invalid_value",
                    "name one address of this machine, with or without a port, such as 192.168.1.5 or 192.168.1.5:9000",
                ),
            };
        }
    };
    Some(Task::Direct(way))
}

/// Refused fields.
#[derive(Default)]
struct Fields(std::collections::BTreeMap<String, FieldProblem>);

impl Fields {
    fn refuse<T>(&mut self, path: &str, code: &str, message: &str) -> Option<T> {
        let problem = FieldProblem { code: code.to_owned(), message: message.to_owned() };
        self.0.insert(path.to_owned(), problem);
        None
    }

    fn region(&mut self, region: &str) -> Option<String> {
        let region = region.trim();
        if hosts::oidc(region).is_some() {
            return Some(region.to_owned());
        }
        self.refuse(
            "region",
            "invalid_value",
            "this is not a region of AWS that has Identity Center, such as us-east-1",
        )
    }

    /// Keys belong to a region with a data plane. Without one the service is asked which it is (`Some(None)`).
    fn key_region(&mut self, region: Option<&str>) -> Option<Option<String>> {
        match region.map(str::trim).filter(|region| !region.is_empty()) {
            None => Some(None),
            Some(region) if API_REGIONS.contains(&region) => Some(Some(region.to_owned())),
            Some(_) => self.refuse("region", "invalid_value", "a key belongs to us-east-1 or eu-central-1"),
        }
    }

    fn key(&mut self, key: Option<&SecretString>) -> Option<SecretString> {
        let text = key.map(|key| key.expose_secret().trim()).unwrap_or_default();
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if text.starts_with("ksk_") && (20..=512).contains(&text.len()) && plain {
            return Some(SecretString::from(text));
        }
        self.refuse("apiKey", "invalid_value", "a key begins with ksk_ and is given whole")
    }

    fn start_url(&mut self, start_url: Option<&str>) -> Option<String> {
        let Some(text) = start_url else {
            return self.refuse("startUrl", "missing", "name the start URL, such as https://example.awsapps.com/start");
        };
        match hosts::start_url(text) {
            Some(url) => Some(url.to_string()),
            None => self.refuse(
                "startUrl",
                "invalid_value",
                "a start URL is an https address of awsapps.com, such as https://example.awsapps.com/start",
            ),
        }
    }

    fn problem(self) -> Problem {
        let words: Vec<String> = self.0.values().map(|field| field.message.clone()).collect();
        let mut problem = Problem::new(ProblemCode::InvalidFields, words.join("; "))
            .action("Correct the marked fields; nothing was sent.");
        problem.fields = self.0;
        problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(wish: LoginWish) -> Vec<String> {
        Plan::new(wish, true).expect_err("refused").fields.into_keys().collect()
    }

    fn of(kind: LoginKind) -> LoginWish {
        LoginWish::new(kind, FormWish::Auto, Opening::Nothing)
    }

    #[test]
    fn everything_wrong_is_said_at_once_and_no_problem_repeats_a_key() {
        assert_eq!(fields(of(LoginKind::Idc)), ["region", "startUrl"]);
        assert_eq!(fields(of(LoginKind::ApiKey)), ["apiKey"], "its region is asked for");
        let label = Some("x".repeat(101));
        assert_eq!(fields(LoginWish { label, ..of(LoginKind::Google) }), ["label"]);
        assert_eq!(fields(LoginWish { form: FormWish::Device, ..of(LoginKind::Microsoft) }), ["form"]);
        let region = Some("eu-west-1".to_owned());
        assert_eq!(fields(LoginWish { region, ..of(LoginKind::ApiKey) }), ["apiKey", "region"], "no data plane there");
        let remote_address = Some("0.0.0.0".to_owned());
        assert_eq!(fields(LoginWish { remote_address, ..of(LoginKind::Remote) }), ["remoteAddress"]);
        for key in
            ["ksk_short", "sk_0123456789012345678901234", "ksk_0123456789012345678...", "ksk_01234567890123\r\nhost: x"]
        {
            let wish = LoginWish {
                api_key: Some(SecretString::from(key)),
                region: Some("us-east-1".into()),
                ..of(LoginKind::ApiKey)
            };
            let problem = Plan::new(wish, true).expect_err("refused");
            let told = format!("{problem:?}");
            assert!(problem.fields.contains_key("apiKey") && !told.contains(key), "{told}");
        }
    }

    #[test]
    fn the_form_follows_the_browser_when_nobody_says() {
        let form = |kind, form, has_browser| {
            let wish = LoginWish { form, ..of(kind) };
            Plan::new(wish, has_browser).expect("a plan").form()
        };
        for kind in [LoginKind::Google, LoginKind::Github, LoginKind::BuilderId] {
            assert_eq!(form(kind, FormWish::Auto, true), LoginForm::Browser);
            assert_eq!(form(kind, FormWish::Auto, false), LoginForm::Device);
            assert_eq!(form(kind, FormWish::Browser, false), LoginForm::Browser);
            assert_eq!(form(kind, FormWish::Device, true), LoginForm::Device);
        }
        assert_eq!(form(LoginKind::Microsoft, FormWish::Auto, false), LoginForm::Browser);
        assert_eq!(form(LoginKind::Remote, FormWish::Auto, true), LoginForm::Remote);
    }
}
