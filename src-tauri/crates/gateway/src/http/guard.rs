//! Who may ask at all, decided from the head alone: nothing of a body is read before.

use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, StatusCode, Uri};

/// Why a head is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No host, or several.
    HostMissing,
    /// A host that is not this door: a web page may be playing tricks with names.
    HostForeign,
    /// A web page of another origin.
    Origin,
    /// Compressed bodies are not unpacked.
    Encoding,
    /// Not JSON.
    MediaType,
}

impl Refusal {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::HostMissing => StatusCode::BAD_REQUEST,
            Self::HostForeign => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Encoding | Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::HostMissing => "host_missing",
            Self::HostForeign => "host_not_allowed",
            Self::Origin => "origin_not_allowed",
            Self::Encoding => "content_encoding_not_supported",
            Self::MediaType => "content_type_not_supported",
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::HostMissing => "a request needs exactly one Host header",
            Self::HostForeign => {
                "this address serves only its own names: use http://127.0.0.1, http://localhost or http://[::1] with the port"
            }
            Self::Origin => "web pages of other origins may not use this gateway",
            Self::Encoding => "compressed request bodies are not accepted; send the body as it is",
            Self::MediaType => "the body must be sent as Content-Type: application/json",
        }
    }
}

/// Checks that the request is meant for this door.
pub(crate) fn host(uri: &Uri, headers: &HeaderMap, port: u16) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Refusal::HostMissing) };
    let host = host.to_str().map_err(|_| Refusal::HostForeign)?;
    if host.is_empty() {
        return Err(Refusal::HostMissing);
    }
    // The absolute form names a host, too; both must be ours.
    let authority = uri.authority().map(http::uri::Authority::as_str);
    if is_ours(host, port) && authority.is_none_or(|authority| is_ours(authority, port)) {
        Ok(())
    } else {
        Err(Refusal::HostForeign)
    }
}

fn is_ours(authority: &str, port: u16) -> bool {
    let name = match authority.rsplit_once(':') {
        Some((name, digits)) if digits.parse() == Ok(port) && digits == port.to_string() => name,
        Some(_) | None if port == 80 => authority,
        Some(_) | None => return false,
    };
    name.eq_ignore_ascii_case("localhost") || name == "127.0.0.1" || name == "[::1]"
}

/// Refuses what a web page of another origin sends. Programs send neither header.
pub(crate) fn origin(headers: &HeaderMap, port: u16) -> Result<(), Refusal> {
    for origin in headers.get_all(ORIGIN) {
        let own = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
        if !own.is_some_and(|authority| is_ours(authority, port)) {
            return Err(Refusal::Origin);
        }
    }
    for site in headers.get_all("sec-fetch-site") {
        if site != "same-origin" && site != "none" {
            return Err(Refusal::Origin);
        }
    }
    Ok(())
}

/// Every text that may be the client's key, in any of the places where clients put it.
pub(crate) fn keys(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let bearer = headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
        let value = value.as_bytes();
        let (scheme, rest) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| rest.trim_ascii())
    });
    let plain = ["x-api-key", "x-goog-api-key"]
        .into_iter()
        .flat_map(|name| headers.get_all(name))
        .map(|value| value.as_bytes());
    bearer.chain(plain)
}

/// The form of a body.
pub(crate) fn body_form(headers: &HeaderMap) -> Result<(), Refusal> {
    for coding in headers.get_all(CONTENT_ENCODING) {
        if !coding.as_bytes().eq_ignore_ascii_case(b"identity") {
            return Err(Refusal::Encoding);
        }
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(media), None) = (types.next(), types.next()) else { return Err(Refusal::MediaType) };
    let essence = media.to_str().ok().and_then(|media| media.split(';').next()).unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(Refusal::MediaType) }
}

#[cfg(test)]
mod tests;
