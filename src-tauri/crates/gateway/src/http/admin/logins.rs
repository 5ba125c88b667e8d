//! Sign-ins: begin, look, hand in what was pasted or chosen, open the page once more, cancel.

use super::accounts::{AccountView, view as account_view};
use super::extract::Body;
use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::error::Problem;
use crate::login::{
    Awaits, FormWish, Login, LoginForm, LoginKind, LoginState, LoginWish, OfferedProfile, Opening, Proof, QrMatrix,
    Renewal,
};
use crate::wiring::Gateway;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A sign-in as faces show it. Nothing in it is secret.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoginView {
    /// Its id.
    id: String,
    /// What the person signs in with.
    kind: LoginKind,
    /// How it goes.
    form: LoginForm,
    /// Where it stands.
    state: LoginState,
    /// What exactly is awaited.
    awaits: Awaits,
    /// The page for the person, while there is one.
    url: Option<String>,
    /// The code to confirm on that page.
    user_code: Option<String>,
    /// When the person's time, or the code's, is over.
    expires_at: Timestamp,
    /// When it was begun.
    started_at: Timestamp,
    /// The page's address as a QR code.
    qr: Option<QrMatrix>,
    /// The loopback port the page comes back to.
    callback_port: Option<u16>,
    /// Whether a page was opened by us.
    opened: bool,
    /// Whether the link goes over the network without encryption.
    plain_http: bool,
    /// Profiles to choose from.
    profiles: Vec<OfferedProfile>,
    /// The account, as soon as it is saved.
    account: Option<AccountView>,
    /// The account that this is a new sign-in of, where one was named.
    renewal: Option<Renewal>,
    /// What the account showed.
    proof: Option<Proof>,
    /// Why it ended without an account, or what could not be found out.
    problem: Option<Problem>,
}

/// All sign-ins that are under way or ended not long ago.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoginList {
    /// Oldest first.
    logins: Vec<LoginView>,
}

/// Where a page is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum OpenWish {
    /// In a window of the desktop app.
    Popup,
    /// In a browser.
    Browser,
    /// Nowhere.
    None,
}

/// A sign-in to begin.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewLogin {
    /// What the person signs in with; as the account did when absent.
    #[serde(default)]
    kind: Option<LoginKind>,
    /// The account that signs in again. Every call goes the account's own way, through its proxy where it has one; the page in the
    /// browser does not.
    #[serde(default)]
    account: Option<AccountId>,
    /// How it should go.
    #[serde(default)]
    form: FormWish,
    /// Start URL of the company's Identity Center.
    #[serde(default)]
    start_url: Option<String>,
    /// Region of the identity instance.
    #[serde(default)]
    region: Option<String>,
    /// The key, for that kind. It goes to the store of secrets and is never shown again.
    #[serde(default)]
    api_key: Option<String>,
    /// Keep the key also when the service cannot be asked about it. One that it refuses is never kept.
    #[serde(default)]
    unchecked: bool,
    /// For a link: the address of this machine to serve it on, with or without a port; loopback when absent. It is plain HTTP.
    #[serde(default)]
    remote_address: Option<String>,
    /// Name for the account.
    #[serde(default)]
    label: Option<String>,
    /// Where the page is opened; as the settings say when absent.
    #[serde(default)]
    open: Option<OpenWish>,
    /// Which browser, by its id; as the settings say when absent.
    #[serde(default)]
    browser: Option<String>,
    /// Whether in a private window; as the settings say when absent.
    #[serde(default)]
    private: Option<bool>,
}

/// What a person copied.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pasted {
    /// The address of the page they ended on, or a code.
    text: String,
}

/// The profile to use.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChosenProfile {
    /// Its name for the service.
    arn: String,
}

/// Where to open a page once more.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OpenAgain {
    /// Where.
    open: OpenWish,
    /// Which browser, by its id.
    #[serde(default)]
    browser: Option<String>,
    /// Whether in a private window.
    #[serde(default)]
    private: Option<bool>,
}

fn view(gateway: &Gateway, login: &Login) -> LoginView {
    let shown = login.shown();
    let account = shown.account.as_ref().and_then(|id| gateway.parts.book.roster.get(id));
    LoginView {
        id: login.id.clone(),
        kind: login.kind,
        form: shown.form,
        state: shown.state,
        awaits: shown.awaits,
        qr: shown.qr(),
        url: shown.url.map(|url| url.to_string()),
        user_code: shown.user_code,
        expires_at: shown.expires_at,
        started_at: login.started_at,
        callback_port: shown.callback_port,
        opened: shown.opened,
        plain_http: shown.plain_http,
        profiles: shown.profiles,
        account: account.map(|account| account_view(gateway, &account)),
        renewal: shown.renewal,
        proof: shown.proof,
        problem: shown.problem,
    }
}

fn opening(gateway: &Gateway, open: Option<OpenWish>, browser: Option<String>, private: Option<bool>) -> Opening {
    let login = &gateway.settings().login;
    let own_window = login.popup && gateway.parts.sign_in_windows;
    let open = open.unwrap_or(if own_window { OpenWish::Popup } else { OpenWish::Browser });
    match open {
        OpenWish::None => Opening::Nothing,
        OpenWish::Popup => Opening::Popup,
        OpenWish::Browser => Opening::Browser {
            id: browser.or_else(|| Some(login.browser.clone())).filter(|id| !id.is_empty()),
            private: private.unwrap_or(login.private_window),
        },
    }
}

/// All sign-ins that are under way or ended not long ago.
#[utoipa::path(get, path = "/api/logins", operation_id = "listLogins", responses((status = 200, body = LoginList)))]
pub(super) async fn list(State(gateway): State<Gateway>) -> Json<LoginList> {
    let logins = gateway.parts.logins.list().iter().map(|login| view(&gateway, login)).collect();
    Json(LoginList { logins })
}

/// Begins a sign-in. Answers when there is a page or a code to show, or when it has ended already.
#[utoipa::path(post, path = "/api/logins", operation_id = "startLogin", request_body = NewLogin,
    responses((status = 201, body = LoginView), (status = 404, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem)))]
pub(super) async fn start(
    State(gateway): State<Gateway>,
    Body(new): Body<NewLogin>,
) -> Result<(StatusCode, Json<LoginView>), Problem> {
    let wish = LoginWish {
        kind: new.kind,
        account: new.account,
        form: new.form,
        start_url: new.start_url,
        region: new.region,
        api_key: new.api_key.map(SecretString::from),
        unchecked: new.unchecked,
        remote_address: new.remote_address,
        label: new.label,
        opening: opening(&gateway, new.open, new.browser, new.private),
    };
    let login = gateway.parts.logins.start(wish).await?;
    Ok((StatusCode::CREATED, Json(view(&gateway, &login))))
}

/// How a sign-in stands.
#[utoipa::path(get, path = "/api/logins/{id}", operation_id = "getLogin", params(("id" = String, Path)),
    responses((status = 200, body = LoginView), (status = 404, body = Problem)))]
pub(super) async fn get(State(gateway): State<Gateway>, Path(id): Path<String>) -> Result<Json<LoginView>, Problem> {
    let login = gateway.parts.logins.get(&id)?;
    Ok(Json(view(&gateway, &login)))
}

/// Ends a sign-in. An account that it added is taken back; one that was here before and got a new sign-in stays.
#[utoipa::path(delete, path = "/api/logins/{id}", operation_id = "cancelLogin", params(("id" = String, Path)),
    responses((status = 200, body = LoginView), (status = 404, body = Problem)))]
pub(super) async fn cancel(State(gateway): State<Gateway>, Path(id): Path<String>) -> Result<Json<LoginView>, Problem> {
    let login = gateway.parts.logins.cancel(&id).await?;
    Ok(Json(view(&gateway, &login)))
}

/// Hands in the address of the page on which the person ended, or a code.
#[utoipa::path(post, path = "/api/logins/{id}/paste", operation_id = "pasteIntoLogin", params(("id" = String, Path)),
    request_body = Pasted,
    responses((status = 200, body = LoginView), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn paste(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    Body(pasted): Body<Pasted>,
) -> Result<Json<LoginView>, Problem> {
    let login = gateway.parts.logins.paste(&id, SecretString::from(pasted.text)).await?;
    Ok(Json(view(&gateway, &login)))
}

/// Chooses the profile of an account that has several.
#[utoipa::path(post, path = "/api/logins/{id}/profile", operation_id = "chooseLoginProfile",
    params(("id" = String, Path)), request_body = ChosenProfile,
    responses((status = 200, body = LoginView), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn profile(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    Body(chosen): Body<ChosenProfile>,
) -> Result<Json<LoginView>, Problem> {
    let login = gateway.parts.logins.choose(&id, chosen.arn).await?;
    Ok(Json(view(&gateway, &login)))
}

/// Opens the page of a sign-in once more, or elsewhere.
#[utoipa::path(post, path = "/api/logins/{id}/open", operation_id = "openLoginPage", params(("id" = String, Path)),
    request_body = OpenAgain,
    responses((status = 200, body = LoginView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn open(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    Body(again): Body<OpenAgain>,
) -> Result<Json<LoginView>, Problem> {
    let opening = opening(&gateway, Some(again.open), again.browser, again.private);
    let login = gateway.parts.logins.open(&id, opening).await?;
    Ok(Json(view(&gateway, &login)))
}
