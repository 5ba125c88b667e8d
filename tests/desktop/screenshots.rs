//! Walks through the window in both themes and both languages and keeps a picture of every page.
//!   screenshots FOLDER
#![expect(clippy::disallowed_methods, reason = "a program that writes pictures for a person")]

use anyhow::{Context as _, Result};
use kiro_desktop_tests::{Admin, Home, Window};
use kiro_simulator::{AccountSeed, Config, Family, Simulator};
use serde_json::json;
use std::path::{Path, PathBuf};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).context("usage: screenshots FOLDER")?);
    for language in ["en", "zh-CN"] {
        for theme in ["light", "dark"] {
            walk(&folder, language, theme).await.with_context(|| format!("{language} {theme}"))?;
            accounts(&folder, language, theme).await.with_context(|| format!("accounts, {language} {theme}"))?;
        }
    }
    Ok(())
}

async fn walk(folder: &Path, language: &str, theme: &str) -> Result<()> {
    let home = Home::new()?;
    let window = Window::open(&home).await?;
    let keep = async |page: &str| -> Result<()> {
        let file = folder.join(format!("{page}-{language}-{theme}.png"));
        Ok(std::fs::write(file, window.screenshot().await?)?)
    };
    window.click("nav-settings").await?;
    window.choose("setting-theme", theme).await?;
    window.wait("the theme", &format!("document.documentElement.dataset.theme === '{theme}'")).await?;
    window.choose("setting-language", language).await?;
    window.wait("the language", &format!("document.documentElement.lang === '{language}'")).await?;

    window.click("nav-home").await?;
    window.find("first-run").await?;
    keep("1-first-run").await?;

    window.click("add-demo").await?;
    window.find("simulated-badge").await?;
    window.type_into("question", "SAY: Hello! This answer comes word by word.").await?;
    window.click("ask").await?;
    let whole = "document.querySelector('[data-testid=answer]').textContent.includes('word by word')";
    window.wait("the answer", whole).await?;
    window.find("receipt").await?;
    keep("2-home").await?;

    window.click("nav-accounts").await?;
    window.find("account-row").await?;
    keep("3-accounts").await?;

    window.click("nav-settings").await?;
    window.find("setting-port").await?;
    keep("4-settings").await?;

    window.click("nav-home").await?;
    window.click("stop").await?;
    window.find("start").await?;
    keep("5-stopped").await?;
    window.close().await
}

/// The accounts page with several accounts in different conditions, and what lies over the window.
async fn accounts(folder: &Path, language: &str, theme: &str) -> Result<()> {
    let seeds = [
        ("alice", Family::Social, "2099-01-01T00:00:00.000Z"),
        ("research", Family::BuilderId, "2099-01-01T00:00:00.000Z"),
        ("gone", Family::Social, "2026-01-01T00:00:00.000Z"),
    ]
    .map(|(id, family, ends)| (AccountSeed::new(id, family), ends));
    let config = Config { accounts: seeds.iter().map(|(seed, _)| seed.clone()).collect(), ..Config::default() };
    let simulator = Simulator::start(config).await?;
    simulator.control().kill_refresh_tokens("gone");
    let home = Home::new()?;
    let window = Window::open_with(&home, &[("KIRO_PROXY_ENDPOINTS", &simulator.url())]).await?;
    let admin = Admin::of(&home).await?;
    for (seed, ends) in &seeds {
        let method = if seed.family == Family::Social { "social" } else { "idc" };
        let record = json!({
            "authMethod": method, "email": seed.email, "accessToken": seed.access_token, "refreshToken": seed.refresh_token,
            "expiresAt": ends, "region": seed.oidc_region, "profileArn": seed.profile_arn, "clientId": seed.client_id,
            "clientSecret": seed.client_secret,
        });
        admin.post("/api/accounts/import", json!({ "content": record.to_string() })).await?;
    }
    let list = admin.get("/api/accounts").await?;
    let id = |at: usize| list["accounts"][at]["id"].as_str().unwrap_or_default().to_owned();
    for at in [0, 1] {
        admin.get(&format!("/api/accounts/{}/usage?fresh=true", id(at))).await?;
    }
    // Its token is refused: it waits for a new sign-in from here on.
    let refused = admin.post(&format!("/api/accounts/{}/refresh", id(2)), json!({})).await;
    drop(refused);
    let keep = async |page: &str| -> Result<()> {
        let file = folder.join(format!("{page}-{language}-{theme}.png"));
        Ok(std::fs::write(file, window.screenshot().await?)?)
    };
    window.click("nav-settings").await?;
    window.choose("setting-theme", theme).await?;
    window.choose("setting-language", language).await?;
    window.wait("the language", &format!("document.documentElement.lang === '{language}'")).await?;
    window.run("document.querySelector('[data-testid=vault]').scrollIntoView()").await?;
    window.find("vault-move-open").await?;
    window.click("vault-move-open").await?;
    keep("6-secrets").await?;

    window.click("nav-accounts").await?;
    window.find("account-row").await?;
    keep("7-cards").await?;
    window.click("look-table").await?;
    window.find("account-table").await?;
    keep("8-table").await?;
    window.click("account-details").await?;
    window.find("details").await?;
    keep("9-details").await?;
    window.click("close-details").await?;
    window.click("add-account").await?;
    window.click("way-signIn").await?;
    window.click("kind-remote").await?;
    // The label around it is what a person sees of it.
    window.run("document.querySelector('[data-testid=reach-network]').click()").await?;
    window.find("remote-address").await?;
    keep("10-remote-link").await?;
    window.click("close-add").await?;
    window.click("remedy").await?;
    window.find("renews").await?;
    keep("14-sign-in-again").await?;
    window.click("close-add").await?;
    window.click("look-cards").await?;
    window.click("remove-account").await?;
    window.click("confirm-remove").await?;
    window.find("undo-removal").await?;
    keep("11-undo").await?;
    window.click("undo-removal").await?;
    window.click("open-keys").await?;
    window.find("keys-help").await?;
    keep("12-keys").await?;
    window.click("keys-close").await?;
    window.click("open-commands").await?;
    window.find("command").await?;
    keep("13-commands").await?;
    window.close().await
}
