//! Which of the service's hosts a request is meant for, by its `Host` header (kiro-upstream §1.1).

/// A host of the service, with its region where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// A loopback name: everything is served.
    Any,
    Runtime(String),
    Management(String),
    Q(String),
    CodeWhisperer,
    SocialAuth,
    Portal,
    Oidc(String),
    ExternalIdp,
    /// A name that does not exist.
    Unknown,
}

const KIRO_REGIONS: [&str; 4] = ["us-east-1", "eu-central-1", "us-gov-east-1", "us-gov-west-1"];
const Q_REGIONS: [&str; 2] = ["us-east-1", "eu-central-1"];
const ENTRA: [&str; 4] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
];

impl Host {
    pub(crate) fn parse(header: &str) -> Self {
        let name = match header.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or_default(),
            None => header.split(':').next().unwrap_or_default(),
        }
        .to_ascii_lowercase();
        let between = |front: &str, back: &str| name.strip_prefix(front)?.strip_suffix(back).map(str::to_owned);
        let in_list = |region: String, list: &[&str]| list.contains(&region.as_str()).then_some(region);
        if name.is_empty() || name == "localhost" || name == "::1" || name.starts_with("127.") {
            Self::Any
        } else if let Some(region) = between("runtime.", ".kiro.dev") {
            in_list(region, &KIRO_REGIONS).map_or(Self::Unknown, Self::Runtime)
        } else if let Some(region) = between("management.", ".kiro.dev") {
            in_list(region, &KIRO_REGIONS).map_or(Self::Unknown, Self::Management)
        } else if let Some(region) = between("q.", ".amazonaws.com") {
            in_list(region, &Q_REGIONS).map_or(Self::Unknown, Self::Q)
        } else if let Some(region) = between("oidc.", ".amazonaws.com") {
            Self::Oidc(region)
        } else if name == "codewhisperer.us-east-1.amazonaws.com" {
            Self::CodeWhisperer
        } else if name == "prod.us-east-1.auth.desktop.kiro.dev" {
            Self::SocialAuth
        } else if name == "app.kiro.dev" {
            Self::Portal
        } else if ENTRA.contains(&name.as_str()) {
            Self::ExternalIdp
        } else {
            Self::Unknown
        }
    }

    /// Region of a data or control plane host; `None` when any region fits.
    pub(crate) fn api_region(&self) -> Option<&str> {
        match self {
            Self::Runtime(region) | Self::Management(region) | Self::Q(region) => Some(region),
            Self::CodeWhisperer => Some("us-east-1"),
            Self::Any | Self::SocialAuth | Self::Portal | Self::Oidc(_) | Self::ExternalIdp | Self::Unknown => None,
        }
    }

    /// Region of an identity host; `None` when any region fits.
    pub(crate) fn oidc_region(&self) -> Option<&str> {
        match self {
            Self::Oidc(region) => Some(region),
            Self::Any
            | Self::Runtime(_)
            | Self::Management(_)
            | Self::Q(_)
            | Self::CodeWhisperer
            | Self::SocialAuth
            | Self::Portal
            | Self::ExternalIdp
            | Self::Unknown => None,
        }
    }

    pub(crate) fn serves(&self, plane: Plane) -> bool {
        match self {
            Self::Any => true,
            Self::Runtime(_) => plane == Plane::Data,
            Self::Management(_) => plane == Plane::Control,
            Self::Q(_) | Self::CodeWhisperer => matches!(plane, Plane::Data | Plane::Control),
            Self::SocialAuth => plane == Plane::Social,
            Self::Portal => plane == Plane::Portal,
            Self::Oidc(_) => plane == Plane::Oidc,
            Self::ExternalIdp => plane == Plane::ExternalIdp,
            Self::Unknown => false,
        }
    }
}

/// Groups of operations that live together on some hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plane {
    Data,
    Control,
    Social,
    Portal,
    Oidc,
    ExternalIdp,
}
