//! Signing in, refreshing, and how tokens die.

use std::time::Duration;

use kiro_simulator::Decision;
use serde_json::{Value, json};

use crate::support::{Rig, question};

async fn json(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn get(rig: &Rig, path: &str, token: &str) -> reqwest::RequestBuilder {
    rig.http.get(rig.url(path)).header("user-agent", "KiroIDE").bearer_auth(token)
}

/// RFC 7636 example pair.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// A second pair, for a second leg.
const SECOND: (&str, &str) =
    ("second-leg-verifier-0123456789-0123456789-0123", "bLBnwAo2_MWzVyEmvV-7UJS-93dWPvAsxkUPfShTmuY");
const STATE: &str = "state-of-a-test-0001";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

#[tokio::test]
async fn a_refresh_rotates_the_token_and_the_old_one_dies() {
    let rig = Rig::start().await;
    let old = rig.refresh_token("social");
    let (status, first) = json(rig.post("/refreshToken", &json!({"refreshToken": old}))).await;
    assert_eq!(status, 200);
    assert_eq!(first["profileArn"], kiro_simulator::SOCIAL_ARN);
    let new = first["refreshToken"].as_str().expect("a new refresh token").to_owned();
    assert_ne!(new, old);
    let usage = get(&rig, "/getUsageLimits?origin=AI_EDITOR", first["accessToken"].as_str().expect("a token"));
    assert_eq!(json(usage).await.0, 200);
    assert_eq!(rig.rules(), Vec::<String>::new());

    let (status, body) = json(rig.post("/refreshToken", &json!({"refreshToken": old}))).await;
    assert_eq!((status, body["message"].as_str()), (401, Some("Bad credentials")));
    assert_eq!(rig.rules(), ["token.rotated"]);
    assert_eq!(json(rig.post("/refreshToken", &json!({"refreshToken": new}))).await.0, 200);
    let counters = rig.control().counters();
    assert_eq!((counters.refreshes, counters.refreshes_refused), (3, 1));
}

#[tokio::test]
async fn the_demo_credentials_refresh_again_and_again() {
    let rig = Rig::start().await;
    let credentials = kiro_simulator::demo::credentials();
    for _ in 0..2 {
        let body = json!({"refreshToken": credentials["refreshToken"]});
        let (status, answer) = json(rig.post("/refreshToken", &body)).await;
        assert_eq!(status, 200);
        assert!(answer.get("refreshToken").is_none());
        let chat = rig
            .post("/generateAssistantResponse", &question("SAY: hi"))
            .bearer_auth(answer["accessToken"].as_str().expect("a token"));
        assert_eq!(chat.send().await.expect("an answer").status(), 200);
    }
    assert_eq!(rig.rules(), Vec::<String>::new());
}

#[tokio::test]
async fn an_access_token_ends_with_its_time_and_may_be_made_invalid_before() {
    let rig = Rig::start().await;
    let token = rig.token("social");
    rig.control().advance_clock(Duration::from_secs(3_599 - 5));
    assert_eq!(json(get(&rig, "/getUsageLimits", &token)).await.0, 200);
    rig.control().advance_clock(Duration::from_secs(10));
    let (status, body) = json(get(&rig, "/getUsageLimits", &token)).await;
    assert_eq!(
        (status, body["message"].as_str()),
        (403, Some("The security token included in the request is expired"))
    );
    assert_eq!(rig.rules(), ["token.expired"]);

    rig.control().reset();
    rig.control().expire_tokens();
    let (status, body) = json(get(&rig, "/getUsageLimits", &token)).await;
    assert_eq!((status, body["message"].as_str()), (403, Some("The bearer token included in the request is invalid.")));
    assert_eq!(rig.rules(), Vec::<String>::new());
    let (status, _) = json(get(&rig, "/getUsageLimits", "never-handed-out")).await;
    assert_eq!(status, 403);
    assert_eq!(rig.rules(), ["token.unknown"]);
}

#[tokio::test]
async fn an_oidc_refresh_needs_the_right_client_and_the_right_region() {
    let rig = Rig::start().await;
    let seed = rig.control().accounts().into_iter().find(|a| a.seed.id == "idc").expect("idc").seed;
    let body = |secret: &str| json!({"clientId": seed.client_id, "clientSecret": secret, "refreshToken": seed.refresh_token, "grantType": "refresh_token"});
    let (status, answer) = json(rig.post("/token", &body("wrong"))).await;
    assert_eq!((status, answer["error"].as_str()), (401, Some("invalid_client")));
    let elsewhere = rig.post("/token", &body(&seed.client_secret)).header("host", "oidc.us-east-1.amazonaws.com");
    let (status, answer) = json(elsewhere).await;
    assert_eq!((status, answer["error_description"].as_str()), (400, Some("Invalid refresh token provided")));
    assert_eq!(rig.rules(), ["token.region"]);
    let here = rig.post("/token", &body(&seed.client_secret)).header("host", "oidc.eu-west-1.amazonaws.com");
    let (status, answer) = json(here).await;
    assert_eq!((status, answer["expiresIn"].as_u64()), (200, Some(28_800)));
    assert!(answer.get("profileArn").is_none());

    rig.control().advance_clock(Duration::from_secs(91 * 86_400));
    let again = json!({"clientId": seed.client_id, "clientSecret": seed.client_secret, "refreshToken": answer["refreshToken"], "grantType": "refresh_token"});
    let (status, answer) = json(rig.post("/token", &again)).await;
    assert_eq!((status, answer["__type"].as_str()), (401, Some("ExpiredClientException")));
}

#[tokio::test]
async fn the_oidc_device_flow_waits_slows_down_and_ends_in_tokens() {
    let rig = Rig::start().await;
    rig.control().set_auto_approve(false);
    let (_, client) = json(rig.post(
        "/client/register",
        &json!({
            "clientName": "Test", "clientType": "public", "scopes": ["codewhisperer:conversations"],
        }),
    ))
    .await;
    let (_, device) = json(rig.post("/device_authorization", &json!({
        "clientId": client["clientId"], "clientSecret": client["clientSecret"], "startUrl": "https://view.awsapps.com/start",
    }))).await;
    let poll = json!({
        "clientId": client["clientId"], "clientSecret": client["clientSecret"], "deviceCode": device["deviceCode"],
        "grantType": "urn:ietf:params:oauth:grant-type:device_code",
    });
    let error = |(status, body): (u16, Value)| (status, body["error"].as_str().unwrap_or_default().to_owned());
    assert_eq!(error(json(rig.post("/token", &poll)).await), (400, "authorization_pending".to_owned()));
    assert_eq!(error(json(rig.post("/token", &poll)).await), (400, "slow_down".to_owned()));
    rig.control().advance_clock(Duration::from_secs(6));
    assert!(rig.control().decide_one(device["userCode"].as_str().expect("a code"), Decision::Approved));
    let (status, tokens) = json(rig.post("/token", &poll)).await;
    assert_eq!((status, tokens["tokenType"].as_str()), (200, Some("Bearer")));
    let chat = rig.post("/generateAssistantResponse", &{
        let mut body = question("SAY: hi");
        body.as_object_mut().expect("an object").remove("profileArn");
        body
    });
    let chat = chat.bearer_auth(tokens["accessToken"].as_str().expect("a token"));
    assert_eq!(chat.send().await.expect("an answer").status(), 200);
    assert_eq!(error(json(rig.post("/token", &poll)).await), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn the_social_device_flow_answers_pending_with_200() {
    let rig = Rig::start().await;
    rig.control().set_auto_approve(false);
    let (_, device) =
        json(rig.post("/oauth/device/authorization", &json!({"clientId": "kiro-cli", "loginProvider": "Github"})))
            .await;
    assert_eq!(device["intervalInMilliseconds"], 5000);
    let poll = json!({"clientId": "kiro-cli", "deviceCode": device["deviceCode"]});
    let (status, body) = json(rig.post("/oauth/device/poll", &poll)).await;
    assert_eq!((status, body["status"].as_str()), (200, Some("authorization_pending")));
    assert_eq!(json(rig.post("/oauth/device/poll", &poll)).await.0, 429);
    rig.control().decide(Decision::Approved);
    rig.control().advance_clock(Duration::from_secs(5));
    let (status, body) = json(rig.post("/oauth/device/poll", &poll)).await;
    assert_eq!((status, body["identityProvider"].as_str()), (200, Some("Github")));
    assert_eq!(body["profileArn"], kiro_simulator::SOCIAL_ARN);
}

async fn redirected_to(request: reqwest::RequestBuilder) -> reqwest::Url {
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 302, "{:?}", response.text().await);
    reqwest::Url::parse(response.headers()["location"].to_str().expect("text")).expect("a URL")
}

fn parameter(url: &reqwest::Url, name: &str) -> String {
    url.query_pairs().find(|(k, _)| k == name).map(|(_, v)| v.into_owned()).unwrap_or_default()
}

#[tokio::test]
async fn the_portal_sign_in_checks_pkce_and_uses_a_code_once() {
    let rig = Rig::start().await;
    let url = rig.url(&format!(
        "/signin?state={STATE}&code_challenge={CHALLENGE}&code_challenge_method=S256&redirect_uri=http://localhost:3128&redirect_from=KiroIDE"
    ));
    let back = redirected_to(rig.http.get(&url)).await;
    assert_eq!((back.port(), back.path(), parameter(&back, "state").as_str()), (Some(3128), "/oauth/callback", STATE));
    let exchange = |verifier: &str, code: String| {
        rig.post(
            "/oauth/token",
            &json!({"code": code, "code_verifier": verifier, "redirect_uri": "http://localhost:3128"}),
        )
    };
    let code = parameter(&back, "code");
    assert_eq!(json(exchange("wrong", code.clone())).await.0, 400);
    assert_eq!(json(exchange(VERIFIER, code)).await.0, 400, "the refused attempt burned the code");
    let code = parameter(&redirected_to(rig.http.get(&url)).await, "code");
    let (status, tokens) = json(exchange(VERIFIER, code)).await;
    assert_eq!((status, tokens["expiresIn"].as_u64()), (200, Some(3600)));
    let foreign = rig.url(&format!(
        "/signin?state={STATE}&code_challenge={CHALLENGE}&code_challenge_method=S256&redirect_uri=http://localhost:1234"
    ));
    assert_eq!(rig.http.get(foreign).send().await.expect("an answer").status(), 400);
}

#[tokio::test]
async fn identity_center_signs_in_by_browser_with_a_portless_registration() {
    let rig = Rig::start().await;
    rig.control().sign_in_as("idc-eu");
    let (_, client) = json(rig.post(
        "/client/register",
        &json!({
            "clientName": "Test", "clientType": "public", "scopes": ["codewhisperer:conversations"],
            "grantTypes": ["authorization_code", "refresh_token"], "redirectUris": ["http://127.0.0.1/oauth/callback"],
        }),
    ))
    .await;
    let id = client["clientId"].as_str().expect("an id");
    let redirect = "http://127.0.0.1:51234/oauth/callback";
    let url = rig.url(&format!(
        "/authorize?response_type=code&client_id={id}&redirect_uri={redirect}&scopes=codewhisperer:conversations&state={STATE}&code_challenge={CHALLENGE}&code_challenge_method=S256"
    ));
    let back = redirected_to(rig.http.get(url)).await;
    assert_eq!(back.port(), Some(51234));
    let (status, tokens) = json(rig.post(
        "/token",
        &json!({
            "clientId": id, "clientSecret": client["clientSecret"], "grantType": "authorization_code",
            "redirectUri": redirect, "codeVerifier": VERIFIER, "code": parameter(&back, "code"),
        }),
    ))
    .await;
    assert_eq!(status, 200, "{tokens}");
    let token = tokens["accessToken"].as_str().expect("a token");
    for (region, count) in [("us-east-1", 0), ("eu-central-1", 1)] {
        let request = rig
            .post("/ListAvailableProfiles", &json!({}))
            .header("host", format!("q.{region}.amazonaws.com"))
            .bearer_auth(token);
        assert_eq!(json(request).await.1["profiles"].as_array().map(Vec::len), Some(count), "{region}");
    }
    assert_eq!(rig.rules(), Vec::<String>::new());
}

#[tokio::test]
async fn entra_signs_in_in_two_legs_and_its_profiles_need_the_token_type() {
    let rig = Rig::start().await;
    rig.control().sign_in_as("entra");
    let url = rig.url(&format!(
        "/signin?state={STATE}&code_challenge={CHALLENGE}&code_challenge_method=S256&redirect_uri=http://localhost:3128&redirect_from=KiroIDE"
    ));
    let descriptor = redirected_to(rig.http.get(&url)).await;
    assert_eq!(parameter(&descriptor, "login_option"), "external_idp");
    let issuer = reqwest::Url::parse(&parameter(&descriptor, "issuer_url")).expect("a URL");
    let entra = |path: &str| rig.url(path);
    let well_known = format!("{}/.well-known/openid-configuration", issuer.path());
    let (_, found) = json(rig.http.get(entra(&well_known)).header("host", "login.microsoftonline.com")).await;
    let path = |url: &Value| reqwest::Url::parse(url.as_str().expect("a URL")).expect("a URL").path().to_owned();
    let client = parameter(&descriptor, "client_id");
    let redirect = "http://localhost:3128/oauth/callback";
    let authorize = rig.http.get(entra(&path(&found["authorization_endpoint"]))).query(&[
        ("client_id", client.as_str()),
        ("response_type", "code"),
        ("redirect_uri", redirect),
        ("scope", &parameter(&descriptor, "scopes")),
        ("state", "state-of-a-test-0002"),
        ("response_mode", "query"),
        ("code_challenge", SECOND.1),
        ("code_challenge_method", "S256"),
    ]);
    let back = redirected_to(authorize).await;
    let form = [
        ("client_id", client.as_str()),
        ("grant_type", "authorization_code"),
        ("code", &parameter(&back, "code")),
        ("redirect_uri", redirect),
        ("code_verifier", SECOND.0),
    ];
    let (status, tokens) = json(rig.http.post(entra(&path(&found["token_endpoint"]))).form(&form)).await;
    assert_eq!(status, 200, "{tokens}");
    let token = tokens["access_token"].as_str().expect("a token");
    let profiles = |typed: bool| {
        let request = rig.post("/ListAvailableProfiles", &json!({})).bearer_auth(token);
        if typed { request.header("tokentype", "EXTERNAL_IDP") } else { request }
    };
    assert_eq!(json(profiles(true)).await.1["profiles"].as_array().map(Vec::len), Some(1));
    assert_eq!(rig.rules(), Vec::<String>::new());
    assert_eq!(json(profiles(false)).await.1["profiles"].as_array().map(Vec::len), Some(0));
    assert_eq!(rig.rules(), ["header.tokentype"]);
}

#[tokio::test]
async fn a_created_api_key_works_with_its_header_and_without_an_arn() {
    let rig = Rig::start().await;
    let request = rig
        .post("/", &json!({"label": "my key"}))
        .header("x-amz-target", "KiroControlPlaneBearerService.CreateApiKey")
        .bearer_auth(rig.token("idc"));
    let (status, key) = json(request).await;
    assert_eq!(status, 200);
    let raw = key["rawKey"].as_str().expect("a key");
    assert!(raw.starts_with("ksk_") && raw.starts_with(key["keyPrefix"].as_str().expect("a prefix")));
    let mut body = question("SAY: hi");
    let chat =
        |body: &Value| rig.post("/generateAssistantResponse", body).header("tokentype", "API_KEY").bearer_auth(raw);
    assert_eq!(chat(&body).send().await.expect("an answer").status(), 403);
    body.as_object_mut().expect("an object").remove("profileArn");
    assert_eq!(chat(&body).send().await.expect("an answer").status(), 200);
    assert_eq!(rig.rules(), ["arn"]);
}

#[tokio::test]
async fn suspended_and_used_up_accounts_are_told_so() {
    let rig = Rig::start().await;
    rig.control().suspend("social", true);
    let (status, body) = json(rig.chat(&question("hi"))).await;
    assert_eq!((status, body["reason"].as_str()), (403, Some("TEMPORARILY_SUSPENDED")));
    rig.control().suspend("social", false);
    rig.control().set_credits_used("social", 1000.0);
    let (status, body) = json(rig.chat(&question("hi"))).await;
    assert_eq!((status, body["reason"].as_str()), (402, Some("MONTHLY_REQUEST_COUNT")));
}

/// A registration for the browser flow at a host.
async fn registered(rig: &Rig, host: &str, scopes: Value) -> (u16, Value) {
    let body = json!({
        "clientName": "Test", "clientType": "public", "scopes": scopes, "issuerUrl": "https://view.awsapps.com/start",
        "grantTypes": ["authorization_code", "refresh_token"], "redirectUris": ["http://127.0.0.1/oauth/callback"],
    });
    json(rig.post("/client/register", &body).header("host", host)).await
}

fn authorize(rig: &Rig, client: &Value, state: &str, extra: &str) -> reqwest::RequestBuilder {
    let id = client["clientId"].as_str().expect("an id");
    rig.http.get(rig.url(&format!(
        "/authorize?response_type=code&client_id={id}&redirect_uri=http://127.0.0.1:5000/oauth/callback&scopes=codewhisperer:conversations&state={state}&code_challenge={CHALLENGE}&code_challenge_method=S256{extra}"
    )))
}

fn code_exchange(rig: &Rig, client: &Value, code: &str) -> reqwest::RequestBuilder {
    rig.post(
        "/token",
        &json!({
            "clientId": client["clientId"], "clientSecret": client["clientSecret"], "grantType": "authorization_code",
            "redirectUri": "http://127.0.0.1:5000/oauth/callback", "codeVerifier": VERIFIER, "code": code,
        }),
    )
}

#[tokio::test]
async fn a_code_is_good_once_for_its_client_and_for_five_minutes() {
    let rig = Rig::start().await;
    let (_, client) = registered(&rig, "oidc.us-east-1.amazonaws.com", json!(["codewhisperer:conversations"])).await;
    let code = parameter(&redirected_to(authorize(&rig, &client, STATE, "")).await, "code");
    let (status, tokens) = json(code_exchange(&rig, &client, &code)).await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(json(code_exchange(&rig, &client, &code)).await.0, 400);
    assert_eq!(rig.rules(), ["code.reused"]);
    let late = parameter(&redirected_to(authorize(&rig, &client, STATE, "")).await, "code");
    rig.control().advance_clock(Duration::from_secs(301));
    assert_eq!(json(code_exchange(&rig, &client, &late)).await.0, 400);

    rig.control().reset();
    let (_, client) = registered(&rig, "oidc.us-east-1.amazonaws.com", json!(["codewhisperer:conversations"])).await;
    let (_, other) = registered(&rig, "oidc.us-east-1.amazonaws.com", json!(["codewhisperer:conversations"])).await;
    let code = parameter(&redirected_to(authorize(&rig, &client, STATE, "")).await, "code");
    assert_eq!(json(code_exchange(&rig, &other, &code)).await.0, 400);
    assert_eq!(rig.rules(), ["code.other"]);
    let (_, tokens) = json(code_exchange(&rig, &client, &code)).await;
    let refresh = json!({"clientId": other["clientId"], "clientSecret": other["clientSecret"], "refreshToken": tokens["refreshToken"], "grantType": "refresh_token"});
    assert_eq!(json(rig.post("/token", &refresh)).await.0, 400);
    assert_eq!(rig.rules(), ["code.other", "token.client"]);
}

#[tokio::test]
async fn scopes_states_regions_and_redirects_are_checked() {
    let rig = Rig::start().await;
    let here = "oidc.us-east-1.amazonaws.com";
    assert_eq!(registered(&rig, here, json!(["codewhisperer:conversations", "sso:account:access"])).await.0, 400);
    assert_eq!(rig.rules(), ["oidc.scopes"]);
    let (_, client) = registered(&rig, here, json!(["codewhisperer:conversations"])).await;
    let ask = async |request: reqwest::RequestBuilder| request.send().await.expect("an answer").status().as_u16();
    assert_eq!(ask(authorize(&rig, &client, "short", "")).await, 400);
    assert_eq!(ask(authorize(&rig, &client, STATE, "").header("host", "oidc.eu-west-1.amazonaws.com")).await, 401);
    assert_eq!(ask(authorize(&rig, &client, STATE, "")).await, 302);
    assert_eq!(ask(authorize(&rig, &client, "another-state-0000000", "")).await, 302);
    assert_eq!(rig.rules(), ["oidc.scopes", "login.state", "pkce.reused"]);
    rig.control().end_registrations();
    assert_eq!(ask(authorize(&rig, &client, STATE, "")).await, 401);
}

#[tokio::test]
async fn pages_wait_for_a_button_and_a_refusal_comes_back_with_the_state() {
    let rig = Rig::start().await;
    rig.control().set_sign_in_pages(true);
    let portal = format!(
        "/signin?state={STATE}&code_challenge={CHALLENGE}&code_challenge_method=S256&redirect_uri=http://localhost:3128&redirect_from=KiroIDE"
    );
    let page = rig.http.get(rig.url(&portal)).send().await.expect("an answer");
    assert_eq!(page.status(), 200);
    let page = page.text().await.expect("text");
    assert!(page.contains("name=\"login_option\" value=\"github\"") && page.contains(STATE), "{page}");
    let github = redirected_to(rig.http.get(rig.url(&format!("{portal}&login_option=github")))).await;
    assert_eq!(parameter(&github, "login_option"), "github");
    assert!(!parameter(&github, "code").is_empty());
    let refused = redirected_to(rig.http.get(rig.url(&format!("{portal}&answer=deny")))).await;
    assert_eq!((parameter(&refused, "error"), parameter(&refused, "state")), ("access_denied".into(), STATE.into()));

    let start = json!({"clientId": "kiro-cli", "loginProvider": "Google"});
    let (_, device) = json(rig.post("/oauth/device/authorization", &start)).await;
    let poll = || rig.post("/oauth/device/poll", &json!({"clientId": "kiro-cli", "deviceCode": device["deviceCode"]}));
    assert_eq!(json(poll()).await.1["status"], "authorization_pending");
    let code = device["userCode"].as_str().expect("a code");
    for (path, status) in
        [(format!("/device?user_code={code}&answer=allow"), 200), ("/start/?user_code=X&answer=allow".into(), 404)]
    {
        assert_eq!(rig.http.get(rig.url(&path)).send().await.expect("an answer").status(), status);
    }
    rig.control().advance_clock(Duration::from_secs(6));
    assert!(json(poll()).await.1["accessToken"].is_string());
    assert_eq!(rig.rules(), Vec::<String>::new());
}
