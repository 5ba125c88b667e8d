//! Walks through the window in both themes and both languages and keeps a picture of every page.
//!   screenshots FOLDER
#![expect(clippy::disallowed_methods, reason = "a program that writes pictures for a person")]

use anyhow::{Context as _, Result};
use kiro_desktop_tests::{Home, Window};
use std::path::{Path, PathBuf};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).context("usage: screenshots FOLDER")?);
    for language in ["en", "zh-CN"] {
        for theme in ["light", "dark"] {
            walk(&folder, language, theme).await.with_context(|| format!("{language} {theme}"))?;
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
