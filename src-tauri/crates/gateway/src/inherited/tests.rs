use super::*;
use crate::account::LinkOwner;
use std::collections::HashMap;
use std::path::Path;

fn read(given: &[(&str, &str)]) -> Inherited {
    let given: HashMap<String, String> =
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Inherited::read(&|name| given.get(name).cloned())
}

#[test]
fn names_with_a_setting_set_it_in_our_words() {
    for (name, value, path, ours) in [
        ("KIRO_SERVER_HOST", "127.0.0.1", "listener.host", "127.0.0.1"),
        ("KIRO_SERVER_PORT", "9001", "listener.port", "9001"),
        ("KIRO_MAX_RETRIES", "3", "limits.retries", "3"),
        ("KIRO_BASE_RETRY_DELAY", "1.0", "limits.retryDelayMilliseconds", "1000"),
        ("KIRO_THINKING_HANDLING", "as_reasoning_content", "openai.reasoning", "content"),
        ("KIRO_THINKING_HANDLING", "strip_tags", "openai.reasoning", "plain"),
        ("KIRO_FIRST_TOKEN_TIMEOUT", "90", "limits.firstEventSeconds", "90"),
        ("KIRO_STREAMING_READ_TIMEOUT", "300", "limits.idleSeconds", "300"),
        ("KIRO_LOG_LEVEL", "WARNING", "logs.level", "warn"),
        ("KIRO_LOG_MAX_SIZE", "10 MB", "logs.maxFileMebibytes", "10"),
        ("KIRO_LOG_MAX_SIZE", "1500KB", "logs.maxFileMebibytes", "2"),
        ("KIRO_RATE_LIMIT_MIN_INTERVAL", "0.5", "pace.gapMilliseconds", "500"),
        ("KIRO_RATE_LIMIT_PER_ACCOUNT_RPM", "0", "pace.accountPerMinute", "0"),
        ("KIRO_RATE_LIMIT_GLOBAL_RPM", "120", "pace.totalPerMinute", "120"),
        ("KIRO_WEB_SEARCH_ENABLED", "False", "tools.webSearch", "false"),
        ("KIRO_UI_LANGUAGE", "zh", "look.language", "zh-CN"),
        ("KIRO_PROXY_CA_BUNDLE", "/etc/roots.pem", "network.extraCaFile", "/etc/roots.pem"),
    ] {
        let inherited = read(&[(name, value)]);
        let over = inherited.overrides.first().unwrap_or_else(|| panic!("{name} sets nothing"));
        assert_eq!((over.path.as_str(), over.value.as_str()), (path, ours), "{name}");
        assert_eq!(over.variable.as_deref(), Some(name));
        let told = InheritedName { name: name.into(), setting: Some(path.into()), effect: InheritedEffect::Set };
        assert_eq!(inherited.names, [told]);
    }
}

#[test]
fn what_cannot_be_obeyed_never_keeps_the_gateway_from_starting_and_is_told() {
    use InheritedEffect::{Adjusted, NeverInsecure, NotLoopback, Unreadable};
    for (name, value, effect, sets) in [
        ("KIRO_SERVER_HOST", "0.0.0.0", NotLoopback, None),
        ("KIRO_SERVER_PORT", "eighty", Unreadable, None),
        ("KIRO_MAX_RETRIES", "50", Adjusted, Some("5")),
        ("KIRO_MAX_RETRIES", "-1", Unreadable, None),
        ("KIRO_FIRST_TOKEN_TIMEOUT", "15", Adjusted, Some("60")),
        ("KIRO_LOG_LEVEL", "LOUD", Unreadable, None),
        ("KIRO_LOG_MAX_SIZE", "ten", Unreadable, None),
        ("KIRO_RATE_LIMIT_MIN_INTERVAL", "1e300", Adjusted, Some("60000")),
        ("KIRO_RATE_LIMIT_MIN_INTERVAL", "NaN", Unreadable, None),
        ("KIRO_UI_LANGUAGE", "fr", Unreadable, None),
        ("KIRO_PROXY_INSECURE_TLS", "1", NeverInsecure, None),
        ("KIRO_PROXY_CA_BUNDLE", "roots.pem", Unreadable, None),
        ("KIRO_VPN_PROXY_URL", "ftp://proxy:21", Unreadable, None),
    ] {
        let inherited = read(&[(name, value)]);
        assert_eq!(inherited.names.first().map(|told| told.effect), Some(effect), "{name}={value}");
        assert!(effect.is_surprising());
        assert_eq!(inherited.overrides.first().map(|over| over.value.as_str()), sets, "{name}={value}");
    }
}

#[test]
fn every_name_is_answered_and_an_empty_or_switched_off_one_is_not_set() {
    let all: Vec<(&str, &str)> = MEANINGS.iter().map(|(name, _)| (*name, "1")).collect();
    assert_eq!(read(&all).names.len(), MEANINGS.len());
    let empty: Vec<(&str, &str)> = MEANINGS.iter().map(|(name, _)| (*name, "  ")).collect();
    assert!(read(&empty).names.is_empty());
    let off = [("KIRO_PROXY_INSECURE_TLS", "false"), ("KIRO_DEBUG_MODE", "off"), ("KIRO_PROXY_DEBUG_RESPONSES", "0")];
    assert!(read(&off).names.is_empty());
}

#[test]
fn a_login_file_is_shared_and_written_to_only_when_somebody_says_so() {
    let given =
        [("KIRO_CREDS_FILE", "/data/kiro.json"), ("KIRO_CLI_DB_FILE", "/data/kiro.db"), ("KIRO_REGION", "eu-west-1")];
    let logins = read(&given).logins;
    let told: Vec<(LinkOwner, &Path, bool)> =
        logins.iter().map(|login| (login.owner, login.path.as_path(), login.write_back)).collect();
    assert_eq!(
        told,
        [
            (LinkOwner::KiroIde, Path::new("/data/kiro.json"), false),
            (LinkOwner::KiroCli, Path::new("/data/kiro.db"), false)
        ]
    );
    assert!(logins.iter().all(|login| login.region.as_deref() == Some("eu-west-1")));
    let writing = read(&[("KIRO_CLI_DB_FILE", "/data/kiro.db"), ("KIRO_SQLITE_READONLY", "false")]).logins;
    assert!(writing[0].write_back);
}

#[test]
fn the_proxys_password_is_no_setting() {
    let inherited = read(&[("KIRO_VPN_PROXY_URL", "http://me:planted@127.0.0.1:3128")]);
    assert_eq!(inherited.overrides[0].value, "http://127.0.0.1:3128");
    assert!(inherited.proxy_login.is_some());
    assert!(!format!("{inherited:?}").contains("planted"));
}
