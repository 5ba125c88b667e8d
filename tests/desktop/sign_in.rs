//! Sign-in in a window of the app: the real program, a real webview, the stand-in behind it, and pages that mean harm.

use anyhow::{Context as _, Result};
use kiro_desktop_tests::{
    Admin, App, Home, Key, Login, Notifications, Page, StandIn, TrayHost, close_window, press, until, visible_windows,
    visible_windows_titled, window_is_gone,
};
use kiro_simulator::{Config, Simulator};
use serde_json::{Value, json};
use std::time::Duration;

/// The app in the tray, with all its traffic sent to `stand_in`, and its admin API.
async fn app(home: &Home, stand_in: &str, more: &[(&str, &str)]) -> Result<(App, Admin)> {
    let environment = [&[("KIRO_PROXY_ENDPOINTS", stand_in)][..], more].concat();
    let app = home.launch_with(&["--hidden"], &environment)?;
    Ok((app, Admin::of(home).await?))
}

async fn sign_in_window(app: &App) -> Result<u32> {
    let windows = visible_windows_titled(app.pid()?, "for the sign-in", |title| title.starts_with("Sign in: ")).await?;
    windows.first().copied().context("a window")
}

/// What a sign-in waits for.
async fn awaited(login: &Login) -> Result<(Value, Value)> {
    let view = login.view().await?;
    Ok((view["state"].clone(), view["awaits"].clone()))
}

/// Presses the page's first button, by the keyboard alone. A key that came before the page could take it is pressed again:
/// first the one that may have been lost, so that the second button is never reached.
async fn press_first_button(window: u32, login: &Login) -> Result<()> {
    let before = awaited(login).await?;
    for keys in [&[Key::Tab, Key::Return][..], &[Key::Return], &[Key::Tab, Key::Return]] {
        for key in keys {
            press(window, *key)?;
        }
        let moved = until("the sign-in goes on", async || awaited(login).await.ok().filter(|now| *now != before));
        if tokio::time::timeout(Duration::from_secs(4), moved).await.is_ok() {
            break;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_person_signs_in_in_a_window_of_the_app_which_then_closes() -> Result<()> {
    let simulator = Simulator::start(Config::default()).await?;
    simulator.control().set_sign_in_pages(true);
    let mut tray = TrayHost::start().await?;
    let home = Home::new()?;
    let (mut app, admin) = app(&home, &simulator.url(), &[]).await?;

    let company = "https://example-company.awsapps.com/start";
    for mut wish in [
        json!({ "kind": "google" }),
        json!({ "kind": "builderId" }),
        json!({ "kind": "idc", "startUrl": company, "region": "eu-west-1" }),
    ] {
        wish["form"] = "browser".into();
        wish["open"] = "popup".into();
        let login = admin.begin_login(wish).await?;
        let window = sign_in_window(&app).await?;
        press_first_button(window, &login).await?;
        window_is_gone(window).await?;
        let ended = login.ended().await?;
        assert_eq!(ended["state"], "done", "{ended:#}");
        let label = ended["account"]["label"].as_str().context("a label")?.to_owned();
        tray.wait_for("the account in the tray", |entry| {
            entry.parent.as_deref() == Some("Accounts") && entry.label.contains(&label)
        })
        .await?;
    }
    assert_eq!(simulator.control().violations(), []);

    tray.click("Quit").await?;
    assert_eq!(app.ended().await?.code(), Some(0));
    Ok(())
}

/// Begins a sign-in in a window once the ports that the portal comes back to are free.
async fn begin_once_free(admin: &Admin, wish: &Value) -> Result<Login> {
    until("a port of the portal is free", async || {
        let login = admin.begin_login(wish.clone()).await.ok()?;
        (login.view().await.ok()?["problem"]["code"] != "callback_port_taken").then_some(login)
    })
    .await
}

#[tokio::test]
async fn github_and_a_company_directory_are_signed_in_to_in_a_window_too() -> Result<()> {
    let simulator = Simulator::start(Config::default()).await?;
    let control = simulator.control();
    control.set_sign_in_pages(true);
    let mut tray = TrayHost::start().await?;
    let home = Home::new()?;
    let (mut app, admin) = app(&home, &simulator.url(), &[]).await?;

    control.set_last_option("github");
    let wish = json!({ "kind": "github", "form": "browser", "open": "popup" });
    let login = begin_once_free(&admin, &wish).await?;
    let window = sign_in_window(&app).await?;
    press_first_button(window, &login).await?;
    window_is_gone(window).await?;
    let ended = login.ended().await?;
    assert_eq!((&ended["state"], &ended["account"]["provider"]), (&json!("done"), &json!("github")), "{ended:#}");

    control.sign_in_as("entra");
    control.set_last_option("external_idp");
    let wish = json!({ "kind": "microsoft", "open": "popup" });
    let login = begin_once_free(&admin, &wish).await?;
    let window = sign_in_window(&app).await?;
    // The portal first, then the directory's own page in the same window.
    press_first_button(window, &login).await?;
    assert_eq!(login.view().await?["awaits"], "directorySignIn");
    until("the directory's page is there", async || {
        control.journal().iter().any(|entry| entry.operation == "ExternalAuthorize").then_some(())
    })
    .await?;
    press_first_button(window, &login).await?;
    window_is_gone(window).await?;
    let ended = login.ended().await?;
    assert_eq!((&ended["state"], &ended["account"]["method"]), (&json!("done"), &json!("externalIdp")), "{ended:#}");
    assert_eq!(control.violations(), []);

    tray.click("Quit").await?;
    assert_eq!(app.ended().await?.code(), Some(0));
    Ok(())
}

/// What a page in the sign-in window tries, and a report of what came of it.
fn hostile(other_port: u16) -> Page {
    Page::Html(format!(
        "<!doctype html><title>page</title><script>
        const report = {{ kept: [document.cookie, localStorage.getItem('mark')] }};
        document.cookie = 'mark=1; max-age=1000';
        localStorage.setItem('mark', '1');
        const tauri = window.__TAURI_INTERNALS__;
        const attempts = [
          ['admin_request', {{ request: {{ id: '1', method: 'GET', path: '/api/status', body: null }}, onChunk: '__CHANNEL__:1' }}],
          ['plugin:window|close', {{}}], ['plugin:webview|create_webview_window', {{ options: {{ label: 'x' }} }}],
        ];
        (async () => {{
          report.commands = [];
          for (const [name, values] of attempts) {{
            try {{ await tauri.invoke(name, values); report.commands.push('allowed'); }}
            catch (error) {{ report.commands.push(String(error).includes('not allowed') ? 'refused' : String(error)); }}
          }}
          for (const place of ['file:///etc/passwd', 'tauri://localhost/index.html', 'kiro://x', 'http://127.0.0.1:{other_port}/window']) {{
            location.href = place;
            await new Promise((done) => setTimeout(done, 100));
          }}
          report.at = location.pathname;
          report.opened = Boolean(window.open('http://127.0.0.1:{other_port}/open', 'x'));
          await fetch('/report', {{ method: 'POST', body: JSON.stringify(report) }});
        }})();
        </script>"
    ))
}

#[tokio::test]
async fn a_page_in_the_sign_in_window_reaches_no_command_no_file_and_no_other_login() -> Result<()> {
    let other = StandIn::start(|_| Page::Html(String::new())).await?;
    let other_port = other.port;
    let mut provider = StandIn::start(move |_| hostile(other_port)).await?;
    let mut tray = TrayHost::start().await?;
    let home = Home::new()?;
    let (mut app, admin) = app(&home, &provider.url(), &[]).await?;

    for count in 1..=2 {
        let login = admin.begin_login(json!({ "kind": "google", "form": "browser", "open": "popup" })).await?;
        let window = sign_in_window(&app).await?;
        let report: Value = serde_json::from_str(&provider.report(count).await?)?;
        assert_eq!(report["commands"], json!(["refused", "refused", "refused"]), "{report}");
        assert_eq!(report["kept"], json!(["", null]), "something of an earlier sign-in was still there");
        assert_eq!(report["opened"], false);
        assert_eq!(report["at"], login.page().await?.parse::<reqwest::Url>()?.path());

        // Closed by hand, the login goes on waiting with its link.
        close_window(window)?;
        window_is_gone(window).await?;
        assert_eq!(login.state().await?, "waiting");
        assert!(!login.page().await?.is_empty());
    }
    assert_eq!(other.paths(), Vec::<String>::new(), "the page reached another port of this machine");

    tray.click("Quit").await?;
    assert_eq!(app.ended().await?.code(), Some(0));
    Ok(())
}

/// A program that opens links by writing them down.
fn opener(home: &Home) -> Result<std::path::PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = home.folder("bin")?;
    let program = folder.join("xdg-open");
    let script = format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >> '{}'\n", folder.join("opened").display());
    #[expect(clippy::disallowed_methods, reason = "a program for a test")]
    std::fs::write(&program, script)?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

/// Begins a sign-in whose page cannot be shown in a window, and looks where it goes instead.
async fn moves_to_the_browser(stand_in: &str) -> Result<()> {
    let mut notifications = Notifications::start().await?;
    let mut tray = TrayHost::start().await?;
    let home = Home::new()?;
    let folder = opener(&home)?;
    let path = format!("{}:{}", folder.display(), home.path_variable());
    let (mut app, admin) = app(&home, stand_in, &[("PATH", &path)]).await?;
    let login = admin.begin_login(json!({ "kind": "google", "form": "browser", "open": "popup" })).await?;
    let page = login.page().await?;
    let opened = until("the browser is opened", async || {
        std::fs::read_to_string(folder.join("opened")).ok().filter(|text| text.ends_with('\n'))
    })
    .await?;
    assert_eq!(opened.lines().collect::<Vec<_>>(), [page.as_str()]);
    let notice = notifications.wait_for("why", |notice| notice.app == "Kiro Proxy").await?;
    assert!(notice.body.contains("opened in your browser"), "{notice:?}");
    assert_eq!(login.state().await?, "waiting");

    // Its one button leads to the window, where the login waits.
    notifications.click(&notice, "open").await?;
    visible_windows(app.pid()?, "after the click on the notification").await?;
    assert_eq!(notifications.all().len(), 1, "told more than once");
    tray.click("Quit").await?;
    assert_eq!(app.ended().await?.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn where_a_provider_refuses_embedded_views_the_browser_takes_over_with_words() -> Result<()> {
    let refuses = StandIn::start(|path| {
        if path.contains("disallowed_useragent") {
            Page::Html("403".to_owned())
        } else {
            Page::Redirect("/o/oauth2/auth?error=disallowed_useragent".to_owned())
        }
    })
    .await?;
    moves_to_the_browser(&refuses.url()).await
}

#[tokio::test]
async fn where_the_page_cannot_be_loaded_the_browser_takes_over_with_words() -> Result<()> {
    let nobody_listens = format!("http://127.0.0.1:{}", kiro_desktop_tests::free_port()?);
    moves_to_the_browser(&nobody_listens).await
}

#[tokio::test]
async fn a_click_before_the_notification_has_its_number_is_heard() -> Result<()> {
    let mut notifications = Notifications::start_clicking("open").await?;
    let mut tray = TrayHost::start().await?;
    let home = Home::new()?;
    let nobody_listens = format!("http://127.0.0.1:{}", kiro_desktop_tests::free_port()?);
    let folder = opener(&home)?;
    let path = format!("{}:{}", folder.display(), home.path_variable());
    let (mut app, admin) = app(&home, &nobody_listens, &[("PATH", &path)]).await?;
    admin.begin_login(json!({ "kind": "google", "form": "browser", "open": "popup" })).await?;
    notifications.wait_for("why", |notice| notice.app == "Kiro Proxy").await?;
    visible_windows(app.pid()?, "after the click on the notification").await?;

    tray.click("Quit").await?;
    assert_eq!(app.ended().await?.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn a_login_that_no_longer_works_is_told_once_with_a_button_for_the_window() -> Result<()> {
    let simulator = Simulator::start(Config::default()).await?;
    simulator.control().set_device_interval(Some(Duration::from_millis(200)));
    let mut notifications = Notifications::start().await?;
    let mut tray = TrayHost::start().await?;
    let home = Home::new()?;
    let (mut app, admin) = app(&home, &simulator.url(), &[]).await?;
    let login = admin.begin_login(json!({ "kind": "google", "form": "device", "open": "none" })).await?;
    let ended = login.ended().await?;
    let account = &ended["account"];
    let (id, label) = (account["id"].as_str().context("an id")?, account["label"].as_str().context("a label")?);

    for known in simulator.control().accounts() {
        simulator.control().kill_refresh_tokens(&known.seed.id);
    }
    // Asked twice, and refused twice: still one piece of news.
    for _ in 0..2 {
        let refreshed = admin.post(&format!("/api/accounts/{id}/refresh"), json!({})).await;
        assert!(refreshed.is_err(), "{refreshed:?}");
    }
    tray.wait_for("the line for attention", |entry| entry.label.contains("1 account needs attention")).await?;
    let notice = notifications.wait_for("to sign in again", |notice| notice.title.contains(label)).await?;
    assert!(notice.title.contains("sign in again"), "{notice:?}");
    assert_eq!(notice.actions, ["default", "Open Kiro Proxy", "open", "Open Kiro Proxy"]);
    notifications.click(&notice, "open").await?;
    visible_windows(app.pid()?, "after the click on the notification").await?;
    let about_it = notifications.all().into_iter().filter(|notice| notice.title.contains(label)).count();
    assert_eq!(about_it, 1);

    tray.click("Quit").await?;
    assert_eq!(app.ended().await?.code(), Some(0));
    Ok(())
}
