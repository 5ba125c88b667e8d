//! Every sign-in that goes through a browser, in a real one: Chromium without a screen clicks through the stand-in's pages,
//! the real gateway program waits for it. Needs `chromium` and `chromedriver` (`scripts/setup.sh test`).

mod chromium;

use anyhow::{Context as _, Result};
use chromium::Chromium;
use kiro_desktop_tests::{Admin, Home, Login, Page, StandIn, gateway_binary};
use kiro_simulator::{Config, Simulator, Violation};
use serde_json::{Value, json};
use tokio::process::Child;

/// The real gateway, with all its traffic sent to a stand-in.
struct Gateway {
    simulator: Simulator,
    admin: Admin,
    _home: Home,
    _serve: Child,
}

impl Gateway {
    async fn start() -> Result<Self> {
        let simulator = Simulator::start(Config::default()).await?;
        simulator.control().set_sign_in_pages(true);
        let home = Home::new()?;
        let serve = home
            .command(gateway_binary())
            .arg("serve")
            .env("KIRO_PROXY_ENDPOINTS", simulator.url())
            .env("KIRO_PROXY_VAULT_KEY", "p3Xq0v7mYkT1c9ZsJfW4uBhLr8NdEa2GiOy6KxRtVwM=")
            .spawn()
            .context("start the gateway (cargo build -p kiro-cli)")?;
        let admin = Admin::of(&home).await?;
        Ok(Self { simulator, admin, _home: home, _serve: serve })
    }

    /// Begins a sign-in, lets `browser` finish it, and answers its end.
    async fn sign_in(&self, browser: &Chromium, mut wish: Value) -> Result<Value> {
        wish["open"] = "none".into();
        let login = self.admin.begin_login(wish.clone()).await?;
        browser.click_through(&login).await.with_context(|| format!("{wish}"))?;
        let ended = login.ended().await?;
        assert_eq!(ended["state"], "done", "{wish}: {ended:#}");
        assert!(ended["account"]["id"].is_string(), "{wish}: {ended:#}");
        Ok(ended)
    }

    /// Broken rules, except that browsers ask every site for its little picture.
    fn violations(&self) -> Vec<Violation> {
        let control = self.simulator.control();
        let pictures: Vec<u64> =
            control.journal().iter().filter(|entry| entry.path == "/favicon.ico").map(|entry| entry.seq).collect();
        control.violations().into_iter().filter(|violation| !pictures.contains(&violation.seq)).collect()
    }

    async fn accounts(&self) -> Result<usize> {
        Ok(self.admin.get("/api/accounts").await?["accounts"].as_array().map_or(0, Vec::len))
    }
}

const COMPANY: &str = "https://example-company.awsapps.com/start";

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_sign_in_ends_with_an_account() -> Result<()> {
    let gateway = Gateway::start().await?;
    for (number, wish) in [
        json!({ "kind": "google", "form": "browser" }),
        json!({ "kind": "github", "form": "browser" }),
        json!({ "kind": "builderId", "form": "browser" }),
        json!({ "kind": "idc", "form": "browser", "startUrl": COMPANY, "region": "eu-west-1" }),
        json!({ "kind": "microsoft", "form": "browser" }),
    ]
    .into_iter()
    .enumerate()
    {
        // Each in a browser that knows nothing of the others.
        let browser = Chromium::start().await?;
        gateway.sign_in(&browser, wish).await?;
        assert_eq!(gateway.accounts().await?, number + 1);
        browser.close().await?;
    }
    assert_eq!(gateway.violations(), []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_code_can_be_confirmed_in_a_browser() -> Result<()> {
    let gateway = Gateway::start().await?;
    let browser = Chromium::start().await?;
    for wish in [
        json!({ "kind": "google", "form": "device" }),
        json!({ "kind": "github", "form": "device" }),
        json!({ "kind": "builderId", "form": "device" }),
        json!({ "kind": "idc", "form": "device", "startUrl": COMPANY, "region": "eu-west-1" }),
    ] {
        gateway.sign_in(&browser, wish).await?;
    }
    assert_eq!(gateway.violations(), []);
    browser.close().await
}

/// A page that guesses at the callback in every way a page can, and tells when it is done.
fn guessing(port: u16) -> Page {
    Page::Html(format!(
        "<!doctype html><title>guessing</title><body><script>
        const bases = ['http://localhost:{port}', 'http://127.0.0.1:{port}', 'http://[::1]:{port}'];
        const paths = ['/', '/oauth/callback', '/signin/callback'];
        const queries = ['?code=x&state=x', '?error=access_denied&state=x', '?error=access_denied', '?state=', '?login_option=external_idp&issuer_url=https%3A%2F%2Fevil.example&client_id=x&scopes=x&state=x'];
        (async () => {{
          const tried = [];
          for (const base of bases) for (const path of paths) for (const query of queries) {{
            const url = base + path + query;
            for (const method of ['GET', 'POST', 'HEAD'])
              tried.push(fetch(url, {{ method, mode: 'no-cors', credentials: 'include' }}).catch(() => 0));
            tried.push(new Promise((done) => {{ const i = new Image(); i.onload = i.onerror = done; i.src = url; }}));
          }}
          await Promise.all(tried);
          const frame = document.createElement('iframe');
          const loaded = new Promise((done) => frame.onload = done);
          frame.src = bases[0] + paths[1] + queries[0];
          document.body.append(frame);
          await loaded;
          await fetch('/report', {{ method: 'POST', body: String(tried.length) }});
        }})();
        </script>"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_somebody_else_cannot_disturb_a_sign_in_that_waits() -> Result<()> {
    let gateway = Gateway::start().await?;
    for kind in ["google", "builderId"] {
        let browser = Chromium::start().await?;
        let login: Login =
            gateway.admin.begin_login(json!({ "kind": kind, "form": "browser", "open": "none" })).await?;
        let port = login.view().await?["callbackPort"].as_u64().context("a callback")?;
        let mut hostile = StandIn::start(move |_| guessing(u16::try_from(port).unwrap_or_default())).await?;
        browser.goto(&hostile.url()).await?;
        assert_eq!(hostile.report(1).await?, "180");
        assert_eq!(login.state().await?, "waiting", "the page of somebody else moved the sign-in");

        browser.click_through(&login).await?;
        let ended = login.ended().await?;
        assert_eq!(ended["state"], "done", "{ended:#}");
        browser.close().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_finished_in_the_browser_that_opened_it_and_in_no_other() -> Result<()> {
    let gateway = Gateway::start().await?;
    let login = gateway.admin.begin_login(json!({ "kind": "remote", "open": "none" })).await?;
    let link = login.page().await?;
    let port = link.rsplit(':').next().and_then(|rest| rest.split('/').next()).context("a port")?.to_owned();

    // A name of somebody else that leads to this machine, as after DNS rebinding.
    let fooled = Chromium::with(&["--host-resolver-rules=MAP attacker.example 127.0.0.1"]).await?;
    let rebound = link.replace(&format!("localhost:{port}"), &format!("attacker.example:{port}"));
    assert_ne!(rebound, link);
    fooled.goto(&rebound).await?;
    assert!(!fooled.has("form").await?, "under another name there is nothing to press");
    assert_eq!(login.view().await?["awaits"], "remoteOpen");

    let browser = Chromium::start().await?;
    browser.goto(&link).await?;
    browser.click("form button").await?;
    browser.click("button[name=kind][value=builderId]").await?;
    assert_eq!(login.view().await?["awaits"], "remoteSignIn");
    // Who comes later with the same link finds nothing.
    fooled.goto(&link).await?;
    assert!(!fooled.has("form").await?, "the link has been used");

    let session = browser.at().await?;
    let provider = browser.href("a[target=_blank]").await?;
    browser.goto(&provider).await?;
    browser.click("button[name=answer][value=allow]").await?;
    let ended = login.ended().await?;
    assert_eq!(ended["state"], "done", "{ended:#}");
    assert!(ended["account"]["id"].is_string(), "{ended:#}");
    browser.goto(&session).await?;
    assert!(!browser.has("form").await?, "the session sees how it ended");
    assert_eq!(gateway.accounts().await?, 1);
    assert_eq!(gateway.violations(), []);
    fooled.close().await?;
    browser.close().await
}
