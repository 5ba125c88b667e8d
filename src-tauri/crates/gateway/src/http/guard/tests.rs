use super::*;
use http::HeaderValue;

fn head(uri: &str, hosts: &[&str]) -> Result<(), Refusal> {
    let mut headers = HeaderMap::new();
    for host in hosts {
        headers.append(HOST, HeaderValue::from_str(host).expect("a header"));
    }
    host(&uri.parse().expect("a URI"), &headers, 8080)
}

#[test]
fn only_our_own_names_with_our_port_are_served() {
    for good in ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080"] {
        assert_eq!(head("/", &[good]), Ok(()), "{good}");
        assert_eq!(head("http://localhost:8080/v1/models", &[good]), Ok(()), "{good}");
    }
    for foreign in [
        "127.0.0.1",
        "localhost",
        "localhost:80",
        "localhost:8081",
        "localhost:08080",
        "localhost:+8080",
        "localhost.:8080",
        "localhost.evil:8080",
        "evil.localhost:8080",
        "evil:8080",
        "127.0.0.1.nip.io:8080",
        "127.0.0.2:8080",
        "127.1:8080",
        "2130706433:8080",
        "0x7f.1:8080",
        "0.0.0.0:8080",
        "[::]:8080",
        "::1:8080",
        "[::1%lo]:8080",
        "[0:0:0:0:0:0:0:1]:8080",
        "[::ffff:127.0.0.1]:8080",
        "user@localhost:8080",
        "localhost:8080:8080",
        " localhost:8080",
        "localhost:8080/",
        "192.168.0.2:8080",
        "host.docker.internal:8080",
    ] {
        assert_eq!(head("/", &[foreign]), Err(Refusal::HostForeign), "{foreign}");
    }
    assert_eq!(head("/", &[]), Err(Refusal::HostMissing));
    assert_eq!(head("/", &[""]), Err(Refusal::HostMissing));
    assert_eq!(head("/", &["localhost:8080", "localhost:8080"]), Err(Refusal::HostMissing));
    assert_eq!(head("http://evil:8080/", &["localhost:8080"]), Err(Refusal::HostForeign));
}

#[test]
fn a_web_page_of_another_origin_is_refused() {
    let check = |name: &'static str, value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).expect("a header"));
        origin(&headers, 8080)
    };
    assert_eq!(origin(&HeaderMap::new(), 8080), Ok(()));
    assert_eq!(check("origin", "http://127.0.0.1:8080"), Ok(()));
    assert_eq!(check("sec-fetch-site", "same-origin"), Ok(()));
    assert_eq!(check("sec-fetch-site", "none"), Ok(()));
    for origin in
        ["null", "https://evil.example", "http://localhost:3000", "https://localhost:8080", "http://evil:8080", ""]
    {
        assert_eq!(check("origin", origin), Err(Refusal::Origin), "{origin}");
    }
    for site in ["cross-site", "same-site", "x"] {
        assert_eq!(check("sec-fetch-site", site), Err(Refusal::Origin), "{site}");
    }
}

#[test]
fn keys_are_found_wherever_clients_put_them() {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("bearer  one "));
    headers.insert("x-api-key", HeaderValue::from_static("two"));
    headers.insert("x-goog-api-key", HeaderValue::from_static("three"));
    let found: Vec<_> = keys(&headers).collect();
    assert_eq!(found, [b"one".as_slice(), b"two", b"three"]);
    let mut headers = HeaderMap::new();
    for odd in ["Basic one", "Bearer", "", "Béarer x"] {
        headers.append("authorization", HeaderValue::from_bytes(odd.as_bytes()).expect("a header"));
    }
    assert_eq!(keys(&headers).count(), 0);
}

#[test]
fn only_plain_json_bodies_are_read() {
    let check = |pairs: &[(&'static str, &'static str)]| {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        body_form(&headers)
    };
    assert_eq!(check(&[("content-type", "application/json")]), Ok(()));
    assert_eq!(check(&[("content-type", "Application/JSON; charset=utf-8"), ("content-encoding", "identity")]), Ok(()));
    for media in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", ""]
    {
        assert_eq!(check(&[("content-type", media)]), Err(Refusal::MediaType), "{media}");
    }
    assert_eq!(check(&[]), Err(Refusal::MediaType));
    for coding in ["gzip", "br", "zstd", "identity, gzip"] {
        let form = check(&[("content-type", "application/json"), ("content-encoding", coding)]);
        assert_eq!(form, Err(Refusal::Encoding), "{coding}");
    }
}
