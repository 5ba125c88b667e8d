use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::Value;
use url::Url;

use super::*;
use crate::account::{AccountOrigin, test_account};

/// What the stand-in was sent, and what it answers.
struct Seen {
    answer: (StatusCode, Vec<(&'static str, &'static str)>, String),
    requests: Mutex<Vec<(String, HeaderMap, String)>>,
}

async fn stand_in(status: u16, headers: Vec<(&'static str, &'static str)>, body: &str) -> (HttpIdentity, Arc<Seen>) {
    let status = StatusCode::from_u16(status).expect("a status");
    let seen = Arc::new(Seen { answer: (status, headers, body.to_owned()), requests: Mutex::default() });
    let handler = |State(seen): State<Arc<Seen>>, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        let text = String::from_utf8(body.to_vec()).expect("text");
        seen.requests.lock().expect("lock").push((uri.to_string(), headers, text));
        let (status, extra, body) = &seen.answer;
        let mut answer = axum::response::Response::new(axum::body::Body::from(body.clone()));
        *answer.status_mut() = *status;
        for (name, value) in extra {
            answer.headers_mut().insert(*name, value.parse().expect("a value"));
        }
        answer
    };
    let router = Router::new().fallback(handler).with_state(Arc::clone(&seen));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    let server = async move { axum::serve(listener, router).await };
    tokio_util::task::TaskTracker::new().spawn(server);
    let http = Http::new(Some(Url::parse(&base).expect("a URL"))).expect("clients");
    (HttpIdentity::new(Arc::new(http), AgentNames { os: "linux#6.8.0".into(), ..AgentNames::default() }), seen)
}

fn fixture(text: &str) -> Value {
    serde_json::from_str(text).expect("valid JSON")
}

fn refresh_steps() -> Vec<Value> {
    let flows = fixture(include_str!("../../../../../../tests/fixtures/upstream/auth-flows.json"));
    let flows = flows["flows"].as_array().expect("flows").clone();
    let steps = flows.iter().filter_map(|flow| flow["steps"].as_array()).flatten();
    steps.filter(|step| step["step"].as_str().is_some_and(|name| name.starts_with("refresh"))).cloned().collect()
}

/// An account and its secrets that would send the request of a step.
fn actor(request: &Value) -> (Account, Secrets) {
    let url = request["url"].as_str().expect("a URL");
    let mut account = test_account("one");
    account.machine_id = "d3107e0af272154f40420eead74da9cfe63b0d38cfd6051ac9900f6061940d4f".into();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut secrets = Secrets::default();
    let token = |value: &Value| text(value).map(SecretString::from);
    if let Some(form) = request.get("form") {
        account.method = AuthMethod::ExternalIdp;
        account.token_endpoint = Some(url.to_owned());
        account.client_id = text(&form["client_id"]);
        account.scopes = text(&form["scope"]);
        secrets.refresh_token = token(&form["refresh_token"]);
        return (account, secrets);
    }
    let body = &request["body"];
    secrets.refresh_token = token(&body["refreshToken"]);
    if body.get("clientId").is_some() {
        account.method = AuthMethod::Idc;
        account.oidc_region = url.split('.').nth(1).map(str::to_owned);
        account.client_id = text(&body["clientId"]);
        secrets.client_secret = token(&body["clientSecret"]);
    }
    (account, secrets)
}

#[tokio::test]
async fn every_refresh_of_the_fixture_is_sent_and_understood_as_it_says() {
    let steps = refresh_steps();
    assert!(steps.len() >= 5, "{} steps", steps.len());
    for step in steps {
        let (request, response) = (&step["request"], &step["response"]);
        let status = u16::try_from(response["status"].as_u64().expect("a status")).expect("small");
        let (identity, seen) = stand_in(status, Vec::new(), &response["body"].to_string()).await;
        let (account, secrets) = actor(request);
        let answer = identity.refresh(&account, &secrets).await.expect("a token");
        let (path, headers, body) = seen.requests.lock().expect("lock").remove(0);
        let url = Url::parse(request["url"].as_str().expect("a URL")).expect("a URL");
        assert_eq!(path, url.path());
        assert_eq!(headers["host"], url.host_str().expect("a host"));
        if let Some(form) = request.get("form") {
            let sent: serde_json::Map<String, Value> = url::form_urlencoded::parse(body.as_bytes())
                .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
                .collect();
            assert_eq!(&Value::Object(sent), form);
            assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
        } else {
            assert_eq!(fixture(&body), request["body"]);
            assert_eq!(headers["content-type"], "application/json");
        }
        assert!(!headers.contains_key("authorization"));
        let body = &response["body"];
        let either = |camel: &str, snake: &str| body.get(camel).or(body.get(snake)).cloned().unwrap_or(Value::Null);
        assert_eq!(either("accessToken", "access_token"), answer.access_token.expose_secret());
        let rotated = answer.refresh_token.as_ref().map(|token| Value::from(token.expose_secret()));
        assert_eq!(either("refreshToken", "refresh_token"), rotated.unwrap_or(Value::Null));
        assert_eq!(either("expiresIn", "expires_in").as_u64(), answer.expires_in.map(|life| life.as_secs()));
        assert_eq!(either("profileArn", "profile_arn").as_str(), answer.profile_arn.as_deref());
    }
}

#[tokio::test]
async fn the_headers_are_those_of_the_fixture() {
    let sets = fixture(include_str!("../../../../../../tests/fixtures/upstream/headers.json"));
    for name in ["social-refresh", "oidc-refresh"] {
        let set = sets["sets"].as_array().expect("sets").iter().find(|set| set["name"] == name).expect("a set").clone();
        let step = refresh_steps().into_iter().find(|step| step["request"]["url"] == set["url"]).expect("a step");
        let (identity, seen) = stand_in(200, Vec::new(), r#"{"accessToken":"a","expiresIn":60}"#).await;
        let (account, secrets) = actor(&step["request"]);
        identity.refresh(&account, &secrets).await.expect("a token");
        let (_, headers, _) = seen.requests.lock().expect("lock").remove(0);
        for (header, value) in set["headers"].as_object().expect("headers") {
            let sent = headers.get(header).unwrap_or_else(|| panic!("{name}: no {header}")).to_str().expect("text");
            if header == "amz-sdk-invocation-id" {
                uuid::Uuid::try_parse(sent).expect("a UUID");
            } else {
                assert_eq!(sent, value.as_str().expect("text"), "{name}: {header}");
            }
        }
    }
}

async fn judged(
    method: AuthMethod,
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: &str,
) -> IdentityError {
    let (identity, _seen) = stand_in(status, headers, body).await;
    let mut account = test_account("one");
    account.method = method;
    account.client_id = Some("c".into());
    account.token_endpoint = Some("https://login.microsoftonline.com/t/oauth2/v2.0/token".into());
    let secret = || Some(SecretString::from("planted-secret"));
    let secrets = Secrets { refresh_token: secret(), client_secret: secret(), ..Secrets::default() };
    let error = identity.refresh(&account, &secrets).await.expect_err("a refusal");
    assert!(!error.to_string().contains("planted"), "{error}");
    error
}

#[tokio::test]
async fn dead_grants_are_told_from_trouble_that_passes() {
    use AuthMethod::{ExternalIdp, Idc, Social};
    let rejected = [
        (Idc, 400, r#"{"error":"invalid_grant","error_description":"Invalid refresh token provided"}"#),
        (Idc, 400, r#"{"__type":"com.amazonaws.ssooidc#ExpiredTokenException","message":"expired"}"#),
        (Social, 401, ""),
        (Social, 401, r#"{"message":"Invalid refresh token"}"#),
        (Social, 400, r#"{"error":"invalid_grant"}"#),
        (ExternalIdp, 400, r#"{"error":"invalid_grant","error_description":"AADSTS70008"}"#),
    ];
    for (method, status, body) in rejected {
        let error = judged(method, status, Vec::new(), body).await;
        assert!(matches!(error, IdentityError::Rejected(_)), "{status} {body}: {error:?}");
    }
    let dead = [
        (Idc, 401, r#"{"error":"invalid_client","error_description":"Client is expired"}"#),
        (Idc, 400, r#"{"__type":"InvalidClientException"}"#),
        (ExternalIdp, 400, r#"{"error":"interaction_required"}"#),
    ];
    for (method, status, body) in dead {
        let error = judged(method, status, Vec::new(), body).await;
        assert!(matches!(error, IdentityError::Dead(_)), "{status} {body}: {error:?}");
    }
    let passes = [
        (Social, 403, "<html>blocked</html>"),
        (Social, 429, ""),
        (Social, 500, r#"{"error":"invalid_grant"}"#),
        (Idc, 400, r#"{"error":"slow_down"}"#),
        (Idc, 429, r#"{"__type":"SlowDownException"}"#),
        (Idc, 400, "not json"),
        (Idc, 302, ""),
        (ExternalIdp, 503, r#"{"error":"temporarily_unavailable"}"#),
    ];
    for (method, status, body) in passes {
        let error = judged(method, status, Vec::new(), body).await;
        assert!(matches!(error, IdentityError::Transient { .. }), "{status} {body}: {error:?}");
    }
    // The token may have been exchanged: nobody can tell.
    for body in ["{}", "not json planted-secret", r#"{"accessToken":""}"#] {
        let error = judged(Social, 200, Vec::new(), body).await;
        assert!(matches!(error, IdentityError::Unanswered(_)), "{body}: {error:?}");
    }
    let asked = judged(Social, 429, vec![("retry-after", "17")], "").await;
    assert!(
        matches!(asked, IdentityError::Transient { retry_after: Some(wait), .. } if wait == Duration::from_secs(17))
    );
}

#[tokio::test]
async fn a_refresh_token_goes_to_no_host_outside_the_table() {
    let (identity, seen) = stand_in(200, Vec::new(), r#"{"accessToken":"a"}"#).await;
    let secrets = Secrets {
        refresh_token: Some(SecretString::from("r")),
        client_secret: Some(SecretString::from("s")),
        ..Secrets::default()
    };
    let mut account = test_account("one");
    account.client_id = Some("c".into());
    account.method = AuthMethod::ExternalIdp;
    for endpoint in [
        "https://login.microsoftonline.com.evil.example/t",
        "https://login.microsoftonline.com@evil.example/t",
        "http://login.microsoftonline.com/t",
    ] {
        account.token_endpoint = Some(endpoint.into());
        let error = identity.refresh(&account, &secrets).await.expect_err("refused");
        assert!(matches!(error, IdentityError::Dead(_)), "{error:?}");
    }
    account.method = AuthMethod::Idc;
    for region in ["evil.example/", "us-east-1.evil.example/#", "xx-nowhere-9"] {
        account.oidc_region = Some(region.into());
        identity.refresh(&account, &secrets).await.expect_err("refused");
    }
    let mut demo = test_account("demo");
    demo.origin = AccountOrigin::Demo;
    identity.refresh(&demo, &secrets).await.expect_err("its simulator is not running");
    assert_eq!(seen.requests.lock().expect("lock").len(), 0);
}
