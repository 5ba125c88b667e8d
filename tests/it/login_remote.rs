//! Signing in by a link on another machine: one link, one session, served only while the sign-in waits.

use std::net::IpAddr;

use http::{Method, StatusCode};
use kiro_simulator::{Decision, Family};
use serde_json::{Value, json};

use crate::harness::{PATIENCE, World, expired_login, install_tls};
use crate::login::{begin, browse, closed, end, look, path, plan, ports, until};
use crate::proxies;
use crate::recorder::Recorder;

/// A browser on another machine: it follows redirects and keeps nothing.
struct Elsewhere {
    http: reqwest::Client,
    home: String,
}

impl Elsewhere {
    fn client() -> reqwest::Client {
        install_tls();
        reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client")
    }

    /// Presses "Continue" and remembers where that leads.
    async fn open(link: &str) -> Self {
        let http = Self::client();
        let answer = http.post(link).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let home = answer.url().to_string();
        assert_ne!(home, link);
        Self { http, home }
    }

    async fn look(&self) -> (u16, String) {
        let answer = self.http.get(&self.home).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }

    async fn press(&self, action: &str, form: &[(&str, &str)]) -> String {
        let answer = self.http.post(format!("{}/{action}", self.home)).form(form).send().await.expect("an answer");
        answer.text().await.expect("text")
    }

    /// Looks until the page has this.
    async fn until(&self, wanted: &str) -> String {
        let looking = async {
            let mut tick = tokio::time::interval(std::time::Duration::from_millis(20));
            loop {
                tick.tick().await;
                let (_, page) = self.look().await;
                if page.contains(wanted) {
                    return page;
                }
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("never shown: {wanted}"))
    }
}

async fn status(request: reqwest::RequestBuilder) -> u16 {
    request.send().await.expect("an answer").status().as_u16()
}

async fn link(world: &World) -> (Value, String) {
    let login = begin(world, json!({"kind": "remote"})).await;
    assert_eq!((&login["form"], &login["awaits"]), (&json!("remote"), &json!("remoteOpen")), "{login}");
    let url = login["url"].as_str().expect("a link").to_owned();
    (login, url)
}

fn port_of(url: &str) -> u16 {
    reqwest::Url::parse(url).expect("a URL").port().expect("a port")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_for_an_account_takes_the_accounts_proxy_whatever_is_chosen_there() {
    let _ports = ports();
    let world = proxies::quiet(expired_login("builderid", Family::BuilderId)).await;
    world.control.set_device_interval(Some(std::time::Duration::from_millis(300)));
    world.control.sign_in_as("builderid");
    let proxy = Recorder::http(None).await;
    proxies::through(&world, &format!("http://{}", proxy.address)).await;
    let account = proxies::id(&world).await;
    let login = begin(&world, json!({"kind": "remote", "account": account})).await;
    let there = Elsewhere::open(login["url"].as_str().expect("a link")).await;
    there.press("begin", &[("kind", "builderId")]).await;
    let done = end(&world, &login).await;
    assert_eq!((&done["state"], &done["renewal"]["outcome"]), (&json!("done"), &json!("renewed")), "{done}");
    assert_eq!(done["account"]["id"], account);
    world.gateway.stop().await;
    assert!(!proxy.passed().is_empty());
    assert_eq!(world.control.counters().connections, proxy.passed().len() as u64, "nobody came another way");
    world.assert_no_violations();
}

/// The page's address in the text between two marks.
fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    let rest = page.split(before).nth(1).unwrap_or_else(|| panic!("no {before} in {page}"));
    rest.split(after).next().expect("an end")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_through_a_device_code_to_an_account_and_is_gone_afterwards() {
    let _ports = ports();
    let world = plan().start().await;
    world.control.set_auto_approve(false);
    let (login, url) = link(&world).await;
    assert_eq!(login["plainHttp"], false);
    let token = url.rsplit('/').next().expect("a path");
    assert_eq!(token.len(), 43, "256 bits");
    let there = Elsewhere::open(&url).await;
    assert_eq!(look(&world, &login).await["awaits"], "remoteSignIn");
    there.press("begin", &[("kind", "builderId")]).await;
    let page = there.until("<code>").await;
    let code = between(&page, "<code>", "</code>");
    assert!(page.contains("view.awsapps.com") || page.contains("/start/"), "{page}");
    assert!(page.contains("<svg") && page.contains("http-equiv=\"refresh\""), "{page}");
    assert!(world.control.decide_one(code, Decision::Approved));
    let done = end(&world, &login).await;
    assert_eq!((&done["state"], &done["account"]["method"]), (&json!("done"), &json!("idc")), "{done}");
    there.until("Signed in").await;
    let gone = async {
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(20));
        while tokio::net::TcpStream::connect(("127.0.0.1", port_of(&url))).await.is_ok() {
            tick.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("closes once the session has seen the end");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_finished_by_pasting_both_addresses_on_the_page() {
    let _ports = ports();
    let world = plan().start().await;
    world.control.sign_in_as("entra");
    let (login, url) = link(&world).await;
    let there = Elsewhere::open(&url).await;
    let signing = async {
        // Others may hold the one port of directories for a moment.
        loop {
            there.press("begin", &[("kind", "microsoft")]).await;
            let begun = async { there.until("<textarea").await };
            if let Ok(page) = tokio::time::timeout(std::time::Duration::from_secs(2), begun).await {
                return page;
            }
        }
    };
    let page = tokio::time::timeout(PATIENCE * 4, signing).await.expect("begins");
    assert!(!page.contains("http-equiv=\"refresh\""), "a page that reloads would lose what is being pasted");
    let first = between(&page, "<a href=\"", "\"").replace("&amp;", "&");
    let descriptor =
        crate::login::visit(&format!("{first}&login_option=external_idp")).await.location.expect("a redirect");
    let wrong = there.press("paste", &[("text", "https://login.microsoftonline.com/")]).await;
    assert!(wrong.contains("role=\"alert\""), "{wrong}");
    there.press("paste", &[("text", &descriptor)]).await;
    let page = there.until("/oauth2/v2.0/authorize").await;
    let second = between(&page, "<a href=\"", "\"").replace("&amp;", "&");
    let back = crate::login::visit(&second).await.location.expect("a redirect");
    there.press("paste", &[("text", &back)]).await;
    let done = end(&world, &login).await;
    assert_eq!((&done["state"], &done["account"]["method"]), (&json!("done"), &json!("externalIdp")), "{done}");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_belongs_to_the_first_session_and_looking_at_it_does_not_use_it_up() {
    let _ports = ports();
    let world = plan().start().await;
    let (login, url) = link(&world).await;
    let http = Elsewhere::client();
    for _ in 0..5 {
        assert_eq!(status(http.get(&url)).await, 200, "programs that look at links ahead do no harm");
    }
    assert_eq!(look(&world, &login).await["awaits"], "remoteOpen");
    let there = Elsewhere::open(&url).await;
    assert_eq!(status(http.get(&url)).await, 410, "a second look");
    assert_eq!(status(http.post(&url)).await, 410, "a second use");
    let base = url.rsplit_once('/').expect("a path").0;
    let token = url.rsplit('/').next().expect("a path");
    let guess = "A".repeat(43);
    for path in [
        String::new(),
        guess.clone(),
        format!("{token}/{guess}"),
        format!("{token}/{guess}/begin"),
        format!("{token}x"),
        token[1..].to_owned(),
        format!("{guess}/{token}"),
        "favicon.ico".to_owned(),
    ] {
        assert_eq!(status(http.get(format!("{base}/{path}"))).await, 404, "{path}");
        assert_eq!(status(http.post(format!("{base}/{path}"))).await, 404, "{path}");
    }
    for method in [reqwest::Method::PUT, reqwest::Method::DELETE, reqwest::Method::OPTIONS] {
        assert_eq!(status(http.request(method, &there.home)).await, 404);
    }
    assert_eq!(there.look().await.0, 200, "the session itself goes on");
    let headers = http.get(&there.home).send().await.expect("an answer").headers().clone();
    let policy = headers["content-security-policy"].to_str().expect("text");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("script"), "{policy}");
    assert!(!headers.contains_key("set-cookie"), "no cookies");
    assert_eq!(world.admin_ok(Method::DELETE, &path(&login), None).await["state"], "cancelled");
    closed(port_of(&url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_is_answered_under_its_own_host_alone() {
    let world = plan().start().await;
    let (login, url) = link(&world).await;
    let port = port_of(&url);
    let token = url.rsplit('/').next().expect("a path");
    let base = format!("http://127.0.0.1:{port}");
    let sent = async |method: &str, target: &str, hosts: &[&str]| {
        let hosts: String = hosts.iter().map(|host| format!("host: {host}\r\n")).collect();
        let request = format!("{method} {target} HTTP/1.1\r\n{hosts}content-length: 0\r\n\r\n");
        crate::harness::raw_status(&crate::harness::raw(&base, request.as_bytes()).await)
    };
    let (path, own) = (format!("/{token}"), format!("localhost:{port}"));
    let (wrong_port, other) = (format!("localhost:{}", port ^ 1), format!("attacker.example:{port}"));
    for method in ["GET", "POST"] {
        for hosts in [
            &[other.as_str()][..],
            &["attacker.example"],
            &["localhost"],
            &[&wrong_port],
            &[&format!("127.0.0.1:{port}")],
            &[&format!("localhost.attacker.example:{port}")],
            &[&own, &own],
            &[],
        ] {
            let status = sent(method, &path, hosts).await;
            assert!(matches!(status, 400 | 421), "{method} {hosts:?}: {status}");
        }
        let status = sent(method, &format!("http://{other}{path}"), &[&own]).await;
        assert_eq!(status, 421, "the address of the request counts as well");
    }
    assert_eq!(look(&world, &login).await["awaits"], "remoteOpen", "nobody has used it up");
    assert_eq!(sent("GET", &path, &[&own]).await, 200);
    assert_eq!(sent("POST", &path, &[&own]).await, 303);
    assert_eq!(look(&world, &login).await["awaits"], "remoteSignIn");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_lives_for_ten_minutes_and_is_served_only_while_it_waits() {
    let clock =
        std::sync::Arc::new(kiro_gateway::clock::ManualClock::new(kiro_gateway::clock::Timestamp(1_800_000_000_000)));
    let handed = std::sync::Arc::clone(&clock);
    let world = plan().options(move |options| options.clock = handed).start().await;
    for opened in [false, true] {
        let (login, url) = link(&world).await;
        let there = if opened { Some(Elsewhere::open(&url).await) } else { None };
        clock.advance(std::time::Duration::from_secs(599));
        assert_eq!(look(&world, &login).await["state"], "waiting");
        if let Some(there) = &there {
            assert_eq!(there.look().await.0, 200);
        }
        clock.advance(std::time::Duration::from_secs(1));
        assert_eq!(end(&world, &login).await["state"], "expired", "opened: {opened}");
        closed(port_of(&url)).await;
    }
    let (login, url) = link(&world).await;
    assert_eq!(world.admin_ok(Method::DELETE, &path(&login), None).await["state"], "cancelled");
    closed(port_of(&url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_there_is_said_there_and_another_way_can_be_taken() {
    let _ports = ports();
    let world = plan().start().await;
    world.control.set_auto_approve(false);
    world.control.set_device_interval(Some(std::time::Duration::from_millis(300)));
    let (login, url) = link(&world).await;
    let there = Elsewhere::open(&url).await;
    let page =
        there.press("begin", &[("kind", "idc"), ("startUrl", "https://attacker.example/<b>"), ("region", "x")]).await;
    assert!(page.contains("role=\"alert\"") && !page.contains("<b>"), "{page}");
    assert!(world.control.journal().is_empty(), "nothing was sent");
    there.press("begin", &[("kind", "google")]).await;
    there.until("<code>").await;
    world.control.decide(Decision::Denied);
    there.until("role=\"alert\"").await;
    there.press("begin", &[("kind", "github")]).await;
    there.until("<code>").await;
    there.press("again", &[]).await;
    there.until("value=\"builderId\"").await;
    assert_eq!(look(&world, &login).await["state"], "waiting");
    there.press("begin", &[("kind", "github")]).await;
    there.until("<code>").await;
    world.control.decide(Decision::Approved);
    assert_eq!(end(&world, &login).await["state"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_is_bound_only_when_named_and_said_to_be_plain_http() {
    let _ports = ports();
    let world = plan().start().await;
    for bad in ["0.0.0.0", "[::]", "example.com", "224.0.0.1"] {
        let body = json!({"kind": "remote", "open": "none", "remoteAddress": bad});
        let (status, problem) = world.admin(Method::POST, "/api/logins", Some(body)).await;
        assert_eq!(
            (status, problem["fields"].get("remoteAddress").is_some()),
            (StatusCode::UNPROCESSABLE_ENTITY, true),
            "{bad}"
        );
    }
    // An address that this machine does not have (RFC 5737).
    let login = begin(&world, json!({"kind": "remote", "remoteAddress": "192.0.2.1"})).await;
    assert_eq!(login["problem"]["code"], "port_unavailable", "{login}");
    let (login, url) = link(&world).await;
    assert!(url.starts_with("http://localhost:"), "{url}");
    until(&world, &login, "the link", |now| now["qr"]["size"].is_u64()).await;
    let pages = browse(&url).await;
    assert!(pages[0].body.contains("lang=\"zh\""), "{}", pages[0].body);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_that_is_offered_serves_the_link() {
    let world = plan().start().await;
    let offered = world.admin_ok(Method::GET, "/api/network/addresses", None).await;
    let offered: Vec<IpAddr> = offered["addresses"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|address| address.as_str().and_then(|text| text.parse().ok()).expect("an address"))
        .collect();
    for address in offered {
        assert!(!address.is_loopback(), "{address}");
        let login = begin(&world, json!({"kind": "remote", "remoteAddress": address})).await;
        let url = login["url"].as_str().unwrap_or_default();
        let host =
            reqwest::Url::parse(url).expect("a link").host_str().map(|host| host.trim_matches(['[', ']']).to_owned());
        assert_eq!(host.and_then(|host| host.parse::<IpAddr>().ok()), Some(address), "{login}");
        assert_eq!(login["plainHttp"], true);
        world.admin_ok(Method::DELETE, &path(&login), None).await;
    }
}
