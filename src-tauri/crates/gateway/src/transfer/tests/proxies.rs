//! Proxies that files name for single accounts: taken along whole, or the account is switched off.

use super::*;
use crate::account::ProxyChoice;

fn token() -> String {
    "EXAMPLE-refresh-".repeat(8)
}

/// The account of a record, in each form that names a proxy.
fn forms(proxy: &str) -> Vec<(&'static str, NewAccount)> {
    let own = json!({"refreshToken": token(), "authMethod": "social"});
    let companion = [Companion { name: "t.json".into(), content: own.to_string() }];
    let with = |name: &str| {
        let mut record = own.clone();
        record[name] = proxy.into();
        record.to_string()
    };
    let nested = json!({"accounts": [{"email": "a@example.com", "proxyUrl": proxy, "credentials": own}]}).to_string();
    let original = json!({"accounts": [{"name": "a", "token_path": "t.json", "proxy_url": proxy}]}).to_string();
    [
        ("kiro.rs", import(&with("proxyUrl"), &[], &context())),
        ("Kiro-Go", import(&with("proxyURL"), &[], &context())),
        ("an account manager", import(&nested, &[], &context())),
        ("the original program", import(&original, &companion, &context())),
    ]
    .into_iter()
    .map(|(name, mut report)| {
        assert_eq!(report.rejected, [], "{name}");
        (name, report.accounts.remove(0))
    })
    .collect()
}

#[test]
fn a_proxy_comes_along_with_its_login_apart_from_its_address() {
    for (name, new) in forms("http://alice:pass%20word@127.0.0.1:3128") {
        let through = ProxyChoice::Through { url: "http://127.0.0.1:3128".to_owned() };
        assert_eq!(new.account.wishes.proxy, Some(through), "{name}");
        let login = new.secrets.proxy_credentials.as_ref().map(|login| login.expose_secret().to_owned());
        assert_eq!(login.as_deref(), Some("alice:pass word"), "{name}");
        assert!(new.account.enabled && new.warnings.contains(&AccountWarning::ProxyTaken), "{name}");
    }
    for (name, new) in forms("direct") {
        assert_eq!(new.account.wishes.proxy, Some(ProxyChoice::Direct), "{name}");
        assert!(new.account.enabled, "{name}");
    }
    for (name, new) in forms("") {
        assert_eq!((new.account.wishes.proxy, new.account.enabled), (None, true), "{name}");
    }
    let record = json!({"refreshToken": token(), "authMethod": "social", "proxyUrl": "socks5://127.0.0.1:1080",
        "proxyUsername": "bob", "proxyPassword": "planted"});
    let new = read(&record.to_string()).accounts.remove(0);
    let login = new.secrets.proxy_credentials.as_ref().map(|login| login.expose_secret().to_owned());
    assert_eq!(login.as_deref(), Some("bob:planted"));
    assert!(!format!("{:?}", new.account).contains("planted"));
}

#[test]
fn an_account_whose_proxy_cannot_be_used_is_switched_off_and_never_goes_directly() {
    for proxy in [
        "socks4://me:planted@127.0.0.1:1080",
        "127.0.0.1:3128",
        "ftp://proxy.example",
        "http://proxy.example/path",
        "no",
    ] {
        for (name, new) in forms(proxy) {
            assert!(!new.account.enabled, "{name}: {proxy}");
            assert!(new.warnings.contains(&AccountWarning::ProxyUnusable), "{name}: {proxy}");
            assert!(new.secrets.proxy_credentials.is_none(), "{name}: {proxy}");
        }
    }
    for config in [json!({"host": "127.0.0.1"}), json!(["x"])] {
        let record = json!({"refreshToken": token(), "authMethod": "social", "proxyConfig": config});
        let new = read(&record.to_string()).accounts.remove(0);
        assert!(!new.account.enabled, "{config}");
    }
    let record = json!({"refreshToken": token(), "authMethod": "social", "proxyUrl": "http://127.0.0.1:1", "proxyUsername": "a:b"});
    assert!(!read(&record.to_string()).accounts.remove(0).account.enabled, "a user name that cannot be sent");
    let record = json!({"refreshToken": token(), "authMethod": "social", "proxyUrl": "socks4://127.0.0.1:1", "proxyUsername": "a"});
    assert!(
        !read(&record.to_string()).accounts.remove(0).account.enabled,
        "a login where the protocol has no place for it"
    );
}
