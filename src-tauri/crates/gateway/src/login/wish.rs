//! What a person asked for, checked before anything is sent, and the plan that follows from it.

use serde::Deserialize;
use utoipa::ToSchema;

use super::Parts;
use super::shown::{LoginForm, LoginKind};
use crate::account::Provider;
use crate::error::{FieldProblem, Problem, ProblemCode};
use crate::upstream::identity::hosts;
use crate::upstream::identity::sign_in::SocialIdp;

/// Builder ID is one instance for everybody.
const BUILDER_START: &str = "https://view.awsapps.com/start";
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
    pub(crate) kind: LoginKind,
    pub(crate) form: FormWish,
    pub(crate) start_url: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) opening: Opening,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    OidcDevice(Instance),
    OidcBrowser(Instance),
    SocialDevice(SocialIdp),
    Portal(PortalPorts),
}

/// A checked wish.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) kind: LoginKind,
    pub(super) way: Way,
    pub(super) label: Option<String>,
    pub(super) opening: Opening,
}

impl Plan {
    /// Checks a wish. Nothing is sent unless all of it is acceptable.
    pub(super) fn new(wish: LoginWish, _parts: &Parts) -> Result<Self, Problem> {
        let mut fields = Fields::default();
        let label = wish.label.map(|label| label.trim().to_owned()).filter(|label| !label.is_empty());
        if label
            .as_ref()
            .is_some_and(|label| label.chars().count() > LONGEST_LABEL || label.chars().any(char::is_control))
        {
            fields.refuse::<()>("label", "out_of_range", "a label has at most 100 characters, without line breaks");
        }
        let way = way(wish.kind, wish.form, wish.start_url.as_deref(), wish.region.as_deref(), &mut fields);
        match way {
            Some(way) if fields.0.is_empty() => Ok(Self { kind: wish.kind, way, label, opening: wish.opening }),
            Some(_) | None => Err(fields.problem()),
        }
    }

    pub(super) fn form(&self) -> LoginForm {
        match self.way {
            Way::OidcDevice(_) | Way::SocialDevice(_) => LoginForm::Device,
            Way::OidcBrowser(_) | Way::Portal(_) => LoginForm::Browser,
        }
    }
}

fn way(
    kind: LoginKind,
    form: FormWish,
    start_url: Option<&str>,
    region: Option<&str>,
    fields: &mut Fields,
) -> Option<Way> {
    let in_browser = match form {
        FormWish::Browser => true,
        FormWish::Device => false,
        FormWish::Auto => false,
    };
    let social = |idp| {
        if in_browser {
            let otherwise = (form == FormWish::Auto).then_some(idp);
            Way::Portal(PortalPorts { ports: &PORTAL_PORTS, otherwise, asked: kind })
        } else {
            Way::SocialDevice(idp)
        }
    };
    let oidc = |instance| if in_browser { Way::OidcBrowser(instance) } else { Way::OidcDevice(instance) };
    match kind {
        LoginKind::Google => Some(social(SocialIdp::Google)),
        LoginKind::Github => Some(social(SocialIdp::Github)),
        LoginKind::BuilderId => {
            let region = fields.region(region.unwrap_or(BUILDER_REGION))?;
            Some(oidc(Instance { provider: Provider::BuilderId, region, start_url: BUILDER_START.to_owned() }))
        }
        LoginKind::Idc => {
            let start_url = fields.start_url(start_url);
            let region = match region {
                Some(region) => fields.region(region),
                None => fields.refuse(
                    "region",
                    "missing",
                    "name the region of your company's Identity Center, such as us-east-1",
                ),
            };
            Some(oidc(Instance { provider: Provider::Enterprise, region: region?, start_url: start_url? }))
        }
        LoginKind::Microsoft => {
            if form == FormWish::Device {
                return fields.refuse(
                    "form",
                    "invalid_value",
                    "company directories have no device code here: use the browser form",
                );
            }
            Some(Way::Portal(PortalPorts { ports: &[DIRECTORY_PORT], otherwise: None, asked: kind }))
        }
        LoginKind::ApiKey | LoginKind::Remote => None,
    }
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
