//! Addresses of proxies: what is accepted, and how a user name and password are kept apart from them.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// A proxy's address without user name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxyUrl(Url);

/// Why text is no address of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WrongProxy {
    /// Not an address at all.
    #[error("a proxy is written as http://host:port; also https, socks5, socks5h, socks4 and socks4a")]
    Form,
    /// Another kind of address.
    #[error("a proxy's address begins with http://, https://, socks5://, socks5h://, socks4:// or socks4a://")]
    Scheme,
    /// More than host and port.
    #[error("a proxy's address ends after its port")]
    Tail,
    /// A password would be stored in plain text.
    #[error("the user name and password of a proxy are given apart from its address, so that they can be kept secret")]
    Login,
    /// The protocol has no place for it.
    #[error("a SOCKS4 proxy takes no user name and password; one that does speaks SOCKS5")]
    NoLogin,
}

/// The kinds of proxies that the HTTP client speaks to.
const SCHEMES: [&str; 6] = ["http", "https", "socks5", "socks5h", "socks4", "socks4a"];

impl ProxyUrl {
    /// Whether the protocol has a place for a user name and password (RFC 9110 §11.7, RFC 1929); SOCKS4 has none.
    pub(crate) fn takes_login(&self) -> bool {
        !self.0.scheme().starts_with("socks4")
    }

    /// The address with its login, for the HTTP client alone. `login` is `user` or `user:password`, as a person typed them.
    pub(crate) fn with_login(&self, login: Option<&SecretString>) -> zeroize::Zeroizing<String> {
        let mut url = self.0.clone();
        if let Some(login) = login {
            let (user, password) = match login.expose_secret().split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (login.expose_secret(), None),
            };
            // Both fail only for addresses without a host, which `check` refuses.
            let _ = url.set_username(&encoded(user));
            let _ = url.set_password(password.map(encoded).as_deref());
        }
        zeroize::Zeroizing::new(url.into())
    }
}

impl std::fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// The login of a user at a proxy. The error is for a person.
pub(crate) fn login(user: &str, password: &str) -> Result<SecretString, &'static str> {
    if user.is_empty() || user.contains(':') || user.len() > 255 {
        return Err("a user name at a proxy has 1 to 255 characters and no colon");
    }
    Ok(SecretString::from(format!("{user}:{password}")))
}

/// A login together with the address that it is for, as one text for the store.
pub(crate) fn bound(address: &ProxyUrl, login: &SecretString) -> SecretString {
    SecretString::from(format!("{address} {}", login.expose_secret()))
}

/// The login of a text that [`bound`] made, when it is for this address: it does not go along to another one.
pub(crate) fn bound_to(text: &SecretString, address: &ProxyUrl) -> Option<SecretString> {
    let (known, login) = text.expose_secret().split_once(' ')?;
    (known == address.to_string()).then(|| SecretString::from(login))
}

/// Reads an address without a login.
pub(crate) fn check(text: &str) -> Result<ProxyUrl, WrongProxy> {
    match split(text)? {
        (url, None) => Ok(url),
        (_, Some(_)) => Err(WrongProxy::Login),
    }
}

/// Reads an address that may carry a login, and takes them apart.
pub(crate) fn split(text: &str) -> Result<(ProxyUrl, Option<SecretString>), WrongProxy> {
    let mut url = Url::parse(text.trim()).map_err(|_| WrongProxy::Form)?;
    if !SCHEMES.contains(&url.scheme()) {
        return Err(WrongProxy::Scheme);
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(WrongProxy::Form);
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(WrongProxy::Tail);
    }
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let login = match (url.username(), url.password()) {
        ("", None) => None,
        (user, None) => Some(SecretString::from(decoded(user))),
        (user, Some(password)) => Some(SecretString::from(format!("{}:{}", decoded(user), decoded(password)))),
    };
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let url = ProxyUrl(url);
    if login.is_some() && !url.takes_login() {
        return Err(WrongProxy::NoLogin);
    }
    Ok((url, login))
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_proxies_are_accepted() {
        for text in [
            "http://127.0.0.1:8080",
            "https://proxy.example:3129/",
            "socks5://[::1]:1080",
            "socks5h://proxy.example:1080",
            "socks4://127.0.0.1:1080",
            "socks4a://proxy.example:1080",
            " http://proxy.example ",
        ] {
            assert!(check(text).is_ok(), "{text}");
        }
        for (text, wrong) in [
            ("", WrongProxy::Form),
            ("proxy.example:3128", WrongProxy::Scheme),
            ("127.0.0.1:3128", WrongProxy::Form),
            ("ftp://proxy.example", WrongProxy::Scheme),
            ("file:///etc/passwd", WrongProxy::Scheme),
            ("socks6://proxy.example", WrongProxy::Scheme),
            ("socks4://me:secret@proxy.example", WrongProxy::NoLogin),
            ("socks5://", WrongProxy::Form),
            ("http://proxy.example/pac.js", WrongProxy::Tail),
            ("http://proxy.example?x=1", WrongProxy::Tail),
            ("http://proxy.example#x", WrongProxy::Tail),
            ("http://me:secret@proxy.example", WrongProxy::Login),
            ("http://me@proxy.example", WrongProxy::Login),
        ] {
            assert_eq!(check(text), Err(wrong), "{text}");
        }
    }

    #[test]
    fn a_login_is_taken_apart_and_put_together_again() {
        let (url, login) = split("socks5h://me%40home:p%3Aa%2Fss@proxy.example:1080").expect("an address");
        assert_eq!(url.to_string(), "socks5h://proxy.example:1080");
        let login = login.expect("a login");
        assert_eq!(login.expose_secret(), "me@home:p:a/ss");
        let whole = url.with_login(Some(&login));
        let (again, same) = split(&whole).expect("an address");
        assert_eq!((again, same.expect("a login").expose_secret()), (url, login.expose_secret()));
    }
}
