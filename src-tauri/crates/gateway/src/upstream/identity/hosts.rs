//! Which token endpoint an account may name: the form of a region and the sign-in hosts of directories. The HTTP client
//! checks the resulting host once more against its own table.

use url::{Host, Url};

use crate::upstream::host::is_known_host;

/// Kiro's own sign-in service (Google and GitHub accounts).
pub const SOCIAL: &str = "prod.us-east-1.auth.desktop.kiro.dev";

/// Microsoft's sign-in hosts, world and national clouds.
pub const EXTERNAL_IDP: [&str; 4] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
];

/// Whether the text has the form of an AWS region: `^[a-z]{2}(-[a-z]+)+-[0-9]$`.
pub fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return false };
    let lower = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    text.len() <= 32
        && first.len() == 2
        && lower(first)
        && !middle.is_empty()
        && middle.iter().all(|part| lower(part))
        && last.len() == 1
        && last.bytes().all(|byte| byte.is_ascii_digit())
}

/// The AWS SSO OIDC host of a region; `None` when the region has the wrong form or is not in the table.
pub fn oidc(region: &str) -> Option<String> {
    let host = format!("oidc.{region}.amazonaws.com");
    (is_region(region) && is_known_host(&host)).then_some(host)
}

/// The URL of an external directory when a token may be sent there: https, one of Microsoft's sign-in hosts, the
/// standard port, no user info and no address literal.
pub fn external_idp(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let Some(Host::Domain(host)) = url.host() else { return None };
    let known = EXTERNAL_IDP.contains(&host);
    let plain =
        url.scheme() == "https" && url.username().is_empty() && url.password().is_none() && url.port().is_none();
    (known && plain).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_recognised_by_form_and_hostile_ones_refused() {
        for good in ["us-east-1", "eu-central-1", "ap-southeast-2", "us-gov-west-1", "cn-north-1"] {
            assert!(is_region(good), "{good}");
        }
        for bad in [
            "",
            "us",
            "us-east",
            "us-east-",
            "us--1",
            "-east-1",
            "us-east-11",
            "usa-east-1",
            "US-EAST-1",
            "us-east-1 ",
            "us-east-1.attacker.example/#",
            "us-east-1@x",
            "us-east-1/",
            "us-\u{0435}ast-1",
            "us-east-1\n",
            "a.-b-1",
            "us-east-1%2e",
            "us-eaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaast-1",
        ] {
            assert!(!is_region(bad), "{bad}");
            assert_eq!(oidc(bad), None);
        }
        assert_eq!(oidc("eu-west-1").as_deref(), Some("oidc.eu-west-1.amazonaws.com"));
    }

    #[test]
    fn only_microsoft_sign_in_hosts_are_external_directories() {
        for good in [
            "https://login.microsoftonline.com/00000000-0000-4000-8000-00000000aaaa/oauth2/v2.0/token",
            "https://login.microsoftonline.us/t",
            "https://LOGIN.chinacloudapi.cn/t",
        ] {
            assert!(external_idp(good).is_some(), "{good}");
        }
        for bad in [
            "http://login.microsoftonline.com/t",
            "https://login.microsoftonline.com.attacker.example/token",
            "https://login.microsoftonline.com@attacker.example/token",
            "https://user@login.microsoftonline.com/t",
            "https://notlogin.microsoftonline.com/t",
            "https://evillogin.microsoftonline.com/t",
            "https://login.microsoftonline.com:8443/t",
            "https://127.0.0.1/t",
            "https://[::1]/t",
            "https://login.microsoftonline.com\\@attacker.example/t#",
            "file:///login.microsoftonline.com",
            "login.microsoftonline.com/t",
            "",
        ] {
            let url = external_idp(bad);
            assert!(
                url.as_ref().is_none_or(|url| url.host_str() == Some("login.microsoftonline.com")),
                "{bad} went to {url:?}"
            );
        }
        assert!(external_idp("https://evillogin.microsoftonline.com/t").is_none());
    }
}
