//! What the tests of signing in share: begin, wait for the end, play the browser.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Plan, World, install_tls};

/// A world without accounts.
pub fn plan() -> Plan {
    Plan { listen: false, ..Plan::default() }.accounts(Vec::new())
}

/// Begins a sign-in whose page nobody opens.
pub async fn begin(world: &World, mut wish: Value) -> Value {
    wish["open"] = "none".into();
    let (status, login) = world.admin(Method::POST, "/api/logins", Some(wish)).await;
    assert_eq!(status, StatusCode::CREATED, "{login}");
    login
}

pub fn path(login: &Value) -> String {
    format!("/api/logins/{}", login["id"].as_str().expect("an id"))
}

/// The sign-in as it is now.
pub async fn look(world: &World, login: &Value) -> Value {
    world.admin_ok(Method::GET, &path(login), None).await
}

/// Waits until `holds`, by looking again at every change that is told.
pub async fn until(world: &World, login: &Value, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let mut events = world.gateway.events();
    let waiting = async {
        loop {
            let now = look(world, login).await;
            if holds(&now) {
                return now;
            }
            let _ = events.recv().await;
        }
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(now) => now,
        Err(_) => panic!("never happened: {what}: {}", look(world, login).await),
    }
}

/// Waits for the end.
pub async fn end(world: &World, login: &Value) -> Value {
    until(world, login, "the end", |now| {
        !matches!(now["state"].as_str(), Some("waiting" | "exchanging" | "inspecting" | "chooseProfile"))
    })
    .await
}

/// It still is where it was.
pub async fn state_is(world: &World, login: &Value, state: &str) {
    assert_eq!(look(world, login).await["state"], json!(state));
}

/// One page on the way, as a browser saw it.
#[derive(Debug)]
pub struct Hop {
    pub url: String,
    pub status: u16,
    pub location: Option<String>,
    pub body: String,
    pub headers: http::HeaderMap,
}

/// GETs one page and follows nothing.
pub async fn visit(url: &str) -> Hop {
    install_tls();
    let http =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE).build();
    let answer = http.expect("a client").get(url).header("accept-language", "zh-CN").send().await;
    let answer = answer.unwrap_or_else(|error| panic!("{url}: {error}"));
    let status = answer.status().as_u16();
    let headers = answer.headers().clone();
    let location = headers.get("location").map(|to| to.to_str().expect("text").to_owned());
    Hop { url: url.to_owned(), status, location, body: answer.text().await.expect("text"), headers }
}

/// Follows redirects from a page to the end, as a browser does.
pub async fn browse(url: &str) -> Vec<Hop> {
    let mut hops = vec![visit(url).await];
    while let Some(next) = hops.last().and_then(|hop| hop.location.clone()) {
        assert!(hops.len() < 8, "a circle: {hops:?}");
        hops.push(visit(&next).await);
    }
    hops
}

/// The address of the page, with one more parameter: what a person presses there.
pub fn pressing(login: &Value, extra: &str) -> String {
    let url = login["url"].as_str().expect("a page");
    if extra.is_empty() { url.to_owned() } else { format!("{url}&{extra}") }
}

pub fn parameter(url: &str, name: &str) -> String {
    let url = reqwest::Url::parse(url).expect("a URL");
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

pub fn port(login: &Value) -> u16 {
    login["callbackPort"].as_u64().and_then(|port| port.try_into().ok()).expect("a callback port")
}

/// Nobody listens there any more, within the second that is promised.
pub async fn closed(port: u16) {
    for address in
        [std::net::SocketAddr::from(([127, 0, 0, 1], port)), format!("[::1]:{port}").parse().expect("an address")]
    {
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(10));
        let refused = async {
            while tokio::net::TcpStream::connect(address).await.is_ok() {
                tick.tick().await;
            }
        };
        let in_time = tokio::time::timeout(std::time::Duration::from_secs(1), refused).await;
        assert!(in_time.is_ok(), "{address} still listens");
    }
}

/// The ports that the portal answers to are few and the same for every program of this machine: one test at a time has them,
/// whichever process it runs in, until the answer is dropped.
pub fn ports() -> std::fs::File {
    let file = std::fs::File::create(std::env::temp_dir().join("kiro-proxy-tests-portal-ports")).expect("a file");
    file.lock().expect("the lock");
    file
}

/// Begins a sign-in that needs a port which others may hold for the moment.
pub async fn begin_once_free(world: &World, wish: Value) -> Value {
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(50));
    let trying = async {
        loop {
            let login = begin(world, wish.clone()).await;
            if login["problem"]["code"] != "callback_port_taken" {
                return login;
            }
            tick.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE * 4, trying).await.expect("the port becomes free")
}
