mod tls;

use super::*;
use crate::account::{AccountOrigin, test_account};
use crate::clock::{ManualClock, Timestamp};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn redirected() -> Http {
    Http::new(Some(Url::parse("http://127.0.0.1:9").expect("a URL"))).expect("clients")
}

#[tokio::test]
async fn a_credential_never_leaves_for_a_foreign_host() {
    for host in ["evil.example", "q.us-east-1.amazonaws.com.evil.example", "runtime.us-east-1.kiro.dev:1", "", "a\r\nb"]
    {
        let refused = redirected().request(&Route::anonymous(), Method::GET, host, "/").await.expect_err("refused");
        assert_eq!(refused, Refused::UnknownHost(host.to_owned()));
    }
}

#[tokio::test]
async fn redirected_traffic_keeps_the_original_host() {
    let request = redirected()
        .request(&Route::anonymous(), Method::GET, "q.us-east-1.amazonaws.com", "/x?y=1")
        .await
        .expect("known")
        .build()
        .expect("complete");
    assert_eq!(request.url().as_str(), "http://127.0.0.1:9/x?y=1");
    assert_eq!(request.headers()[HOST], "q.us-east-1.amazonaws.com");
}

#[tokio::test]
async fn the_demo_account_reaches_nothing_but_its_stand_in() {
    let http = redirected();
    let mut demo = test_account("demo");
    demo.origin = AccountOrigin::Demo;
    // Not even with a proxy of its own.
    demo.wishes.proxy = Some(ProxyChoice::Through { url: "http://127.0.0.1:11".into() });
    let route = Route::of(&demo);
    let ask = async || http.request(&route, Method::GET, "q.us-east-1.amazonaws.com", "/").await;
    assert_eq!(ask().await.expect_err("not running"), Refused::NoDemo);
    http.set_demo(Url::parse("http://127.0.0.1:10/").expect("a URL"));
    let request = ask().await.expect("running").build().expect("complete");
    assert_eq!(request.url().as_str(), "http://127.0.0.1:10/");
}

/// Answers one request after the other on every connection, a `/held` one only when told to; counts connections.
async fn keeping_alive() -> (Url, Arc<std::sync::atomic::AtomicUsize>, Arc<tokio::sync::Notify>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = Url::parse(&format!("http://{}", listener.local_addr().expect("bound"))).expect("a URL");
    let (count, release) = (Arc::new(std::sync::atomic::AtomicUsize::new(0)), Arc::new(tokio::sync::Notify::new()));
    let (counting, releasing) = (Arc::clone(&count), Arc::clone(&release));
    #[expect(clippy::disallowed_methods, reason = "a test's own server")]
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counting.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let release = Arc::clone(&releasing);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while let Ok(byte) = stream.read_u8().await {
                    head.push(byte);
                    if head.ends_with(b"\r\n\r\n") {
                        if head.starts_with(b"GET /held") {
                            release.notified().await;
                        }
                        head.clear();
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                    }
                }
            });
        }
    });
    (url, count, release)
}

#[tokio::test]
async fn connections_that_were_idle_during_a_sleep_are_not_used_again_and_a_call_under_way_goes_on() {
    let (url, count, release) = keeping_alive().await;
    let connections = || count.load(std::sync::atomic::Ordering::SeqCst);
    let clock = Arc::new(ManualClock::new(Timestamp(1_800_000_000_000)));
    let http = Http::new(Some(url)).expect("clients").with_clock(clock.clone());
    let mut proxied = test_account("proxied");
    proxied.wishes.proxy = Some(ProxyChoice::Direct);
    let host = "q.us-east-1.amazonaws.com";
    let ask = async |route: &Route, path: &str| {
        let request = http.request(route, Method::GET, host, path).await.expect("known");
        request.send().await.expect("an answer").text().await.expect("whole")
    };
    for (n, route) in [(1, Route::anonymous()), (2, Route::of(&proxied))] {
        ask(&route, "/").await;
        ask(&route, "/").await;
        assert_eq!(connections(), n, "kept alive");
    }
    let held = http.request(&Route::anonymous(), Method::GET, host, "/held").await.expect("known").send();
    let slept = async {
        clock.advance(Duration::from_secs(8 * 3600));
        ask(&Route::anonymous(), "/").await;
        ask(&Route::of(&proxied), "/").await;
        ask(&Route::anonymous(), "/").await;
        release.notify_one();
    };
    let (held, ()) = tokio::join!(held, slept);
    assert_eq!(held.expect("not cut").text().await.expect("whole"), "ok");
    assert_eq!(connections(), 4, "new ones after the sleep, kept alive again");
    // A clock that is set back counts as well; a small correction does not.
    clock.set(Timestamp(1_800_000_000_000));
    ask(&Route::anonymous(), "/").await;
    clock.advance(Duration::from_secs(20));
    ask(&Route::anonymous(), "/").await;
    assert_eq!(connections(), 5);
}
