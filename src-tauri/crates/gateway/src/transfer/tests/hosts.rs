//! Property: whatever a record says, what it becomes leads to hosts of the service only, and what of it reaches a header is
//! fit for one.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::upstream::endpoint;
use crate::upstream::identity::hosts;

/// Written down again, so that a mistake in the gateway's table does not excuse itself.
fn allowed(host: &str) -> bool {
    const FIXED: [&str; 10] = [
        "codewhisperer.us-east-1.amazonaws.com",
        "runtime.us-east-1.kiro.dev",
        "runtime.eu-central-1.kiro.dev",
        "q.us-east-1.amazonaws.com",
        "q.eu-central-1.amazonaws.com",
        "prod.us-east-1.auth.desktop.kiro.dev",
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "login.chinacloudapi.cn",
    ];
    // China's partition is the one with another ending.
    if ["oidc.cn-north-1.amazonaws.com.cn", "oidc.cn-northwest-1.amazonaws.com.cn"].contains(&host) {
        return true;
    }
    let region = host.strip_prefix("oidc.").and_then(|rest| rest.strip_suffix(".amazonaws.com"));
    FIXED.contains(&host)
        || region.is_some_and(|region| {
            region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        })
}

/// Every host that a call of the account could name.
fn contacted(account: &Account) -> Vec<String> {
    let mut found: Vec<String> = endpoint::ladder(account).into_iter().map(|rung| rung.host).collect();
    found.push(endpoint::control_plane(account).host);
    match account.method {
        AuthMethod::Social => found.push(hosts::SOCIAL.to_owned()),
        AuthMethod::Idc => {
            found.extend(account.oidc_region.as_deref().map(|region| hosts::oidc(region).expect("checked")))
        }
        AuthMethod::ExternalIdp => {
            let urls = [&account.token_endpoint, &account.issuer_url].into_iter().flatten();
            found.extend(
                urls.map(|url| hosts::external_idp(url).expect("checked").host_str().expect("a host").to_owned()),
            );
        }
        AuthMethod::ApiKey => {}
    }
    found
}

/// Good values, hostile ones, and anything.
fn value() -> impl Strategy<Value = Value> {
    let known = [
        "us-east-1",
        "eu-central-1",
        "eu-west-1",
        "cn-north-1",
        "attacker.example",
        "us-east-1.attacker.example",
        "us-east-1/",
        "arn:aws:codewhisperer:eu-central-1:111122223333:profile/EXAMPLEIDCEU",
        "arn:aws:codewhisperer:attacker.example:111122223333:profile/A",
        "https://login.microsoftonline.com/t/oauth2/v2.0/token",
        "https://login.microsoftonline.com@attacker.example/t",
        "https://view.awsapps.com/start",
        "https://attacker.example/start",
        "social",
        "idc",
        "external_idp",
        "api_key",
        "magic",
        "Google",
        "BuilderId",
        "e909a0580879b06ece1202964fbe9dda95ea4ce3",
        "../../x",
        "a\r\nHost: attacker.example",
        "ksk_EXAMPLE0000000000000000000000000000",
        "d3107e0af272154f40420eead74da9cfe63b0d38cfd6051ac9900f6061940d4f",
    ];
    prop_oneof![
        6 => proptest::sample::select(known.to_vec()).prop_map(|text| json!(text)),
        1 => ".{0,60}".prop_map(|text| json!(text)),
        1 => "[!-~]{100,160}".prop_map(|text| json!(text)),
        1 => any::<i64>().prop_map(|number| json!(number)),
        1 => any::<bool>().prop_map(|flag| json!(flag)),
        1 => Just(Value::Null),
        1 => Just(json!({"a": ["b"]})),
    ]
}

const NAMES: [&str; 22] = [
    "authMethod",
    "provider",
    "refreshToken",
    "accessToken",
    "expiresAt",
    "clientId",
    "clientSecret",
    "clientIdHash",
    "kiroApiKey",
    "region",
    "authRegion",
    "apiRegion",
    "idcRegion",
    "profileArn",
    "startUrl",
    "tokenEndpoint",
    "issuerUrl",
    "scopes",
    "machineId",
    "email",
    "userId",
    "label",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn no_record_leads_to_another_host_or_breaks_a_header(
        fields in proptest::collection::vec((proptest::sample::select(NAMES.to_vec()), value()), 0..10),
        nested in any::<bool>(),
    ) {
        let mut record = json!({"refreshToken": "EXAMPLE-refresh-".repeat(8), "clientId": "c", "clientSecret": "s"});
        for (name, value) in fields {
            record[name] = value;
        }
        let text = if nested { json!({"accounts": [{"credentials": record}]}).to_string() } else { record.to_string() };
        let report = read(&text);
        prop_assert_eq!(report.accounts.len() + report.rejected.len(), 1);
        for new in &report.accounts {
            for host in contacted(&new.account) {
                prop_assert!(allowed(&host), "{} for {}", host, text);
            }
            let secrets = [&new.secrets.refresh_token, &new.secrets.client_secret, &new.secrets.api_key];
            let secrets = secrets.into_iter().flatten().map(|secret| secret.expose_secret().to_owned());
            let access = new.access.iter().map(|(token, _)| token.expose_secret().to_owned());
            let plain = [Some(&new.account.machine_id), new.account.profile_arn.as_ref()].into_iter().flatten().cloned();
            for text in secrets.chain(access).chain(plain) {
                prop_assert!(HeaderValue::from_str(&text).is_ok());
            }
            prop_assert!(!new.account.label.chars().any(char::is_control));
        }
    }
}
