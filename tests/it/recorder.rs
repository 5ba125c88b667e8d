//! A proxy on this machine that notes what passes.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A proxy on this machine that notes what passes, and asks for a login when it is given one.
pub struct Recorder {
    pub address: std::net::SocketAddr,
    passed: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    /// An HTTP proxy. One request per connection, so that each is seen.
    pub async fn http(login: Option<&str>) -> Self {
        Self::http_for(login, usize::MAX).await
    }

    /// An HTTP proxy that is gone after so many connections: nobody listens there any more.
    pub async fn until(connections: usize) -> Self {
        Self::http_for(None, connections).await
    }

    async fn http_for(login: Option<&str>, connections: usize) -> Self {
        let wanted = login.map(|login| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(login)));
        Self::start(connections, move |mut client, passed| {
            let wanted = wanted.clone();
            async move {
                let Some(head) = read_head(&mut client).await else { return };
                let given = header(&head, "proxy-authorization");
                if wanted.is_some() && given != wanted {
                    let refusal =
                        "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                    client.write_all(refusal.as_bytes()).await.unwrap();
                    return;
                }
                let line = head.lines().next().unwrap_or_default().to_owned();
                let url = url::Url::parse(line.split(' ').nth(1).unwrap_or_default()).expect("an absolute address");
                passed.lock().unwrap().push(format!("{} {}", line.split(' ').next().unwrap_or_default(), url.path()));
                let target = (url.host_str().expect("a host"), url.port_or_known_default().expect("a port"));
                let mut upstream = TcpStream::connect(target).await.expect("the stand-in is there");
                let rest = head.split_once("\r\n").expect("a head").1;
                upstream.write_all(format!("{line}\r\nconnection: close\r\n{rest}").as_bytes()).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut upstream).await;
            }
        })
        .await
    }

    /// A SOCKS5 proxy (RFC 1928) with the login of RFC 1929 when it is given one.
    pub async fn socks(login: Option<&str>) -> Self {
        let login = login.map(str::to_owned);
        Self::start(usize::MAX, move |mut client, passed| {
            let login = login.clone();
            async move {
                let mut head = [0; 2];
                client.read_exact(&mut head).await.unwrap();
                let mut methods = vec![0; head[1].into()];
                client.read_exact(&mut methods).await.unwrap();
                if let Some(login) = &login {
                    if !methods.contains(&2) {
                        client.write_all(&[5, 0xff]).await.unwrap();
                        return;
                    }
                    client.write_all(&[5, 2]).await.unwrap();
                    let user = text(&mut client, true).await;
                    let password = text(&mut client, false).await;
                    let fine = format!("{user}:{password}") == *login;
                    client.write_all(&[1, u8::from(!fine)]).await.unwrap();
                    if !fine {
                        return;
                    }
                } else {
                    client.write_all(&[5, 0]).await.unwrap();
                }
                let mut request = [0; 4];
                client.read_exact(&mut request).await.unwrap();
                let host = match request[3] {
                    1 => {
                        let mut ip = [0; 4];
                        client.read_exact(&mut ip).await.unwrap();
                        std::net::Ipv4Addr::from(ip).to_string()
                    }
                    3 => {
                        let length = client.read_u8().await.unwrap();
                        let mut name = vec![0; length.into()];
                        client.read_exact(&mut name).await.unwrap();
                        String::from_utf8(name).unwrap()
                    }
                    other => panic!("address type {other}"),
                };
                let port = client.read_u16().await.unwrap();
                passed.lock().unwrap().push(format!("{host}:{port}"));
                let mut upstream = TcpStream::connect((host.as_str(), port)).await.expect("the stand-in is there");
                client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut upstream).await;
            }
        })
        .await
    }

    /// A SOCKS4 proxy, or SOCKS4A where the name comes instead of the address.
    pub async fn socks4() -> Self {
        Self::start(usize::MAX, |mut client, passed| async move {
            let mut request = [0; 2];
            client.read_exact(&mut request).await.unwrap();
            assert_eq!(request, [4, 1], "version 4, connect");
            let port = client.read_u16().await.unwrap();
            let mut ip = [0; 4];
            client.read_exact(&mut ip).await.unwrap();
            assert_eq!(ended(&mut client).await, "", "nobody is named");
            let host = match ip {
                [0, 0, 0, last] if last != 0 => ended(&mut client).await,
                ip => std::net::Ipv4Addr::from(ip).to_string(),
            };
            passed.lock().unwrap().push(format!("{host}:{port}"));
            let mut upstream = TcpStream::connect((host.as_str(), port)).await.expect("the stand-in is there");
            client.write_all(&[0, 90, 0, 0, 0, 0, 0, 0]).await.unwrap();
            let _ = copy_bidirectional(&mut client, &mut upstream).await;
        })
        .await
    }

    async fn start<F, W>(connections: usize, serve: F) -> Self
    where
        F: Fn(TcpStream, Arc<Mutex<Vec<String>>>) -> W + Send + Sync + 'static,
        W: Future<Output = ()> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let passed: Arc<Mutex<Vec<String>>> = Arc::default();
        let serve = Arc::new(serve);
        let noted = Arc::clone(&passed);
        tokio::spawn(async move {
            for _ in 0..connections {
                let Ok((client, _)) = listener.accept().await else { return };
                let (serve, noted) = (Arc::clone(&serve), Arc::clone(&noted));
                tokio::spawn(async move { serve(client, noted).await });
            }
        });
        Self { address, passed }
    }

    pub fn passed(&self) -> Vec<String> {
        self.passed.lock().unwrap().clone()
    }
}

/// Text that ends with a zero.
async fn ended(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    loop {
        match stream.read_u8().await.unwrap() {
            0 => return String::from_utf8(text).unwrap(),
            byte => text.push(byte),
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

async fn text(stream: &mut TcpStream, versioned: bool) -> String {
    if versioned {
        assert_eq!(stream.read_u8().await.unwrap(), 1);
    }
    let length = stream.read_u8().await.unwrap();
    let mut bytes = vec![0; length.into()];
    stream.read_exact(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}
