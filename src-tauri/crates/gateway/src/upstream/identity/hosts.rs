//! Which token endpoint an account may name: the form of a region and the sign-in hosts of directories. The HTTP client
//! checks the resulting host once more against its own table.

use url::{Host, Url};

use crate::upstream::host::identity;

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
    identity(region).filter(|_| is_region(region))
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

/// Whether a person's browser may be sent to this page: https on a sign-in host of the providers, with nothing that could make the
/// address read as another.
pub fn is_sign_in_page(url: &Url) -> bool {
    let Some(Host::Domain(host)) = url.host() else { return false };
    let plain =
        url.scheme() == "https" && url.username().is_empty() && url.password().is_none() && url.port().is_none();
    plain && (host == "app.kiro.dev" || EXTERNAL_IDP.contains(&host) || is_aws_page(host))
}

/// Pages of AWS: access portals and the pages of the identity service.
fn is_aws_page(host: &str) -> bool {
    if host == "identitycenter.amazonaws.com" {
        return true;
    }
    let region_of = |prefix: &str, suffix: &str| host.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
    let identity = region_of("oidc.", ".amazonaws.com").or_else(|| region_of("device.sso.", ".amazonaws.com"));
    if let Some(region) = identity {
        return oidc(region).is_some();
    }
    is_portal(host)
}

/// Access portals: `<alias>.awsapps.com`, `<instance>.portal.<region>.app.aws` and those of China.
fn is_portal(host: &str) -> bool {
    let label = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if let Some(alias) = host.strip_suffix(".awsapps.com") {
        return label(alias);
    }
    if let Some(rest) = host.strip_suffix(".app.aws") {
        let parts: Vec<&str> = rest.split('.').collect();
        return matches!(parts.as_slice(), [instance, "portal", region] if label(instance) && oidc(region).is_some());
    }
    host.strip_suffix(".home.awsapps.cn").is_some_and(|rest| {
        let parts: Vec<&str> = rest.split('.').collect();
        matches!(parts.as_slice(), [alias, region] if label(alias) && oidc(region).is_some())
    })
}

/// The start page of an identity instance in its plain form (no fragment, query or closing slash), when it is one.
pub fn start_url(text: &str) -> Option<Url> {
    let mut url = Url::parse(text.trim()).ok()?;
    let Some(Host::Domain(host)) = url.host() else { return None };
    let issuer = host == "identitycenter.amazonaws.com";
    let path = url.path().trim_end_matches('/').to_owned();
    let named = if issuer {
        path.strip_prefix("/ssoins-").is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    } else {
        is_portal(host) && (path.is_empty() || path == "/start" || path == "/directory")
    };
    if !named || !is_sign_in_page(&url) {
        return None;
    }
    url.set_fragment(None);
    url.set_query(None);
    url.set_path(if path.is_empty() { "/start" } else { &path });
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_sent_to_known_sign_in_pages_only() {
        let page = |text: &str| Url::parse(text).is_ok_and(|url| is_sign_in_page(&url));
        for good in [
            "https://app.kiro.dev/signin?state=x",
            "https://view.awsapps.com/start/#/device?user_code=AB",
            "https://d-1234567890.awsapps.com/start",
            "https://device.sso.eu-west-1.amazonaws.com/?user_code=AB",
            "https://oidc.us-east-1.amazonaws.com/authorize?x=y",
            "https://ssoins-0000.portal.eu-west-1.app.aws/",
            "https://start.cn-north-1.home.awsapps.cn/directory",
            "https://login.microsoftonline.com/t/oauth2/v2.0/authorize",
        ] {
            assert!(page(good), "{good}");
        }
        for bad in [
            "http://app.kiro.dev/signin",
            "https://app.kiro.dev.attacker.example/",
            "https://app.kiro.dev@attacker.example/",
            "https://attacker.example\\@app.kiro.dev/",
            "https://user@app.kiro.dev/",
            "https://app.kiro.dev:8443/",
            "https://awsapps.com/start",
            "https://.awsapps.com/start",
            "https://a.b.awsapps.com/start",
            "https://device.sso.evil.amazonaws.com/",
            "https://x.portal.evil.app.aws/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "file:///etc/passwd",
            "smb://app.kiro.dev/share",
            "javascript:alert(1)",
            "data:text/html,hi",
            "-oProxyCommand=x",
            "$(reboot)",
            "\"; reboot",
            "https://app.kiro.dev.",
        ] {
            assert!(!page(bad), "{bad}");
        }
    }

    #[test]
    fn start_urls_are_read_in_every_form_people_copy_and_hostile_ones_refused() {
        for (text, plain) in [
            ("https://example-company.awsapps.com/start", "https://example-company.awsapps.com/start"),
            (
                " https://example-company.awsapps.com/start/#/?tab=accounts ",
                "https://example-company.awsapps.com/start",
            ),
            ("https://EXAMPLE-company.awsapps.com", "https://example-company.awsapps.com/start"),
            ("https://identitycenter.amazonaws.com/ssoins-1234", "https://identitycenter.amazonaws.com/ssoins-1234"),
        ] {
            assert_eq!(start_url(text).map(|url| url.to_string()).as_deref(), Some(plain), "{text}");
        }
        for bad in [
            "example-company.awsapps.com/start",
            "http://example-company.awsapps.com/start",
            "https://example-company.awsapps.com.attacker.example/start",
            "https://example-company.awsapps.com@attacker.example/start",
            "https://example-company.awsapps.com:444/start",
            "https://example-company.awsapps.com/start/../admin",
            "https://identitycenter.amazonaws.com/",
            "https://app.kiro.dev/signin",
            "https://10.0.0.1/start",
            "",
        ] {
            assert_eq!(start_url(bad), None, "{bad}");
        }
    }

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
        assert_eq!(oidc("us-gov-west-1").as_deref(), Some("oidc.us-gov-west-1.amazonaws.com"));
        assert_eq!(oidc("cn-north-1").as_deref(), Some("oidc.cn-north-1.amazonaws.com.cn"), "another partition");
        assert_eq!(oidc("xx-nowhere-1"), None);
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
