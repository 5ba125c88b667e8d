//! Header sets per identity and operation, and what hosts serve.

use serde_json::{Value, json};

use crate::support::{Rig, fixture, question};

/// The path, query and Host header of a real URL, sent to the stand-in.
fn redirected(rig: &Rig, method: &str, url: &str) -> reqwest::RequestBuilder {
    let real = reqwest::Url::parse(url).expect("a URL");
    let path = real.query().map_or_else(|| real.path().to_owned(), |q| format!("{}?{q}", real.path()));
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    rig.http.request(method, rig.url(&path)).header("host", real.host_str().expect("a host"))
}

#[tokio::test]
async fn every_header_set_of_the_samples_gets_the_answer_it_expects() {
    let rig = Rig::start().await;
    let fixture = fixture("headers.json");
    for set in fixture["sets"].as_array().expect("sets") {
        rig.control().reset();
        let name = set["name"].as_str().unwrap_or_default();
        let mut request = redirected(&rig, set["method"].as_str().unwrap(), set["url"].as_str().unwrap());
        let mut bearer = "";
        for (key, value) in set["headers"].as_object().expect("headers") {
            let mut value = value.as_str().expect("a string").to_owned();
            if key == "authorization" {
                bearer = set["headers"]["authorization"].as_str().unwrap_or_default();
                if set["url"].as_str().unwrap().contains("eu-central-1") {
                    value = format!("Bearer {}", rig.token("idc-eu"));
                }
            }
            if key == "x-amzn-kiro-profile-arn" {
                value = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/EXAMPLEIDCEU".to_owned();
            }
            request = request.header(key, value);
        }
        let body = match set["operation"].as_str().unwrap_or_default() {
            "GenerateAssistantResponse" => {
                let mut body = question("SAY: hi");
                match bearer {
                    b if b.contains("ksk_") || b.contains("builderid") => {
                        body.as_object_mut().unwrap().remove("profileArn");
                    }
                    b if b.contains("idc") => {
                        body["profileArn"] =
                            "arn:aws:codewhisperer:eu-central-1:111122223333:profile/EXAMPLEIDCEU".into();
                    }
                    b if b.contains("entra") => {
                        body["profileArn"] = "arn:aws:codewhisperer:us-east-1:111122223333:profile/EXAMPLEENTRA".into();
                    }
                    _ => {}
                }
                Some(body)
            }
            "ListAvailableProfiles" => Some(json!({"maxResults": 10})),
            "ListAvailableModels" if set["method"] == "POST" => Some(json!({"origin": "AI_EDITOR", "maxResults": 50})),
            "InvokeMCP" => Some(json!({"jsonrpc": "2.0", "id": "1", "method": "tools/list"})),
            _ if set["url"].as_str().unwrap().ends_with("/refreshToken") => {
                Some(json!({"refreshToken": rig.refresh_token("social")}))
            }
            _ if set["url"].as_str().unwrap().contains("oidc.") => {
                let account = rig.control().accounts().into_iter().find(|a| a.seed.id == "idc").expect("idc").seed;
                Some(json!({
                    "clientId": account.client_id, "clientSecret": account.client_secret,
                    "refreshToken": account.refresh_token, "grantType": "refresh_token",
                }))
            }
            _ => None,
        };
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await.expect("an answer");
        let (status, body) = (response.status().as_u16(), response.text().await.unwrap_or_default());
        match set["expect"].as_str().expect("an expectation") {
            "accepted" => {
                assert_eq!(status, 200, "{name}: {body} {:?}", rig.control().violations());
                assert_eq!(rig.rules(), Vec::<String>::new(), "{name}");
            }
            refused => {
                assert!(refused.starts_with("403"), "{name}");
                assert_eq!(status, 403, "{name}");
                assert!(!refused.contains("FEATURE") || body.contains("FEATURE_NOT_SUPPORTED"), "{name}: {body}");
                assert_eq!(rig.rules().len(), 1, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn the_root_form_names_the_error_in_the_body() {
    let rig = Rig::start().await;
    let request = rig
        .post("/", &json!({"conversationState": "no object"}))
        .header("x-amz-target", "AmazonCodeWhispererStreamingService.GenerateAssistantResponse")
        .bearer_auth(rig.token("social"));
    let body: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(body["__type"], "com.amazon.aws.codewhisperer#ValidationException");
    assert_eq!(body["reason"], "REQUEST_BODY_INVALID");
}

#[tokio::test]
async fn the_arn_rules_of_each_family_hold_on_each_host() {
    let rig = Rig::start().await;
    let idc = "arn:aws:codewhisperer:us-east-1:111122223333:profile/EXAMPLEIDCUS";
    let cases: &[(&str, &str, Option<&str>, u16, &str)] = &[
        ("social", "runtime.us-east-1.kiro.dev", Some(kiro_simulator::SOCIAL_ARN), 200, ""),
        ("social", "runtime.us-east-1.kiro.dev", None, 400, "profileArn is required for this request."),
        ("social", "q.us-east-1.amazonaws.com", None, 200, ""),
        ("social", "runtime.us-east-1.kiro.dev", Some(kiro_simulator::BUILDER_ID_ARN), 403, "Invalid token"),
        (
            "social",
            "runtime.eu-central-1.kiro.dev",
            Some(kiro_simulator::SOCIAL_ARN),
            400,
            "Improperly formed request.",
        ),
        ("idc", "runtime.us-east-1.kiro.dev", Some(idc), 200, ""),
        (
            "idc",
            "runtime.us-east-1.kiro.dev",
            Some(kiro_simulator::SOCIAL_ARN),
            403,
            "User is not authorized to make this call.",
        ),
        ("idc", "q.us-east-1.amazonaws.com", None, 400, "profileArn is required for this request."),
        ("builderid", "q.us-east-1.amazonaws.com", None, 200, ""),
        ("builderid", "runtime.us-east-1.kiro.dev", None, 400, "profileArn is required for this request."),
    ];
    for (account, host, arn, status, message) in cases {
        rig.control().reset();
        let mut body = question("SAY: hi");
        match arn {
            Some(arn) => body["profileArn"] = (*arn).into(),
            None => {
                body.as_object_mut().expect("an object").remove("profileArn");
            }
        }
        let request = redirected(&rig, "POST", &format!("https://{host}/generateAssistantResponse"))
            .header("content-type", "application/json")
            .header("user-agent", "KiroIDE")
            .bearer_auth(rig.token(account))
            .body(body.to_string());
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), *status, "{account} {host} {arn:?}");
        let body = response.text().await.expect("a body");
        if *status == 200 {
            assert_eq!(rig.rules(), Vec::<String>::new(), "{account} {host}");
        } else {
            assert!(body.contains(message), "{account} {host}: {body}");
            assert!(rig.rules().iter().all(|r| r.starts_with("arn")) && rig.rules().len() == 1, "{:?}", rig.rules());
        }
    }
}

#[tokio::test]
async fn a_host_that_does_not_exist_gives_no_answer_and_a_wrong_operation_gives_404() {
    let rig = Rig::start().await;
    let wrong = redirected(&rig, "POST", "https://q.eu-west-1.amazonaws.com/generateAssistantResponse");
    assert!(wrong.body("{}").send().await.is_err());
    let login = redirected(&rig, "GET", "https://runtime.us-east-1.kiro.dev/login").send().await.expect("an answer");
    assert_eq!(login.status(), 404);
    assert_eq!(rig.rules(), ["host", "operation"]);
}

#[tokio::test]
async fn models_are_paged_and_the_root_form_with_cli_origin_shows_three() {
    let rig = Rig::start().await;
    let mut ids = Vec::new();
    let mut next = String::new();
    loop {
        let url = rig.url(&format!("/ListAvailableModels?origin=AI_EDITOR&maxResults=4{next}"));
        let request = rig.http.get(url).header("user-agent", "KiroIDE").bearer_auth(rig.token("social"));
        let page: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        ids.extend(
            page["models"].as_array().expect("models").iter().map(|m| m["modelId"].as_str().unwrap().to_owned()),
        );
        match page["nextToken"].as_str() {
            Some(token) => next = format!("&nextToken={token}"),
            None => break,
        }
    }
    assert!(ids.len() > 10 && ids.contains(&"claude-opus-5".to_owned()), "{ids:?}");
    let request = rig
        .post("/", &json!({"origin": "CLI"}))
        .header("x-amz-target", "AmazonCodeWhispererService.ListAvailableModels")
        .bearer_auth(rig.token("social"));
    let page: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(page["models"].as_array().expect("models").len(), 3);
}

#[tokio::test]
async fn web_search_answers_as_json_rpc() {
    let rig = Rig::start().await;
    let samples = fixture("mcp-web-search.json");
    let request = rig.post("/mcp", &samples["tools_call"]["request"]["body"]).bearer_auth(rig.token("social"));
    let body: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(body["id"], samples["tools_call"]["request"]["body"]["id"]);
    let inner: Value =
        serde_json::from_str(body["result"]["content"][0]["text"].as_str().expect("text")).expect("JSON");
    assert_eq!(inner["query"], "sample query");
    assert_eq!(inner["results"].as_array().map(Vec::len), Some(2));
    assert_eq!(rig.rules(), Vec::<String>::new());
}
