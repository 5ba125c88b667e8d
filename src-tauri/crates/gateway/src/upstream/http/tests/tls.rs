//! Certificates are always checked. A file of extra ones adds trust and takes none of the checks away.

use super::*;
use crate::credential::SecretId;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// A certificate authority of our own.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}

/// A server on this machine with a certificate for `name`; counts the requests that it could read.
async fn server(
    authority: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> (u16, Arc<AtomicUsize>) {
    clients::provide_crypto();
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    change(&mut params);
    let certificate = params.signed_by(&key, authority).expect("signed");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .expect("a configuration");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&requests);
    #[expect(clippy::disallowed_methods, reason = "a server of a test ends with the test")]
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 1024];
            if stream.read(&mut head).await.is_ok_and(|length| length > 0) {
                seen.fetch_add(1, Ordering::SeqCst);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            }
        }
    });
    (port, requests)
}

async fn ask(roots: Vec<Certificate>, port: u16) -> Result<u16, String> {
    let made = Clients::new(false, Common::Direct, None, Ok(roots)).common().expect("no proxy to wait for");
    let client = made.map_err(|refused| refused.to_string())?;
    let request = client.get(format!("https://localhost:{port}/")).header("authorization", "Bearer secret");
    match request.send().await {
        Ok(response) => Ok(response.status().as_u16()),
        Err(error) => Err(crate::upstream::kiro::plain(&error)),
    }
}

/// What a person would name in the setting.
#[expect(clippy::disallowed_methods, reason = "plants a file")]
fn roots(authority: &CertifiedIssuer<'static, KeyPair>) -> Vec<Certificate> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), authority.pem()).expect("written");
    extra_roots(file.path()).expect("certificates")
}

#[tokio::test]
async fn a_server_of_an_extra_authority_is_trusted_only_with_its_certificate() {
    let authority = authority();
    let (port, requests) = server(&authority, "localhost", |_| {}).await;
    assert!(ask(Vec::new(), port).await.is_err(), "nobody vouches for it");
    assert_eq!(requests.load(Ordering::SeqCst), 0, "nothing was sent");
    assert_eq!(ask(roots(&authority), port).await, Ok(200));
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_expired_certificate_and_one_for_another_host_are_refused_whoever_signed_them() {
    let authority = authority();
    let expired = server(&authority, "localhost", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let foreign = server(&authority, "other.example", |_| {});
    for (port, requests) in [expired.await, foreign.await] {
        let error = ask(roots(&authority), port).await.expect_err("refused");
        assert!(error.to_lowercase().contains("certificate"), "{error}");
        assert_eq!(requests.load(Ordering::SeqCst), 0, "nothing was sent");
    }
}

#[tokio::test]
async fn a_proxy_that_looks_into_the_traffic_is_noticed() {
    // It answers CONNECT and then speaks TLS itself, with a certificate that nobody vouches for.
    let authority = authority();
    let (port, requests) = server(&authority, "localhost", |_| {}).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let proxy = listener.local_addr().expect("bound");
    #[expect(clippy::disallowed_methods, reason = "a server of a test ends with the test")]
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await.expect("a head"));
            }
            assert!(
                !String::from_utf8_lossy(&head).to_lowercase().contains("secret"),
                "the proxy learned the credential"
            );
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("written");
            let mut inside = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("there");
            let _ = tokio::io::copy_bidirectional(&mut client, &mut inside).await;
        }
    });
    let through = crate::upstream::proxy::check(&format!("http://{proxy}")).expect("an address");
    for (trusted, fine) in [(Vec::new(), false), (roots(&authority), true)] {
        let clients = Clients::new(false, Common::Through(through.clone()), None, Ok(trusted));
        assert_eq!(clients.common().err(), Some(through.clone()), "its login is read first");
        let client = clients.make_common(&through, None).expect("a client");
        let request = client.get(format!("https://localhost:{port}/")).header("authorization", "Bearer secret");
        assert_eq!(request.send().await.is_ok(), fine);
    }
    assert_eq!(requests.load(Ordering::SeqCst), 1, "only to the one that the person trusts");
}

#[tokio::test]
async fn nothing_is_sent_while_the_file_of_certificates_cannot_be_read() {
    let http = Http::new(None).expect("clients");
    http.configure(Common::System, Err("roots.pem cannot be read".to_owned()));
    for route in [Route(Way::Common), Route(Way::Direct)] {
        let refused = http.request(&route, Method::GET, "q.us-east-1.amazonaws.com", "/").await.expect_err("refused");
        assert_eq!(refused, Refused::NoTls("roots.pem cannot be read".to_owned()));
    }
    let mut account = test_account("a");
    account.wishes.proxy = Some(ProxyChoice::Through { url: "http://127.0.0.1:9".into() });
    let refused = http.request(&Route::of(&account), Method::GET, "q.us-east-1.amazonaws.com", "/").await;
    assert!(matches!(refused, Err(Refused::NoTls(_))));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "plants files")]
fn a_file_that_holds_no_certificates_is_told_in_plain_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (path, words) in [
        (folder.path().join("nowhere.pem"), "cannot be read"),
        (write("empty.pem", ""), "holds no certificate"),
        (write("text.pem", "hello"), "holds no certificate"),
        (write("damaged.pem", damaged), "not a valid certificate"),
    ] {
        let error = extra_roots(&path).expect_err("refused");
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn an_account_with_a_proxy_whose_password_cannot_be_read_sends_nothing() {
    let store = crate::credential::Credentials::new(Arc::new(Locked));
    let http =
        Http::new(Some(Url::parse("http://127.0.0.1:9").expect("a URL"))).expect("clients").with_credentials(store);
    let mut account = test_account("a");
    account.wishes.proxy = Some(ProxyChoice::Through { url: "http://127.0.0.1:10".into() });
    let refused = http.request(&Route::of(&account), Method::GET, "q.us-east-1.amazonaws.com", "/").await;
    assert!(matches!(refused, Err(Refused::NoProxy(_))));
    // What stands in the list of accounts is checked again before it is used.
    account.wishes.proxy = Some(ProxyChoice::Through { url: "file:///etc/passwd".into() });
    let http = Http::new(None).expect("clients");
    let refused = http.request(&Route::of(&account), Method::GET, "q.us-east-1.amazonaws.com", "/").await;
    assert!(matches!(refused, Err(Refused::NoProxy(_))));
}

/// A store that waits for a person.
struct Locked;

impl crate::credential::CredentialStore for Locked {
    fn kind(&self) -> crate::credential::StoreKind {
        crate::credential::StoreKind::Memory
    }

    fn state(&self) -> crate::credential::StoreState {
        crate::credential::StoreState::Locked
    }

    fn load(&self, _: &SecretId) -> Result<Option<crate::credential::Secrets>, crate::credential::StoreError> {
        Err(crate::credential::StoreError::Locked(self.kind()))
    }

    fn load_previous(&self, _: &SecretId) -> Result<Option<crate::credential::Secrets>, crate::credential::StoreError> {
        Err(crate::credential::StoreError::Locked(self.kind()))
    }

    fn confirm(&self, _: &SecretId) -> Result<(), crate::credential::StoreError> {
        Err(crate::credential::StoreError::Locked(self.kind()))
    }

    fn save(&self, _: &SecretId, _: &crate::credential::Secrets) -> Result<(), crate::credential::StoreError> {
        Err(crate::credential::StoreError::Locked(self.kind()))
    }

    fn delete(&self, _: &SecretId) -> Result<(), crate::credential::StoreError> {
        Err(crate::credential::StoreError::Locked(self.kind()))
    }
}
