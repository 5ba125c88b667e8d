mod broken;
mod hosts;
mod proxies;

use serde_json::{Value, json};

use super::*;
use crate::account::{AuthMethod, Provider};
use secrecy::ExposeSecret as _;

fn samples() -> Value {
    serde_json::from_str(include_str!("../../../../../tests/fixtures/upstream/credential-imports.json"))
        .expect("valid JSON")
}

fn context() -> ImportContext {
    ImportContext {
        now: Timestamp::parse_rfc3339("2026-11-23T09:30:00Z").expect("valid"),
        machine_id: "0".repeat(64),
        origin: AccountOrigin::Imported,
    }
}

fn read(content: &str) -> ImportReport {
    import(content, &[], &context())
}

/// The normalised record in the words of the fixture.
fn summary(new: &NewAccount) -> Value {
    let account = &new.account;
    let method = match account.method {
        AuthMethod::Social => "social",
        AuthMethod::Idc => "idc",
        AuthMethod::ExternalIdp => "external_idp",
        AuthMethod::ApiKey => "api_key",
    };
    let provider = account.provider.map(|provider| match provider {
        Provider::Google => "Google",
        Provider::Github => "Github",
        Provider::BuilderId => "BuilderId",
        Provider::Enterprise => "Enterprise",
        Provider::Internal => "Internal",
        Provider::AzureAd => "AzureAD",
    });
    let secret = |secret: &Option<SecretString>| secret.as_ref().map(|s| s.expose_secret().to_owned());
    let seconds = |at: Timestamp| at.to_rfc3339();
    json!({
        "auth_method": method,
        "provider": provider,
        "refresh_token": secret(&new.secrets.refresh_token),
        "client_secret": secret(&new.secrets.client_secret),
        "api_key": secret(&new.secrets.api_key),
        "access_token": new.access.as_ref().map(|(token, _)| token.expose_secret().to_owned()),
        "expires_at": new.access.as_ref().map(|(_, at)| seconds(*at)),
        "oidc_region": account.oidc_region,
        "api_region": account.api_region,
        "profile_arn": account.profile_arn,
        "client_id": account.client_id,
        "client_expires_at": account.client_expires_at.map(seconds),
        "token_endpoint": account.token_endpoint,
        "issuer_url": account.issuer_url,
        "scopes": account.scopes,
        "start_url": account.start_url,
        "email": account.email,
        "user_id": account.user_id,
        "enabled": account.enabled,
    })
}

/// Compares a case: what the fixture names must be equal, what it leaves out must be unknown.
fn compare(case: &str, new: &NewAccount, expected: &Value) {
    let found = summary(new);
    for (name, value) in found.as_object().expect("an object") {
        let wanted = expected.get(name).unwrap_or(&Value::Null);
        // An access token without an end is not kept, so the fixture's may be compared only together with its end.
        let optional = name == "expires_at" && found["access_token"].is_null();
        if !optional {
            assert_eq!(value, wanted, "{case}: {name}");
        }
    }
    if let Some(label) = expected.get("label") {
        assert_eq!(new.account.label, label.as_str().expect("text"), "{case}: label");
    }
    match expected.get("machine_id") {
        Some(id) => assert_eq!(new.account.machine_id, id.as_str().expect("text"), "{case}: machine id"),
        None => assert_eq!(new.account.machine_id, context().machine_id, "{case}: machine id"),
    }
    let warning = new.warnings.first().map(|warning| match warning {
        AccountWarning::RegistrationByScope => "registration found by scope scan",
        AccountWarning::KindGuessed => "family guessed",
        AccountWarning::RegionGuessed => "ask for the region",
        AccountWarning::ProxyTaken => "its proxy comes along",
        other => panic!("{case}: {other:?}"),
    });
    assert_eq!(warning, expected.get("warning").and_then(Value::as_str), "{case}: warning");
}

/// The samples and the forms of further programs.
fn text_cases() -> Vec<Value> {
    let others: Value =
        serde_json::from_str(include_str!("../../../../../tests/fixtures/imports/other-programs.json")).expect("JSON");
    let list = |document: &Value| document["cases"].as_array().expect("a list").clone();
    [list(&samples()), list(&others)].concat()
}

#[test]
fn every_text_format_of_the_fixtures_is_read_as_they_say() {
    let mut read_cases = 0;
    for (number, case) in text_cases().iter().enumerate() {
        let name = format!("case {number}, {} ({})", case["format"], case["source_path"]);
        let expected = &case["expected"];
        let (content, companions) = match case["kind"].as_str().expect("a kind") {
            // Databases are another way in, not text.
            "sqlite-rows" => continue,
            "text" => (case["content"].as_str().expect("text").to_owned(), Vec::new()),
            "json" => (case["content"].to_string(), Vec::new()),
            "files" => {
                let files = case["content"].as_object().expect("files");
                let main = files["kiro-auth-token.json"].to_string();
                let others = files.iter().filter(|(name, _)| *name != "kiro-auth-token.json");
                let companion = |(name, content): (&String, &Value)| Companion {
                    name: format!("/home/person/.aws/sso/cache/{name}"),
                    content: content.to_string(),
                };
                (main, others.map(companion).collect())
            }
            other => panic!("unknown kind {other}"),
        };
        read_cases += 1;
        if let Some(pointers) = expected.get("pointers") {
            let wanted = companions_wanted(&content);
            assert_eq!(json!(wanted), *pointers, "{name}");
            assert!(read(&content).rejected.iter().all(|rejected| rejected.code == "companion_missing"));
            continue;
        }
        let report = import(&content, &companions, &context());
        assert_eq!(report.rejected, [], "{name}");
        let expected = expected.as_array().expect("a list");
        assert_eq!(report.accounts.len(), expected.len(), "{name}");
        for (new, expected) in report.accounts.iter().zip(expected) {
            compare(&name, new, expected);
        }
    }
    assert!(read_cases >= 18, "only {read_cases} cases were read");
}

#[test]
fn the_accounts_of_the_original_program_are_read_through_their_pointers() {
    let samples = samples();
    let case = |format: &str| {
        let cases = samples["cases"].as_array().expect("a list");
        cases.iter().find(|case| case["format"] == format).expect("a case")["content"].clone()
    };
    let mut second = case("kiro-ide-token");
    second["refreshToken"] = json!("EXAMPLE-second-".repeat(10));
    let companions = [
        Companion { name: "kiro-auth-token.json".into(), content: case("kiro-ide-token").to_string() },
        Companion { name: r"C:\Users\p\.kiro-proxy\tokens\second.json".into(), content: second.to_string() },
    ];
    let report = import(&case("kiroproxy-config").to_string(), &companions, &context());
    assert_eq!(report.rejected, []);
    let seen: Vec<_> = report.accounts.iter().map(|new| (new.account.label.as_str(), new.account.enabled)).collect();
    assert_eq!(seen, [("main", true), ("second", false)]);
}

#[test]
fn every_trap_of_the_fixture_is_avoided() {
    let mut seen = 0;
    for trap in samples()["traps"].as_array().expect("a list") {
        let name = trap["name"].as_str().expect("a name");
        let report = trap.get("content").map(|content| read(&content.to_string())).unwrap_or_default();
        let codes: Vec<&str> = report.rejected.iter().map(|rejected| rejected.code).collect();
        seen += 1;
        let refused = match name {
            "wrapper object must not become one empty account" => "no_account",
            "foreign JSON" => "format_not_recognised",
            "truncated refresh token" => "refresh_token_cut",
            "unknown explicit authMethod" => "auth_method_unknown",
            "hostile token endpoint" | "hostile token endpoint, userinfo" => "host_not_allowed",
            "hostile region" => "region_not_allowed",
            "clientIdHash with a path" => "client_id_hash_invalid",
            "idc without client" => "client_missing",
            "Entra with clientSecret is not IdC" => {
                assert_eq!(report.accounts[0].account.method, AuthMethod::ExternalIdp);
                continue;
            }
            "placeholder ARN on IdC" => {
                assert_eq!(report.accounts[0].account.profile_arn, None);
                assert_eq!(report.accounts.len(), 1);
                continue;
            }
            "byte order mark and CRLF" => {
                let content = serde_json::to_string_pretty(&samples()["cases"][0]["content"]).expect("text");
                let report = read(&format!("\u{feff}{}\r\n", content.replace('\n', "\r\n")));
                assert_eq!(report.accounts.len(), 1);
                continue;
            }
            "same account twice" => {
                assert_eq!((report.accounts.len(), report.repeated.as_slice()), (1, &[1][..]));
                continue;
            }
            "expiresAt variants" => {
                for value in trap["values"].as_array().expect("values") {
                    let at = crate::owner::moment::parse(value).map(Timestamp::to_rfc3339);
                    assert_eq!(at.as_deref(), Some("2026-11-23T10:00:00Z"), "{value}");
                }
                continue;
            }
            other => panic!("a trap that this test does not know: {other}"),
        };
        assert_eq!((codes.as_slice(), report.accounts.len()), (&[refused][..], 0), "{name}");
    }
    assert!(seen >= 14);
}

#[test]
fn a_table_with_chinese_headers_and_quotes_is_read() {
    let token = "EXAMPLE-refresh-".repeat(8);
    let content = format!(
        "邮箱,昵称,登录方式,RefreshToken,ClientId,ClientSecret,Region\r\n\"a@example.com\",\"Li, Wei\",BuilderId,{token},id,secret,us-east-1\r\nb@example.com,,Google,{token}x,,,\r\n"
    );
    let report = read(&content);
    assert_eq!(report.rejected, []);
    let seen: Vec<_> = report
        .accounts
        .iter()
        .map(|new| (new.account.label.as_str(), new.account.method, new.account.provider))
        .collect();
    assert_eq!(
        seen,
        [
            ("Li, Wei", AuthMethod::Idc, Some(Provider::BuilderId)),
            ("b@example.com", AuthMethod::Social, Some(Provider::Google)),
        ]
    );
}

#[test]
fn hostile_regions_hosts_and_profiles_are_refused() {
    let token = "EXAMPLE-refresh-".repeat(8);
    let refused = |field: &str, value: &str| {
        let mut record = json!({"refreshToken": token, "authMethod": "idc", "clientId": "c", "clientSecret": "s"});
        record[field] = json!(value);
        let report = read(&record.to_string());
        assert_eq!(report.accounts.len(), 0, "{field} = {value}");
        report.rejected[0].code
    };
    for region in
        ["evil.example", "us-east-1.evil.example", "us-east-1/..", "..", "us-east-1#", "us-east-1@evil", "xx-nowhere-1"]
    {
        assert_eq!(refused("region", region), "region_not_allowed", "{region}");
    }
    for region in ["evil.example", "us-east-1:80", "us-east-1\\evil"] {
        assert_eq!(refused("apiRegion", region), "region_not_allowed", "{region}");
    }
    for arn in [
        "arn:aws:codewhisperer:evil.example:111122223333:profile/A",
        "arn:aws:codewhisperer:us-east-1:111122223333:profile/../x",
        "arn:aws:s3:us-east-1:111122223333:profile/A",
        "arn:aws:codewhisperer:us-east-1:1:profile/A",
        "x",
    ] {
        assert_eq!(refused("profileArn", arn), "profile_arn_malformed", "{arn}");
    }
}

#[test]
fn broken_input_is_refused_and_no_secret_is_repeated() {
    let token = "planted-secret-".repeat(8);
    let inputs = [
        format!("{{\"refreshToken\": \"{token}\""),
        format!("{{\"refreshToken\": [\"{token}\"]}}"),
        format!("[1, \"{token}\", null, {{}}]"),
        format!("{{\"accounts\": \"{token}\"}}"),
        format!("{{\"refreshToken\": \"{token}\", \"expiresAt\": \"{token}\"}}"),
        format!("{{\"refreshToken\": \"{token}\\n\"}}x"),
        format!("{{\"refreshToken\": \"{token}\\u0000{token}\"}}"),
        format!("{{\"refreshToken\": \"{token}\", \"authMethod\": \"{token}\"}}"),
        format!("{{\"refreshToken\": \"{token}\", \"profileArn\": \"{token}\"}}"),
        format!("{{\"refreshToken\": \"{token}\", \"clientIdHash\": \"{token}\"}}"),
        "null".into(),
        String::new(),
        "{}".into(),
        "hello world".into(),
        "planted-secret-short".into(),
    ];
    for input in inputs {
        let report = read(&input);
        assert!(report.accounts.is_empty() && !report.rejected.is_empty(), "{input}");
        for rejected in &report.rejected {
            assert!(!rejected.message.contains("planted-secret"), "{}", rejected.message);
        }
        assert!(!format!("{report:?}").contains("planted-secret"));
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_an_import_panic(content in ".{0,400}") {
        let _ = read(&content);
        let _ = companions_wanted(&content);
    }

    #[test]
    fn no_field_content_makes_an_import_panic(value in ".{0,200}", field in 0_usize..20) {
        let names = ["authMethod", "provider", "refreshToken", "accessToken", "expiresAt", "clientId", "clientSecret",
            "clientIdHash", "kiroApiKey", "region", "apiRegion", "profileArn", "startUrl", "tokenEndpoint", "issuerUrl",
            "scopes", "machineId", "email", "userId", "label"];
        let mut record = json!({"refreshToken": "EXAMPLE-refresh-".repeat(8)});
        record[names[field]] = json!(value);
        let report = read(&record.to_string());
        for new in report.accounts {
            if let Some(endpoint) = new.account.token_endpoint {
                proptest::prop_assert!(new.account.method != AuthMethod::ExternalIdp
                    || crate::upstream::identity::hosts::external_idp(&endpoint).is_some());
            }
        }
    }
}
