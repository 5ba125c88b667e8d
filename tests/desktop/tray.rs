//! The app without a window: its icon and menu over D-Bus, as a panel uses them, and how it starts and ends.

use anyhow::{Context as _, Result};
use kiro_desktop_tests::{
    Admin, Entry, Home, TrayHost, app_binary, close_window, is_healthy, until, visible_windows, window_is_gone,
};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

fn can_be_clicked(label: &'static str) -> impl Fn(&Entry) -> bool {
    move |entry| entry.label == label && entry.enabled
}

#[tokio::test]
async fn the_menu_stops_and_starts_the_gateway_and_the_icon_follows() -> Result<()> {
    let mut tray = TrayHost::start().await?;
    let home = Home::new()?;
    let mut app = home.launch(&["--hidden"])?;

    tray.wait_for("Stop", can_be_clicked("Stop")).await?;
    assert!(is_healthy(home.port).await);
    let headline = tray.wait_for("the address", |entry| entry.label.contains(&home.port.to_string())).await?;
    assert!(!headline.enabled, "{headline:?}");
    // Nobody is signed in yet.
    tray.wait_for_icon("attention").await?;

    tray.click("Stop").await?;
    tray.wait_for("Start", can_be_clicked("Start")).await?;
    assert!(!is_healthy(home.port).await);
    tray.wait_for_icon("off").await?;
    let entries = tray.entries().await?;
    let enabled = |label: &str| entries.iter().find(|entry| entry.label == label).unwrap().enabled;
    assert!(!enabled("Stop") && !enabled("Copy address"), "{entries:#?}");

    tray.click("Start").await?;
    tray.wait_for("Stop", can_be_clicked("Stop")).await?;
    assert!(is_healthy(home.port).await);

    tray.click("Quit").await?;
    assert_eq!(app.ended().await?.code(), Some(0));
    assert!(!is_healthy(home.port).await);
    Ok(())
}

#[tokio::test]
async fn the_address_is_copied_to_the_clipboard() -> Result<()> {
    let mut tray = TrayHost::start().await?;
    let home = Home::new()?;
    let mut app = home.launch(&["--hidden"])?;
    tray.click("Copy address").await?;
    let mut clipboard = arboard::Clipboard::new()?;
    let address = format!("http://127.0.0.1:{}", home.port);
    until("the address is on the clipboard", async || clipboard.get_text().ok().filter(|text| *text == address))
        .await?;
    tray.click("Quit").await?;
    assert_eq!(app.ended().await?.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn start_at_login_writes_the_entry_and_takes_it_away() -> Result<()> {
    let mut tray = TrayHost::start().await?;
    let home = Home::new()?;
    let mut app = home.launch(&["--hidden"])?;
    let is = |on: bool| move |entry: &Entry| entry.label == "Start at login" && entry.checked == Some(on);

    tray.wait_for("an empty mark", is(false)).await?;
    assert_eq!(home.autostart_entries(), Vec::<PathBuf>::new());

    tray.click("Start at login").await?;
    tray.wait_for("a mark", is(true)).await?;
    let entry = until("an autostart entry", async || home.autostart_entries().pop()).await?;
    let program = format!("Exec={}", app_binary().display());
    let starts_hidden = async || {
        let text = std::fs::read_to_string(&entry).unwrap_or_default();
        text.lines().any(|line| line.starts_with(&program) && line.contains("--hidden")).then_some(())
    };
    until("the entry starts this program hidden", starts_hidden).await?;

    tray.click("Start at login").await?;
    tray.wait_for("no mark", is(false)).await?;
    until("no autostart entry", async || home.autostart_entries().is_empty().then_some(())).await?;

    tray.click("Quit").await?;
    assert_eq!(app.ended().await?.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn a_second_launch_shows_the_window_of_the_first_and_ends() -> Result<()> {
    let mut tray = TrayHost::start().await?;
    let home = Home::new()?;
    let mut first = home.launch(&["--hidden"])?;
    tray.wait_for("Stop", can_be_clicked("Stop")).await?;

    let mut second = home.launch(&[])?;
    assert_eq!(second.ended().await?.code(), Some(0));
    let windows = visible_windows(first.pid()?, "after the second launch").await?;
    assert_eq!(windows.len(), 1, "{windows:?}");

    // Closing the window leaves the app in the tray, from where it comes back.
    close_window(windows[0])?;
    window_is_gone(windows[0]).await?;
    assert!(is_healthy(home.port).await);
    tray.click("Open Kiro Proxy").await?;
    let windows = visible_windows(first.pid()?, "after Open").await?;
    assert_eq!(windows.len(), 1, "{windows:?}");

    // A third launch finds that window.
    assert_eq!(home.launch(&[])?.ended().await?.code(), Some(0));
    assert_eq!(visible_windows(first.pid()?, "after the third launch").await?, windows);
    assert!(is_healthy(home.port).await);

    tray.click("Quit").await?;
    assert_eq!(first.ended().await?.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn a_signal_ends_the_app_properly() -> Result<()> {
    let mut tray = TrayHost::start().await?;
    let home = Home::new()?;
    let mut app = home.launch(&["--hidden"])?;
    tray.wait_for("Stop", can_be_clicked("Stop")).await?;
    app.terminate()?;
    assert_eq!(app.ended().await?.code(), Some(0));
    assert!(!is_healthy(home.port).await);
    Ok(())
}

#[tokio::test]
async fn without_a_session_bus_the_app_still_serves() -> Result<()> {
    let home = Home::new()?;
    // No bus means no keychain either, so the secrets go to the vault.
    let key = "p3Xq0v7mYkT1c9ZsJfW4uBhLr8NdEa2GiOy6KxRtVwM=";
    let no_bus = [("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus"), ("KIRO_PROXY_VAULT_KEY", key)];
    let mut app = home.launch_with(&["--hidden"], &no_bus)?;
    until("the gateway answers", async || is_healthy(home.port).await.then_some(())).await?;
    app.terminate()?;
    assert_eq!(app.ended().await?.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn without_a_screen_the_app_says_what_to_use_instead() -> Result<()> {
    let home = Home::new()?;
    let refused = home.command(app_binary()).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output();
    let refused = tokio::time::timeout(Duration::from_secs(20), refused).await??;
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr)?.contains("kiro-proxy serve"));
    Ok(())
}

#[tokio::test]
async fn the_tray_says_who_answers_and_changes_it() -> Result<()> {
    let mut tray = TrayHost::start().await?;
    let home = Home::new()?;
    let mut app = home.launch(&["--hidden"])?;
    let admin = Admin::of(&home).await?;
    let in_menu = |entry: &Entry| entry.parent.as_deref() == Some("Accounts");
    tray.wait_for("no account yet", |entry| entry.label == "Accounts" && !entry.enabled).await?;

    let demo = admin.post("/api/accounts/demo", json!({})).await?;
    let label = demo["label"].as_str().context("a label")?.to_owned();
    let is_demo = |chosen: bool| {
        let label = label.clone();
        move |entry: &Entry| in_menu(entry) && entry.label.contains(&label) && entry.checked == Some(chosen)
    };
    let shown = tray.wait_for("the account, not chosen", is_demo(false)).await?;
    tray.wait_for("automatic is chosen", |entry| {
        in_menu(entry) && entry.label == "Automatic" && entry.checked == Some(true)
    })
    .await?;

    // A click turns the mark of its own line at once; what counts is what is saved, and the mark of the other line.
    let only = async |wanted: &Value| {
        until("the choice is saved", async || {
            admin.get("/api/accounts").await.ok().filter(|accounts| accounts["only"] == *wanted)
        })
        .await
    };
    let automatic = |chosen: bool| {
        move |entry: &Entry| in_menu(entry) && entry.label == "Automatic" && entry.checked == Some(chosen)
    };
    tray.click_on(&shown).await?;
    only(&demo["id"]).await?;
    tray.wait_for("automatic is not chosen", automatic(false)).await?;
    tray.wait_for("the account is chosen", is_demo(true)).await?;
    let entries = tray.entries().await?;
    let chosen = entries.iter().filter(|entry| in_menu(entry) && entry.checked == Some(true)).count();
    assert_eq!(chosen, 1, "{entries:#?}");

    tray.click("Automatic").await?;
    only(&Value::Null).await?;
    tray.wait_for("the account is not chosen", is_demo(false)).await?;
    tray.wait_for("automatic is chosen", automatic(true)).await?;

    let path = format!("/api/accounts/{}", demo["id"].as_str().context("an id")?);
    admin.call(reqwest::Method::DELETE, &path, None).await?;
    tray.wait_for("no account again", |entry| entry.label == "Accounts" && !entry.enabled).await?;
    assert!(!tray.entries().await?.iter().any(|entry| entry.label.contains(&label)));

    tray.click("Quit").await?;
    assert_eq!(app.ended().await?.code(), Some(0));
    Ok(())
}
