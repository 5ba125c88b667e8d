//! The operations of the service, and how a request names them.

use http::Method;

use crate::host::Plane;

/// The operations of kiro-upstream §1.4 and §5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    GenerateAssistantResponse,
    SendMessage,
    InvokeMcp,
    GetUsageLimits,
    ListAvailableModels,
    ListAvailableProfiles,
    GetProfile,
    SetUserPreference,
    CreateApiKey,
    SocialLogin,
    SocialExchange,
    SocialRefresh,
    SocialDeviceStart,
    SocialDevicePoll,
    PortalSignIn,
    DevicePage,
    RegisterClient,
    DeviceAuthorization,
    Authorize,
    CreateToken,
    ExternalDiscovery,
    ExternalAuthorize,
    ExternalToken,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GenerateAssistantResponse => "GenerateAssistantResponse",
            Self::SendMessage => "SendMessage",
            Self::InvokeMcp => "InvokeMCP",
            Self::GetUsageLimits => "GetUsageLimits",
            Self::ListAvailableModels => "ListAvailableModels",
            Self::ListAvailableProfiles => "ListAvailableProfiles",
            Self::GetProfile => "GetProfile",
            Self::SetUserPreference => "SetUserPreference",
            Self::CreateApiKey => "CreateApiKey",
            Self::SocialLogin => "SocialLogin",
            Self::SocialExchange => "SocialExchange",
            Self::SocialRefresh => "RefreshToken",
            Self::SocialDeviceStart => "SocialDeviceStart",
            Self::SocialDevicePoll => "SocialDevicePoll",
            Self::PortalSignIn => "PortalSignIn",
            Self::DevicePage => "DevicePage",
            Self::RegisterClient => "RegisterClient",
            Self::DeviceAuthorization => "DeviceAuthorization",
            Self::Authorize => "Authorize",
            Self::CreateToken => "CreateToken",
            Self::ExternalDiscovery => "ExternalDiscovery",
            Self::ExternalAuthorize => "ExternalAuthorize",
            Self::ExternalToken => "ExternalToken",
        }
    }

    pub(crate) fn plane(self) -> Plane {
        match self {
            Self::GenerateAssistantResponse | Self::SendMessage | Self::InvokeMcp => Plane::Data,
            Self::GetUsageLimits
            | Self::ListAvailableModels
            | Self::ListAvailableProfiles
            | Self::GetProfile
            | Self::SetUserPreference
            | Self::CreateApiKey => Plane::Control,
            Self::SocialLogin
            | Self::SocialExchange
            | Self::SocialRefresh
            | Self::SocialDeviceStart
            | Self::SocialDevicePoll => Plane::Social,
            Self::PortalSignIn | Self::DevicePage => Plane::Portal,
            Self::RegisterClient | Self::DeviceAuthorization | Self::Authorize | Self::CreateToken => Plane::Oidc,
            Self::ExternalDiscovery | Self::ExternalAuthorize | Self::ExternalToken => Plane::ExternalIdp,
        }
    }

    /// By the value of `X-Amz-Target`.
    pub(crate) fn by_target(target: &str) -> Option<Self> {
        let (service, name) = target.rsplit_once('.')?;
        let streaming = matches!(service, "AmazonCodeWhispererStreamingService" | "AmazonQDeveloperStreamingService");
        let control = matches!(service, "AmazonCodeWhispererService" | "KiroControlPlaneBearerService");
        match name {
            "GenerateAssistantResponse" if streaming => Some(Self::GenerateAssistantResponse),
            "SendMessage" if streaming => Some(Self::SendMessage),
            "InvokeMCP" if streaming => Some(Self::InvokeMcp),
            "GetUsageLimits" if control => Some(Self::GetUsageLimits),
            "ListAvailableModels" if control => Some(Self::ListAvailableModels),
            "ListAvailableProfiles" if control => Some(Self::ListAvailableProfiles),
            "GetProfile" if control => Some(Self::GetProfile),
            "SetUserPreference" if control => Some(Self::SetUserPreference),
            "CreateApiKey" if service == "KiroControlPlaneBearerService" => Some(Self::CreateApiKey),
            _ => None,
        }
    }

    /// By method and path.
    pub(crate) fn by_path(method: &Method, path: &str) -> Option<Self> {
        let get = method == Method::GET;
        let post = method == Method::POST;
        Some(match path {
            "/generateAssistantResponse" if post => Self::GenerateAssistantResponse,
            "/SendMessageStreaming" if post => Self::SendMessage,
            "/mcp" if post => Self::InvokeMcp,
            "/getUsageLimits" if get => Self::GetUsageLimits,
            "/ListAvailableModels" if get => Self::ListAvailableModels,
            "/ListAvailableProfiles" if post => Self::ListAvailableProfiles,
            "/setUserPreference" if post => Self::SetUserPreference,
            "/login" if get => Self::SocialLogin,
            "/oauth/token" if post => Self::SocialExchange,
            "/refreshToken" if post => Self::SocialRefresh,
            "/oauth/device/authorization" if post => Self::SocialDeviceStart,
            "/oauth/device/poll" if post => Self::SocialDevicePoll,
            "/signin" if get => Self::PortalSignIn,
            "/device" | "/start" | "/start/" if get => Self::DevicePage,
            "/client/register" if post => Self::RegisterClient,
            "/device_authorization" if post => Self::DeviceAuthorization,
            "/authorize" if get => Self::Authorize,
            "/token" if post => Self::CreateToken,
            _ if get && path.ends_with("/.well-known/openid-configuration") => Self::ExternalDiscovery,
            _ if get && path.ends_with("/oauth2/v2.0/authorize") => Self::ExternalAuthorize,
            _ if post && path.ends_with("/oauth2/v2.0/token") => Self::ExternalToken,
            _ => return None,
        })
    }
}
