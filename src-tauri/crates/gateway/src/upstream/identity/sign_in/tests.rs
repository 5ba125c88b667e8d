//! Every request and answer of the fixture, one call each.

use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::*;
use crate::clock::Timestamp;

const MACHINE: &str = "d3107e0af272154f40420eead74da9cfe63b0d38cfd6051ac9900f6061940d4f";

struct Seen {
    answer: (StatusCode, String),
    requests: Mutex<Vec<(Method, Uri, HeaderMap, String)>>,
}

async fn stand_in(response: &Value) -> (SignIn, Arc<Seen>) {
    let status = response["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
    let status = StatusCode::from_u16(status).expect("a status");
    let seen = Arc::new(Seen { answer: (status, response["body"].to_string()), requests: Mutex::default() });
    let handler = |State(seen): State<Arc<Seen>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        let text = String::from_utf8(body.to_vec()).expect("text");
        seen.requests.lock().expect("lock").push((method, uri, headers, text));
        seen.answer.clone()
    };
    let router = Router::new().fallback(handler).with_state(Arc::clone(&seen));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let base = Url::parse(&format!("http://{}", listener.local_addr().expect("bound"))).expect("a URL");
    tokio_util::task::TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    let http = Arc::new(Http::new(Some(base)).expect("clients"));
    // Pages keep their real addresses here, so that they can be compared with the fixture's.
    (SignIn::new(http, AgentNames::default(), MACHINE, None), seen)
}

fn flow(name: &str) -> Value {
    let flows: Value =
        serde_json::from_str(include_str!("../../../../../../../tests/fixtures/upstream/auth-flows.json"))
            .expect("JSON");
    let flows = flows["flows"].as_array().expect("flows").clone();
    flows.into_iter().find(|flow| flow["flow"].as_str().is_some_and(|known| known.starts_with(name))).expect("a flow")
}

fn step(flow: &Value, name: &str) -> Value {
    let steps = flow["steps"].as_array().expect("steps");
    steps.iter().find(|step| step["step"].as_str().is_some_and(|known| known.starts_with(name))).expect(name).clone()
}

/// Compares what was sent with the fixture. `more`: optional members that the fixture leaves out.
fn sent(seen: &Seen, request: &Value, more: &[&str]) {
    let (method, uri, headers, body) = seen.requests.lock().expect("lock").remove(0);
    let url = Url::parse(request["url"].as_str().expect("a URL")).expect("a URL");
    assert_eq!(method.as_str(), request["method"]);
    assert_eq!((uri.path(), headers["host"].to_str().expect("text")), (url.path(), url.host_str().expect("a host")));
    assert!(!headers.contains_key("authorization"));
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        assert_eq!(headers[name.as_str()], value.as_str().expect("text"), "{name}");
    }
    if let Some(form) = request.get("form") {
        let fields: serde_json::Map<String, Value> = url::form_urlencoded::parse(body.as_bytes())
            .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
            .collect();
        assert_eq!(&Value::Object(fields), form);
    } else if let Some(wanted) = request.get("body") {
        let mut body: Value = serde_json::from_str(&body).expect("JSON");
        for name in more {
            body.as_object_mut().expect("an object").remove(*name).expect(name);
        }
        assert_eq!(&body, wanted);
    }
}

/// Compares a page's address with the fixture.
fn page_is(page: &Url, request: &Value) {
    let (address, query) = page.as_str().split_once('?').expect("a query");
    assert_eq!(address, request["url"]);
    let pairs: serde_json::Map<String, Value> = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
        .collect();
    assert_eq!(Value::Object(pairs), request["query"]);
}

fn client(request: &Value) -> RegisteredClient {
    let text = |name: &str| request["body"][name].as_str().unwrap_or("EXAMPLECLIENTID").to_owned();
    RegisteredClient { id: text("clientId"), secret: text("clientSecret").into(), expires_at: Timestamp(0) }
}

fn secret(value: &Value) -> SecretString {
    SecretString::from(value.as_str().expect("text"))
}

const CHALLENGE: &str = "CquO8n4PumxDkmUNz7IcIzEnA3-snxfjgsHWne-ct2Q";

#[tokio::test]
async fn device_sign_ins_of_aws_are_sent_and_understood_as_the_fixture_says() {
    for (name, region, start_url, more) in [
        ("Builder ID device flow", "us-east-1", "https://view.awsapps.com/start", &[][..]),
        (
            "IAM Identity Center device flow",
            "eu-west-1",
            "https://example-company.awsapps.com/start",
            &["grantTypes", "issuerUrl"][..],
        ),
    ] {
        let flow = flow(name);
        let register = step(&flow, "register");
        let (sign_in, seen) = stand_in(&register["response"]).await;
        let made = sign_in.register(region, start_url, OidcFlow::Device).await.expect("registered");
        sent(&seen, &register["request"], more);
        assert_eq!(
            (made.id.as_str(), made.expires_at),
            ("EXAMPLECLIENTID", Timestamp::from_unix_seconds(1_771_676_000))
        );

        let begin = step(&flow, "device authorization");
        let (sign_in, seen) = stand_in(&begin["response"]).await;
        let started = sign_in.oidc_device(region, start_url, &client(&begin["request"])).await.expect("started");
        sent(&seen, &begin["request"], &[]);
        assert_eq!(started.page.as_str(), begin["response"]["body"]["verificationUriComplete"]);
        assert_eq!((started.lives.as_secs(), started.interval.as_secs()), (600, 1));

        let poll = step(&flow, "poll");
        let (sign_in, seen) = stand_in(&poll["response"]).await;
        let code = secret(&poll["request"]["body"]["deviceCode"]);
        let done = sign_in.oidc_poll(region, &client(&poll["request"]), &code).await.expect("tokens");
        sent(&seen, &poll["request"], &[]);
        let DevicePoll::Done(tokens) = done else { panic!("not done") };
        assert_eq!(tokens.access_token.expose_secret(), poll["response"]["body"]["accessToken"]);
        let refresh = tokens.refresh_token.expect("a refresh token");
        assert_eq!(refresh.expose_secret(), poll["response"]["body"]["refreshToken"]);
    }
}

#[tokio::test]
async fn the_browser_sign_in_of_aws_is_sent_as_the_fixture_says() {
    let flow = flow("IAM Identity Center authorization code");
    let (region, start_url) = ("eu-west-1", "https://example-company.awsapps.com/start");
    let register = step(&flow, "register");
    let (sign_in, seen) = stand_in(&register["response"]).await;
    sign_in.register(region, start_url, OidcFlow::Browser).await.expect("registered");
    sent(&seen, &register["request"], &[]);
    let exchange = step(&flow, "exchange");
    let redirect = exchange["request"]["body"]["redirectUri"].as_str().expect("text");
    let client = client(&exchange["request"]);
    let page = sign_in.oidc_authorize(region, &client, redirect, "state-C", CHALLENGE).expect("a page");
    page_is(&page, &step(&flow, "open browser")["request"]);
    let (sign_in, seen) = stand_in(&exchange["response"]).await;
    let body = &exchange["request"]["body"];
    let (code, verifier) = (secret(&body["code"]), secret(&body["codeVerifier"]));
    let with = CodeExchange { code: &code, verifier: &verifier, redirect_uri: redirect };
    let tokens = sign_in.oidc_exchange(region, &client, &with).await.expect("tokens");
    sent(&seen, &exchange["request"], &[]);
    assert_eq!(tokens.expires_in, Some(Duration::from_secs(28_800)));
}

#[tokio::test]
async fn the_portal_and_the_device_codes_of_kiro_are_sent_as_the_fixture_says() {
    let portal = flow("social login, hosted portal");
    let exchange = step(&portal, "exchange");
    let (sign_in, seen) = stand_in(&exchange["response"]).await;
    let page = sign_in.portal("http://localhost:3128", "state-B", CHALLENGE).expect("a page");
    page_is(&page, &step(&portal, "open browser")["request"]);
    let body = &exchange["request"]["body"];
    let redirect = SocialRedirect {
        base: "http://localhost:3128".into(),
        path: "/oauth/callback".into(),
        login_option: Some("google".into()),
    };
    let (code, verifier) = (secret(&body["code"]), secret(&body["code_verifier"]));
    let tokens = sign_in.social_exchange(&code, &verifier, &redirect).await.expect("tokens");
    sent(&seen, &exchange["request"], &[]);
    assert_eq!(tokens.profile_arn.as_deref(), exchange["response"]["body"]["profileArn"].as_str());

    let device = flow("social device login");
    let start = step(&device, "start");
    let (sign_in, seen) = stand_in(&start["response"]).await;
    let started = sign_in.social_device(SocialIdp::Google).await.expect("started");
    sent(&seen, &start["request"], &[]);
    assert_eq!((started.lives, started.interval), (Duration::from_secs(300), Duration::from_secs(5)));
    for (name, done) in [("poll, pending", false), ("poll, done", true)] {
        let poll = step(&device, name);
        let (sign_in, seen) = stand_in(&poll["response"]).await;
        let answer = sign_in.social_poll(&started.device_code).await.expect("an answer");
        sent(&seen, &poll["request"], &[]);
        assert_eq!(matches!(answer, DevicePoll::Done(_)), done, "{name}");
    }
}

#[tokio::test]
async fn the_two_legs_of_a_directory_are_sent_as_the_fixture_says() {
    let flow = flow("external IdP");
    let second = step(&flow, "leg 2");
    let query = &second["request"]["query"];
    let text = |name: &str| query[name].as_str().expect("text").to_owned();
    let discovery = step(&flow, "discovery");
    let (sign_in, seen) = stand_in(&discovery["response"]).await;
    let descriptor = Descriptor {
        issuer: discovery["response"]["body"]["issuer"].as_str().expect("text").to_owned(),
        client_id: text("client_id"),
        scopes: text("scope"),
        login_hint: Some(text("login_hint")),
    };
    let directory = sign_in.discover(&descriptor).await.expect("found");
    sent(&seen, &discovery["request"], &[]);
    let page = sign_in.directory_page(&directory, &text("redirect_uri"), "state-E", CHALLENGE).expect("a page");
    page_is(&page, &second["request"]);
    let exchange = step(&flow, "exchange");
    let (sign_in, seen) = stand_in(&exchange["response"]).await;
    let form = &exchange["request"]["form"];
    let (code, verifier) = (secret(&form["code"]), secret(&form["code_verifier"]));
    let redirect = form["redirect_uri"].as_str().expect("text");
    let with = CodeExchange { code: &code, verifier: &verifier, redirect_uri: redirect };
    let tokens = sign_in.directory_exchange(&directory, &with).await.expect("tokens");
    sent(&seen, &exchange["request"], &[]);
    assert_eq!(tokens.access_token.expose_secret(), exchange["response"]["body"]["access_token"]);
}

#[tokio::test]
async fn a_directory_that_speaks_for_another_is_not_believed() {
    let body = serde_json::json!({
        "issuer": "https://login.microsoftonline.com/other/v2.0",
        "authorization_endpoint": "https://login.microsoftonline.com/other/oauth2/v2.0/authorize",
        "token_endpoint": "https://attacker.example/token",
    });
    let descriptor = |issuer: &str| Descriptor {
        issuer: issuer.into(),
        client_id: "c".into(),
        scopes: "s".into(),
        login_hint: None,
    };
    for issuer in ["https://login.microsoftonline.com/tenant/v2.0", "https://login.microsoftonline.com/other/v2.0"] {
        let (sign_in, _seen) = stand_in(&serde_json::json!({"status": 200, "body": body})).await;
        assert!(matches!(sign_in.discover(&descriptor(issuer)).await, Err(SignInError::Unsafe(_))), "{issuer}");
    }
    let (sign_in, seen) = stand_in(&serde_json::json!({"status": 200, "body": body})).await;
    assert!(matches!(
        sign_in.discover(&descriptor("https://attacker.example/v2.0")).await,
        Err(SignInError::Unsafe(_))
    ));
    assert!(seen.requests.lock().expect("lock").is_empty(), "nothing was sent");
}

#[tokio::test]
async fn every_error_of_the_fixture_means_what_it_says() {
    let device = flow("Builder ID device flow");
    let mut seen = Vec::new();
    for error in device["errors"].as_array().expect("errors").iter().filter(|error| error["when"] == "poll") {
        let (sign_in, _) = stand_in(error).await;
        let answer = sign_in.oidc_poll("us-east-1", &client(&Value::Null), &"code".into()).await;
        seen.push(match answer {
            Ok(DevicePoll::Pending) => "wait",
            Ok(DevicePoll::SlowDown) => "too fast",
            Ok(DevicePoll::Done(_)) => "done",
            Err(SignInError::Expired) => "expired",
            Err(SignInError::Denied(_)) => "refused",
            Err(SignInError::ClientGone(_)) => "registration bad",
            Err(SignInError::Refused(_)) => "code bad or used",
            Err(SignInError::RedirectUri(_) | SignInError::Unsafe(_) | SignInError::Transient { .. }) => "other",
            Err(SignInError::ProxyDown | SignInError::AccountGone) => "no account is named",
        });
    }
    let meant: Vec<&str> = device["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .filter(|error| error["when"] == "poll")
        .filter_map(|error| error["means"].as_str())
        .collect();
    assert_eq!(seen, meant);

    let social = flow("social device login");
    for (error, wanted) in social["errors"].as_array().expect("errors").iter().zip(["expired", "denied", "slow"]) {
        let (sign_in, _) = stand_in(error).await;
        let answer = sign_in.social_poll(&"code".into()).await;
        let fits = match wanted {
            "expired" => matches!(answer, Err(SignInError::Expired)),
            "denied" => matches!(answer, Err(SignInError::Denied(_))),
            _ => matches!(answer, Ok(DevicePoll::SlowDown)),
        };
        assert!(fits, "{wanted}: {answer:?}");
    }
    for (error, redirect) in
        flow("social login, direct IdP")["errors"].as_array().expect("errors").iter().zip([false, true])
    {
        let (sign_in, seen) = stand_in(error).await;
        let form = SocialRedirect { base: "http://localhost:1".into(), path: "/x".into(), login_option: None };
        let answer = sign_in.social_exchange(&"code".into(), &"verifier".into(), &form).await;
        assert_eq!(matches!(answer, Err(SignInError::RedirectUri(_))), redirect, "{answer:?}");
        let tried = seen.requests.lock().expect("lock").len();
        assert_eq!(tried, if redirect { 2 } else { 1 }, "a code that was refused is not tried again");
    }
}
