//! Links are followed only where that is safe. Against a server on this machine, whose address a test lets in by name.

use super::*;
use crate::media::remote::Lookup;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

struct Names(HashMap<&'static str, Vec<SocketAddr>>);

impl Lookup for Names {
    fn addresses(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
        let found = self.0.get(name.as_str()).cloned().ok_or_else(|| std::io::ErrorKind::NotFound.into());
        std::future::ready(found).boxed()
    }
}

/// A site that answers by path, and the requests it got.
struct Site {
    media: Media,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let here = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move {
            loop {
                let Ok((mut socket, _)) = listener.accept().await else { return };
                let mut request = Vec::new();
                let mut piece = [0; 4096];
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    let read = socket.read(&mut piece).await.unwrap_or(0);
                    if read == 0 {
                        break;
                    }
                    request.extend_from_slice(&piece[..read]);
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                log.lock().expect("unpoisoned").push(request);
                let _ = socket.write_all(&answer(&path)).await;
            }
        });
        let elsewhere = |address: &str| vec![address.parse().expect("an address")];
        let names = HashMap::from([
            ("pictures.example", vec![here]),
            ("other.example", vec![here]),
            ("intranet.example", elsewhere("10.0.0.7:0")),
            ("metadata.example", elsewhere("169.254.169.254:0")),
            ("six.example", elsewhere("[::ffff:127.0.0.1]:0")),
            ("mixed.example", vec![here, "192.168.0.1:0".parse().expect("an address")]),
        ]);
        let mut fetcher = Fetcher::new(Arc::new(Names(names)));
        fetcher.admitted = vec![here];
        Self { media: Media::new(fetcher), asked }
    }

    async fn fetch(&self, url: &str, hosts: &str) -> Prepared {
        self.prepare(talk(vec![user(vec![Block::RemoteImage { url: url.to_owned() }])]), hosts).await
    }

    async fn prepare(&self, conversation: Conversation, hosts: &str) -> Prepared {
        let settings =
            MediaSettings { remote_images: true, remote_hosts: hosts.to_owned(), ..MediaSettings::default() };
        self.media.prepare(conversation, Wishes { settings, ..wishes() }).await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("unpoisoned").clone()
    }
}

fn answer(path: &str) -> Vec<u8> {
    let redirect = |to: &str| format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").into_bytes();
    let body = |kind: &str, body: &[u8]| {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    };
    match path {
        "/a.png" => body("image/png", &stripes(20, 20, 1, ImageFormat::Png)),
        "/page" => body("text/html", b"<html>"),
        "/large" => b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 99999999\r\n\r\n".to_vec(),
        "/flood" => {
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\nconnection: close\r\n\r\n";
            [&head[..], &vec![0; 11 * 1024 * 1024]].concat()
        }
        "/moved" => redirect("/a.png"),
        "/away" => redirect("http://other.example/a.png"),
        "/inside" => redirect("http://intranet.example/a.png"),
        "/loopback" => redirect("http://127.0.0.1/a.png"),
        "/file" => redirect("file:///etc/passwd"),
        "/loop" => redirect("/loop"),
        _ => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
    }
}

#[tokio::test]
async fn links_are_refused_unless_a_person_allows_them() {
    let link = || Block::RemoteImage { url: "https://pictures.example/a.png".to_owned() };
    let old = talk(vec![user(vec![link(), text("look")]), model("ok"), user(vec![text("and now?")])]);
    let prepared = Media::default().prepare(old, wishes()).await;
    assert_eq!((prepared.refused.is_none(), codes(&prepared)), (true, vec!["remote_image_dropped"]));
    assert!(words(&prepared.conversation).contains("links are not followed"));

    let new = talk(vec![user(vec![link(), text("look")])]);
    let refused = Media::default().prepare(new.clone(), wishes()).await.refused.expect("refused");
    assert_eq!(refused.code, "remote_image_not_allowed");
    assert!(refused.message.contains("media.remoteImages"), "{}", refused.message);

    let counting = Media::default().prepare(new, Wishes { counting: true, ..wishes() }).await;
    assert_eq!(counting.refused, None, "counting asks nobody and refuses nothing");
}

#[tokio::test]
async fn an_allowed_link_becomes_its_picture() {
    let site = Site::open().await;
    for url in ["http://pictures.example/a.png", "http://pictures.example/moved", "http://pictures.example/away"] {
        let prepared = site.fetch(url, "").await;
        assert_eq!(prepared.refused, None, "{url}");
        let sent = pictures(&prepared.conversation);
        assert_eq!(sent.len(), 1, "{url}");
        assert_eq!(sent[0].media_type, "image/png");
    }
    let first = site.asked()[0].to_ascii_lowercase();
    assert!(!first.contains("cookie") && !first.contains("authorization") && !first.contains("referer"), "{first}");
}

#[tokio::test]
async fn nothing_inside_is_ever_asked() {
    let site = Site::open().await;
    for url in [
        "http://intranet.example/a.png",
        "http://metadata.example/latest/meta-data",
        "http://six.example/a.png",
        "http://mixed.example/a.png",
        "http://127.0.0.1/a.png",
        "http://0x7f.1/a.png",
        "http://2130706433/a.png",
        "http://[::1]/a.png",
        "http://[::ffff:10.0.0.1]/a.png",
        "http://169.254.169.254/",
        "http://pictures.example:8080/a.png",
        "http://user:pw@pictures.example/a.png",
        "file:///etc/passwd",
        "gopher://pictures.example/",
    ] {
        let refused = site.fetch(url, "").await.refused.expect(url);
        assert_eq!(refused.code, "remote_image_not_allowed", "{url}: {}", refused.message);
    }
    assert_eq!(site.asked(), Vec::<String>::new());
    for path in ["inside", "loopback", "file"] {
        let refused = site.fetch(&format!("http://pictures.example/{path}"), "").await.refused.expect(path);
        assert_eq!(refused.code, "remote_image_not_allowed", "{path}");
    }
    assert_eq!(site.asked().len(), 3, "only the redirects themselves were asked for");
}

#[tokio::test]
async fn a_list_of_hosts_holds_for_redirects_too() {
    let site = Site::open().await;
    assert!(site.fetch("http://pictures.example/a.png", "pictures.example").await.refused.is_none());
    assert!(site.fetch("http://pictures.example/a.png", "*.example").await.refused.is_none());
    for (path, hosts) in [("a.png", "other.example"), ("a.png", "*.pictures.example"), ("away", "pictures.example")] {
        let refused = site.fetch(&format!("http://pictures.example/{path}"), hosts).await.refused.expect(hosts);
        assert!(refused.message.contains("list of allowed hosts"), "{}", refused.message);
    }
}

#[tokio::test]
async fn what_is_no_picture_or_too_large_is_not_taken() {
    let site = Site::open().await;
    for (path, words) in [
        ("page", "not a picture"),
        ("large", "more than 10 MiB"),
        ("flood", "more than 10 MiB"),
        ("loop", "too many redirects"),
        ("gone", "answered 404"),
    ] {
        let refused = site.fetch(&format!("http://pictures.example/{path}"), "").await.refused.expect(path);
        assert_eq!(refused.code, "remote_image_failed");
        assert!(refused.message.contains(words), "{}", refused.message);
    }
    let refused = site.fetch("http://nowhere.example/a.png", "").await.refused.expect("refused");
    assert!(refused.message.contains("not found"), "{}", refused.message);
}

#[tokio::test]
async fn a_link_in_the_history_is_fetched_once() {
    let site = Site::open().await;
    let link = || Block::RemoteImage { url: "http://pictures.example/a.png".to_owned() };
    let first = talk(vec![user(vec![link(), text("look")])]);
    let second = talk(vec![user(vec![link(), text("look")]), model("ok"), user(vec![text("and now?")])]);
    for conversation in [first, second.clone(), second] {
        assert_eq!(pictures(&site.prepare(conversation, "").await.conversation).len(), 1);
    }
    assert_eq!(site.asked().len(), 1);
}
