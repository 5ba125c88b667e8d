use super::*;
use crate::account::test_account;
use serde_json::{Value, json};

fn planned(account: &Account, change: Value) -> Result<Plan, Vec<String>> {
    let change: AccountChange = serde_json::from_value(change).expect("reads");
    change.check(account).map_err(|problem| problem.fields.into_keys().collect())
}

fn changed(account: &Account, change: Value) -> (Account, Option<Option<String>>) {
    let plan = planned(account, change).expect("acceptable");
    let login = plan.proxy_login.clone().map(|login| login.map(|login| login.expose_secret().to_owned()));
    let mut after = account.clone();
    plan.apply(&mut after);
    (after, login)
}

#[test]
fn what_is_left_out_stays_and_null_goes_back_to_the_default() {
    let mut account = test_account("a");
    account.wishes.note = "mine".into();
    account.wishes.priority = 3;
    account.wishes.quota_floor_percent = Some(10);
    account.wishes.concurrency = Some(1);
    let (same, login) = changed(&account, json!({}));
    assert_eq!((same, login), (account.clone(), None));
    let (after, _) =
        changed(&account, json!({"note": null, "priority": null, "quotaFloorPercent": null, "concurrency": null}));
    assert_eq!(after.wishes, crate::account::Wishes::default());
    let (after, _) = changed(&account, json!({"label": " b ", "tags": ["x", "y", "x"], "neverOverage": false}));
    assert_eq!((after.label.as_str(), after.wishes.never_overage), ("b", Some(false)));
    assert_eq!(after.wishes.tags, ["x", "y"]);
    assert_eq!(changed(&account, json!({"concurrency": 4096})).0.wishes.concurrency, Some(4096));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let account = test_account("a");
    let wrong = json!({
        "label": "  ", "tags": ["a,b"], "quotaFloorPercent": 91, "concurrency": 0, "host": "evil.example", "profileArn": "arn:x",
        "proxy": {"kind": "through", "url": "ftp://p"},
    });
    let fields = planned(&account, wrong).err().expect("refused");
    assert_eq!(fields, ["concurrency", "host", "label", "profileArn", "proxy", "quotaFloorPercent", "tags"]);
    let region = json!({"profileArn": "arn:aws:codewhisperer:eu-west-1:111122223333:profile/A"});
    assert_eq!(planned(&account, region).err().expect("no data plane there"), ["profileArn"]);
}

#[test]
fn a_login_in_the_address_of_a_proxy_becomes_a_secret() {
    let account = test_account("a");
    let url = "http://me:pass%3Aword@127.0.0.1:3128";
    let (after, login) = changed(&account, json!({"proxy": {"kind": "through", "url": url}}));
    assert_eq!(after.wishes.proxy, Some(ProxyChoice::Through { url: "http://127.0.0.1:3128".into() }));
    assert_eq!(login, Some(Some("me:pass:word".into())));
    assert!(!format!("{:?}", after).contains("pass"), "not in the list of accounts");
}

#[test]
fn a_login_does_not_go_along_to_another_proxy() {
    let mut account = test_account("a");
    account.wishes.proxy = Some(ProxyChoice::Through { url: "http://one.example:1".into() });
    let through = |url: &str| json!({"proxy": {"kind": "through", "url": url}});
    assert_eq!(changed(&account, through("http://one.example:1")).1, None, "the same address keeps it");
    assert_eq!(changed(&account, through("http://two.example:1")).1, Some(None));
    assert_eq!(changed(&account, json!({"proxy": {"kind": "direct"}})).1, Some(None));
    assert_eq!(changed(&account, json!({"proxyUser": "u", "proxyPassword": "p"})).1, Some(Some("u:p".into())));
    assert_eq!(planned(&account, json!({"proxyPassword": "p"})).err().expect("refused"), ["proxyPassword"]);
    assert_eq!(planned(&account, json!({"proxyUser": "a:b"})).err().expect("refused"), ["proxyUser"]);
}

#[test]
fn another_profile_forgets_the_learned_host_and_brings_its_region() {
    let mut account = test_account("a");
    account.learned_host = Some("q.us-east-1.amazonaws.com".into());
    let arn = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/ABC";
    let (after, _) = changed(&account, json!({"profileArn": arn}));
    assert_eq!((after.learned_host.as_deref(), after.data_region()), (None, "eu-central-1"));
    assert!(endpoint::ladder(&after).iter().all(|rung| rung.host.contains("eu-central-1")));
}
