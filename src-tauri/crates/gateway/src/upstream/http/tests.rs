mod tls;

use super::*;
use crate::account::{AccountOrigin, test_account};

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
