//! How a sign-in stands, as faces may see it. Nothing here is secret: a user code is useless without the person's own session.

use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::qr::QrMatrix;
use super::renewal::Renewal;
use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::error::Problem;

/// What a person signs in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum LoginKind {
    /// Google.
    Google,
    /// GitHub.
    Github,
    /// AWS Builder ID.
    BuilderId,
    /// IAM Identity Center of a company.
    Idc,
    /// A company directory (Microsoft Entra ID).
    Microsoft,
    /// A `ksk_` key.
    ApiKey,
    /// A link for a browser on another machine, where the person chooses one of the others.
    Remote,
}

/// How a sign-in goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum LoginForm {
    /// A page in a browser of this machine, which comes back to us.
    Browser,
    /// A code that is confirmed in any browser.
    Device,
    /// A key that is handed in.
    Key,
    /// A link for another machine.
    Remote,
}

/// Where a sign-in stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum LoginState {
    /// For the person.
    Waiting,
    /// The person agreed; tokens are being bought.
    Exchanging,
    /// The account is saved; what it can do is being asked.
    Inspecting,
    /// The account has several profiles; the person chooses.
    ChooseProfile,
    /// Finished; there is an account.
    Done,
    /// Ended without an account; see `problem`.
    Failed,
    /// The person ended it.
    Cancelled,
    /// The person's time was over.
    Expired,
}

/// What exactly is awaited, for words on a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Awaits {
    /// The provider is asked for a page or a code.
    Preparation,
    /// The person signs in on the page at `url`.
    BrowserSignIn,
    /// The person signs in at their company's directory, the second of two pages.
    DirectorySignIn,
    /// No browser can be opened here: the person opens `url` elsewhere and pastes the address on which they end.
    Paste,
    /// The person confirms `userCode` on the page at `url`.
    DeviceCode,
    /// Tokens, or the answer to a key.
    Exchange,
    /// Profile, plan and models of the account.
    Inspection,
    /// The person chooses one of `profiles`.
    Profile,
    /// Somebody opens the link at `url`.
    RemoteOpen,
    /// The person who opened the link signs in there.
    RemoteSignIn,
    /// Nothing more.
    Nothing,
}

impl Awaits {
    /// Whether a pasted address is of use now.
    pub(super) fn takes_paste(self) -> bool {
        match self {
            Self::BrowserSignIn | Self::DirectorySignIn | Self::Paste => true,
            Self::Preparation
            | Self::DeviceCode
            | Self::Exchange
            | Self::Inspection
            | Self::Profile
            | Self::RemoteOpen
            | Self::RemoteSignIn
            | Self::Nothing => false,
        }
    }
}

/// A profile that the account offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfferedProfile {
    /// Its name for the service.
    pub(crate) arn: String,
    /// Its name for people.
    pub(crate) name: String,
    /// Region of its data plane.
    pub(crate) region: String,
}

/// What the account showed after the sign-in.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Proof {
    /// Title of the plan.
    pub(crate) plan: Option<String>,
    /// Credits that are left.
    pub(crate) credits_left: Option<f64>,
    /// Credits of the plan.
    pub(crate) credits_limit: Option<f64>,
    /// When credits start anew.
    pub(crate) resets_at: Option<Timestamp>,
    /// Models that can be used, by id.
    pub(crate) models: Vec<String>,
    /// Region of the data plane.
    pub(crate) region: String,
    /// Host that answered.
    pub(crate) host: Option<String>,
}

/// How a sign-in stands.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) form: LoginForm,
    pub(crate) state: LoginState,
    pub(crate) awaits: Awaits,
    /// The page for the person; `None` once it is of no use.
    pub(crate) url: Option<Url>,
    /// The code to confirm.
    pub(crate) user_code: Option<String>,
    /// When the person's time, or the code's, is over.
    pub(crate) expires_at: Timestamp,
    /// The loopback port the page comes back to.
    pub(crate) callback_port: Option<u16>,
    /// Whether a page was opened.
    pub(crate) opened: bool,
    /// Whether the link goes over the network without encryption.
    pub(crate) plain_http: bool,
    pub(crate) profiles: Vec<OfferedProfile>,
    pub(crate) account: Option<AccountId>,
    /// The account that this is a new sign-in of, where one was named.
    pub(crate) renewal: Option<Renewal>,
    pub(crate) proof: Option<Proof>,
    pub(crate) problem: Option<Problem>,
    pub(crate) ended_at: Option<Timestamp>,
}

impl Shown {
    pub(super) fn new(form: LoginForm, expires_at: Timestamp) -> Self {
        Self {
            form,
            state: LoginState::Waiting,
            awaits: Awaits::Preparation,
            url: None,
            user_code: None,
            expires_at,
            callback_port: None,
            opened: false,
            plain_http: false,
            profiles: Vec::new(),
            account: None,
            renewal: None,
            proof: None,
            problem: None,
            ended_at: None,
        }
    }

    /// The address as a picture for another device's camera.
    pub(crate) fn qr(&self) -> Option<QrMatrix> {
        QrMatrix::of(self.url.as_ref()?.as_str())
    }
}
