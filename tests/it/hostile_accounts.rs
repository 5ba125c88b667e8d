//! Accounts written by somebody who wants our tokens: whatever a file says, a credential goes only to the service's own
//! hosts. Traffic is redirected to the stand-in here, which writes down for whom it was meant.

use std::collections::BTreeSet;

use http::Method;
use kiro_gateway::clock::{ManualClock, Timestamp};
use kiro_simulator::{AccountSeed, Family};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::harness::{Plan, World, ask, fresh_login, login};

/// Written down again, on purpose: a mistake in the gateway's table must not excuse itself.
fn allowed(host: &str) -> bool {
    let fixed = [
        "codewhisperer.us-east-1.amazonaws.com",
        "prod.us-east-1.auth.desktop.kiro.dev",
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "login.chinacloudapi.cn",
        // Regions whose names have a form of their own, and a partition whose hosts end otherwise.
        "oidc.us-gov-east-1.amazonaws.com",
        "oidc.us-gov-west-1.amazonaws.com",
        "oidc.cn-north-1.amazonaws.com.cn",
        "oidc.cn-northwest-1.amazonaws.com.cn",
    ];
    let regions = ["us-east-1", "eu-central-1"];
    let planes = regions.iter().flat_map(|region| {
        [
            format!("runtime.{region}.kiro.dev"),
            format!("management.{region}.kiro.dev"),
            format!("q.{region}.amazonaws.com"),
        ]
    });
    let oidc = host.strip_prefix("oidc.").and_then(|rest| rest.strip_suffix(".amazonaws.com"));
    let is_region = |text: &str| {
        let parts: Vec<&str> = text.split('-').collect();
        matches!(parts.as_slice(), [place, direction, number] if place.len() == 2
            && direction.bytes().all(|b| b.is_ascii_lowercase()) && number.len() == 1
            && number.bytes().all(|b| b.is_ascii_digit()))
    };
    fixed.contains(&host) || planes.into_iter().any(|plane| plane == host) || oidc.is_some_and(is_region)
}

/// Two hundred and more texts that have turned a host into another one somewhere.
fn hostile() -> Vec<String> {
    let evil = "attacker.example";
    let region = "us-east-1";
    let mut texts: Vec<String> = Vec::new();
    for glue in [
        ".", "/", "//", "#", "?", "@", ":", ":80", ":443@", "\\", "%2e", "%2f", "%23", "%40", "%00", "\0", "\n",
        "\r\n", "\t", " ", ";", ",", "&", "=", "|", "\u{3002}", "\u{ff0e}", "\u{2024}", "\u{ff0f}", "\u{2215}",
        "\u{ff03}", "\u{200b}", "\u{202e}", "\u{ad}", "..", "/../", "/..;/", "\\..\\", "\u{feff}",
    ] {
        texts.push(format!("{region}{glue}{evil}"));
        texts.push(format!("{evil}{glue}{region}"));
        texts.push(format!("{region}{glue}"));
        texts.push(format!("{glue}{region}"));
    }
    for text in [
        "",
        " ",
        ".",
        "..",
        "-",
        "--",
        "localhost",
        "127.0.0.1",
        "0.0.0.0",
        "[::1]",
        "2130706433",
        "0x7f000001",
        "169.254.169.254",
        "us-east-1.amazonaws.com.attacker.example",
        "us-east-1.attacker.example/#",
        "US-EAST-1",
        "us-east-11",
        "us-east",
        "xx-nowhere-1",
        "us-gov-west-1",
        "cn-north-1",
        "\u{443}s-east-1",
        "us-\u{435}ast-1",
        "us-east-1\u{0301}",
        "../../../../etc/passwd",
        "file:///etc/passwd",
        "http://attacker.example",
        "https://attacker.example/",
        "javascript:alert(1)",
        "{region}",
        "${jndi:ldap://attacker.example}",
        "'; DROP TABLE accounts; --",
        "<script>",
        "null",
        "undefined",
        "NaN",
        "true",
        "\u{1f4a9}",
        "arn:aws:codewhisperer:attacker.example:111122223333:profile/A",
        "arn:aws:codewhisperer:us-east-1/../attacker.example:111122223333:profile/A",
        "arn:aws:codewhisperer::111122223333:profile/A",
        "arn:aws:codewhisperer:us-east-1:111122223333:profile/A\r\nHost: attacker.example",
        "arn:aws:codewhisperer:eu-west-3:111122223333:profile/ABC",
        "arn:aws:s3:::bucket",
        "https://login.microsoftonline.com.attacker.example/token",
        "https://login.microsoftonline.com@attacker.example/token",
        "https://attacker.example/login.microsoftonline.com",
        "https://attacker.example#login.microsoftonline.com",
        "https://login.microsoftonline.com:8443/token",
        "http://login.microsoftonline.com/token",
        "//attacker.example/token",
        "https://login.microsoftonline.com\\@attacker.example/",
        "https:/\\attacker.example/",
        "https://login.microsoftonline.com%2eattacker.example/",
        "https://notlogin.microsoftonline.com/",
        "https://login.microsoftonline.com.:443/",
        "https://user:password@login.microsoftonline.com/",
        "https://login.microsoftonline.com/../../attacker.example",
        "ftp://login.microsoftonline.com/",
        "https://[::ffff:127.0.0.1]/token",
        "https://login.microsoftonline.com/common/oauth2/v2.0/token?redirect=https://attacker.example",
    ] {
        texts.push(text.to_owned());
    }
    texts.push("a".repeat(100_000));
    texts.push(format!("{}-1", "us-east".repeat(10_000)));
    assert!(texts.len() >= 200, "{}", texts.len());
    texts
}

/// Fields with the kind of account that uses them.
const FIELDS: [(&str, Family); 8] = [
    ("region", Family::Idc),
    ("authRegion", Family::BuilderId),
    ("apiRegion", Family::Social),
    ("profileArn", Family::Idc),
    ("tokenEndpoint", Family::ExternalIdp),
    ("issuerUrl", Family::ExternalIdp),
    ("startUrl", Family::Idc),
    ("clientIdHash", Family::BuilderId),
];

/// A record with one hostile field and a token of its own.
fn record(family: Family, field: &str, text: &str, number: usize) -> Value {
    let mut seed = AccountSeed::new("someone", family);
    seed.refresh_token = format!("{number:0>10}-{}", "t".repeat(120));
    seed.email = format!("person{number}@example.com");
    let mut record = login(&seed, "2020-01-01T00:00:00.000Z");
    record[field] = text.into();
    record
}

fn assert_only_known_hosts(world: &World, what: &str) {
    let hosts: BTreeSet<String> = world.control.journal().into_iter().map(|entry| entry.host).collect();
    for host in hosts {
        let name = host.strip_suffix(":443").unwrap_or(&host);
        assert!(allowed(name), "{what}: something was sent for {host:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_file_says_credentials_go_to_known_hosts_only() {
    let world = Plan::default().accounts(vec![]).set("limits.retries", 0).start().await;
    let (mut number, mut taken_in, mut asked) = (0, 0, 0);
    for text in hostile() {
        let mut batch = Vec::new();
        for (field, family) in FIELDS {
            number += 1;
            batch.push(record(family, field, &text, number));
        }
        let body = json!({"content": Value::from(batch).to_string()});
        let answer = world.admin_ok(Method::POST, "/api/accounts/import", Some(body)).await;
        let imported = answer["imported"].as_array().unwrap();
        let rejected = answer["rejected"].as_array().unwrap();
        assert_eq!(imported.len() + rejected.len(), FIELDS.len(), "every record is told about: {answer}");
        for refusal in rejected {
            let words = refusal["message"].as_str().unwrap();
            assert!(!words.is_empty() && words.len() < 300 && !words.contains("tttt"), "{refusal}");
            assert!(!words.chars().any(char::is_control), "{refusal}");
        }
        taken_in += imported.len();
        // A start page is never asked anything, so most texts leave just that one account.
        if imported.len() > 1 || taken_in % 20 == 0 {
            asked += 1;
            for _ in imported {
                // Their tokens have ended: a question buys a new one first.
                let _ = world.send(&ask("hello")).await;
            }
        }
        for account in imported {
            let path = format!("/api/accounts/{}", account["id"].as_str().unwrap());
            world.admin(Method::DELETE, &path, None).await;
        }
    }
    assert!(taken_in > 100 && asked > 10, "{taken_in} were believed and {asked} times asked: little was tried");
    assert!(world.control.journal().len() > 10, "hardly anything was sent, so little was tried");
    assert_only_known_hosts(&world, "imported accounts");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_list_of_accounts_leads_to_no_other_host() {
    let store = crate::refresh::vault_key();
    let families = [Family::Social, Family::BuilderId, Family::Idc, Family::ExternalIdp];
    let texts: Vec<String> = hostile().into_iter().step_by(8).collect();
    let logins: Vec<Value> = (0..texts.len())
        .map(|number| {
            let mut seed = AccountSeed::new("someone", families[number % families.len()]);
            seed.refresh_token = format!("{number:0>10}-{}", "t".repeat(120));
            seed.email = format!("person{number}@example.com");
            login(&seed, "2020-01-01T00:00:00.000Z")
        })
        .collect();
    let mut world = Plan::default().accounts(logins).options(move |options| options.store = store).start().await;
    world.gateway.stop().await;
    let path = world.data_dir().join("accounts.json");
    let mut list: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (account, text) in list["accounts"].as_array_mut().unwrap().iter_mut().zip(&texts) {
        for field in ["oidcRegion", "apiRegion", "profileArn", "tokenEndpoint", "issuerUrl", "startUrl", "learnedHost"]
        {
            account[field] = text.as_str().into();
        }
        account["wishes"]["host"] = text.as_str().into();
    }
    std::fs::write(&path, list.to_string()).unwrap();
    world.restart(|_| {}).await.expect("opens with what is there");
    world.listen().await;
    for _ in 0..texts.len() {
        let _ = world.send(&ask("hello")).await;
    }
    assert_only_known_hosts(&world, "edited accounts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_a_year_off_costs_a_refresh_and_no_account() {
    for year in [2020, 2028, 2096] {
        let start = Timestamp::parse_rfc3339(&format!("{year}-06-01T00:00:00Z")).unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let logins = vec![fresh_login("social", Family::Social), fresh_login("idc", Family::Idc)];
        let world = Plan::default().accounts(logins).options(move |options| options.clock = clock).start().await;
        for _ in 0..4 {
            let (status, reply) = world.send(&ask("SAY: on time")).await;
            assert_eq!(status.as_u16(), 200, "{year}: {reply}");
        }
        world.control.expire_tokens();
        let (status, reply) = world.send(&ask("SAY: still")).await;
        assert_eq!(status.as_u16(), 200, "{year}: {reply}");
        let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
        assert_eq!(accounts["accounts"].as_array().map(Vec::len), Some(2), "{year}: {accounts}");
    }
}
