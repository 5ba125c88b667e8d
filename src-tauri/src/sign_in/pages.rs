//! Where a sign-in window may go.
//!
//! It begins at a page of the gateway's compiled list. From there providers send people on to hosts that nobody can list:
//! a company's own identity provider behind IAM Identity Center or Microsoft, a country's domain of Google. So the
//! rule is about what a page can do to this machine, not about names:
//!
//! - `https` to any named host that is not this machine;
//! - `http` to this machine only for the login's own callback (and the stand-in, when all traffic is redirected to one);
//! - empty frames, which sign-in pages use for their checks;
//! - nothing else: no files, no `data:`, no scheme that another program answers, no page of the app.

use url::{Host, Url};

/// The rule for one login.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// The port on this machine at which the login waits for its answer.
    pub(super) callback: Option<u16>,
    /// The port of the stand-in that all traffic is redirected to.
    pub(super) stand_in: Option<u16>,
}

impl Rule {
    pub(super) fn allows(&self, url: &Url) -> bool {
        match url.scheme() {
            "https" => is_elsewhere(url),
            "http" => {
                let port = url.port_or_known_default();
                is_this_machine(url) && port.is_some() && (port == self.callback || port == self.stand_in)
            }
            "about" => matches!(url.path(), "blank" | "srcdoc"),
            _ => false,
        }
    }

    /// Whether this is where the login waits for its answer.
    pub(super) fn is_callback(&self, url: &Url) -> bool {
        url.scheme() == "http"
            && is_this_machine(url)
            && self.callback.is_some()
            && url.port_or_known_default() == self.callback
    }
}

/// Whether a provider says on this page that it does not sign people in inside an app's window. Google does so for every
/// embedded view: with `disallowed_useragent` in the address, or by its "rejected" page.
pub(super) fn refuses_embedded(url: &Url) -> bool {
    let google =
        url.host_str().is_some_and(|host| host == "accounts.google.com" || host.ends_with(".accounts.google.com"));
    let said = url.query().is_some_and(|query| query.contains("disallowed_useragent"));
    said || (google && (url.path().ends_with("/signin/rejected") || url.path().ends_with("/oauth/error")))
}

fn is_elsewhere(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name != "localhost" && !name.ends_with(".localhost") && name.contains('.')
        }
        Some(Host::Ipv4(_) | Host::Ipv6(_)) | None => false,
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn providers_and_the_own_callback_are_reached() {
        let rule = Rule { callback: Some(3128), stand_in: None };
        for page in [
            "https://app.kiro.dev/signin",
            "https://accounts.google.com/o/oauth2/v2/auth",
            "https://sso.example-company.com/saml",
            "http://localhost:3128/oauth/callback?code=x",
            "http://127.0.0.1:3128/",
            "http://[::1]:3128/",
            "about:blank",
            "about:srcdoc",
        ] {
            assert!(rule.allows(&url(page)), "{page}");
        }
    }

    #[test]
    fn nothing_of_this_machine_and_no_other_scheme_is_reached() {
        let rule = Rule { callback: Some(3128), stand_in: None };
        for page in [
            "http://localhost:8080/",
            "http://127.0.0.1/",
            "http://example.com/",
            "https://localhost/",
            "https://tauri.localhost/index.html",
            "https://127.0.0.1:3128/",
            "https://192.168.1.1/",
            "https://intranet/",
            "tauri://localhost/index.html",
            "ipc://localhost/admin_request",
            "file:///etc/passwd",
            "data:text/html,x",
            "blob:https://example.com/1",
            "javascript:alert(1)",
            "kiro://kiro.kiroAgent/authenticate-success",
            "smb://host/share",
            "about:config",
            "view-source:https://app.kiro.dev/",
        ] {
            assert!(!rule.allows(&url(page)), "{page}");
        }
        let device = Rule { callback: None, stand_in: None };
        assert!(!device.allows(&url("http://localhost:3128/")));
        assert!(!device.is_callback(&url("http://localhost:3128/")));
    }

    #[test]
    fn the_callback_is_known_by_its_port_on_this_machine() {
        let rule = Rule { callback: Some(3128), stand_in: Some(4100) };
        assert!(rule.is_callback(&url("http://localhost:3128/oauth/callback?code=x")));
        assert!(!rule.is_callback(&url("http://localhost:4100/signin")));
        assert!(!rule.is_callback(&url("https://localhost.example.com:3128/")));
        assert!(rule.allows(&url("http://127.0.0.1:4100/signin")));
    }

    #[test]
    fn a_provider_that_refuses_embedded_views_is_noticed() {
        for page in [
            "https://accounts.google.com/v3/signin/rejected?rrk=46",
            "https://accounts.google.com/signin/oauth/error?authError=ChR",
            "https://accounts.google.com/o/oauth2/auth?error=disallowed_useragent",
            "http://127.0.0.1:4100/o/oauth2/auth?error=disallowed_useragent",
        ] {
            assert!(refuses_embedded(&url(page)), "{page}");
        }
        for page in ["https://accounts.google.com/v3/signin/identifier", "https://evil.example/signin/rejected"] {
            assert!(!refuses_embedded(&url(page)), "{page}");
        }
    }
}
