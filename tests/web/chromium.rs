//! A real Chromium without a screen, driven through chromedriver.

use anyhow::{Context as _, Result};
use fantoccini::error::{CmdError, ErrorStatus};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use kiro_desktop_tests::{Login, PATIENCE, free_port, until};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// The button that leads on, on every page of the stand-in: who signs the person in, then "allow".
fn button(login: &Value) -> String {
    let provider = match login["kind"].as_str() {
        Some("github") => "github",
        Some("microsoft") => "external_idp",
        _ => "google",
    };
    format!("button[name=login_option][value={provider}], button[name=answer][value=allow]")
}

/// A browser with a profile of its own.
pub(crate) struct Chromium {
    client: Client,
    driver: Child,
    _profile: tempfile::TempDir,
}

impl Chromium {
    pub(crate) async fn start() -> Result<Self> {
        Self::with(&[]).await
    }

    /// With further arguments.
    pub(crate) async fn with(further: &[&str]) -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let port = free_port()?;
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("start chromedriver (Debian: chromium-driver)")?;
        until("chromedriver listens", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()).await?;
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ];
        let folder = format!("--user-data-dir={}", profile.path().display());
        let arguments: Vec<&str> =
            arguments.into_iter().chain([folder.as_str()]).chain(further.iter().copied()).collect();
        let capabilities = json!({ "browserName": "chrome", "goog:chromeOptions": { "args": arguments } });
        let session = async {
            ClientBuilder::new(HttpConnector::new())
                .capabilities(capabilities.as_object().cloned().unwrap_or_default())
                .connect(&format!("http://127.0.0.1:{port}"))
                .await
        };
        let client = tokio::time::timeout(PATIENCE, session).await.context("Chromium does not start")??;
        Ok(Self { client, driver, _profile: profile })
    }

    pub(crate) async fn goto(&self, page: &str) -> Result<()> {
        Ok(self.client.goto(page).await?)
    }

    /// Where it is now.
    pub(crate) async fn at(&self) -> Result<String> {
        Ok(self.client.current_url().await?.to_string())
    }

    /// Whether the page has such a thing.
    pub(crate) async fn has(&self, css: &str) -> Result<bool> {
        Ok(!self.client.find_all(Locator::Css(css)).await?.is_empty())
    }

    /// Presses a thing as soon as the page has it.
    pub(crate) async fn click(&self, css: &str) -> Result<()> {
        self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await?.click().await?;
        Ok(())
    }

    /// Where a link leads, as soon as the page has it.
    pub(crate) async fn href(&self, css: &str) -> Result<String> {
        let link = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await?;
        link.attr("href").await?.context("a link")
    }

    /// Opens the page of a sign-in and presses the button of every page, until the sign-in has what it waits for.
    pub(crate) async fn click_through(&self, login: &Login) -> Result<()> {
        self.goto(&login.page().await?).await?;
        let button = button(&login.view().await?);
        let moved = until("the sign-in has its answer", async || {
            if login.state().await.ok()? != "waiting" {
                return Some(Ok(()));
            }
            self.press(&button).await.err().map(Err)
        })
        .await;
        match moved {
            Ok(moved) => moved,
            Err(error) => {
                let (url, page) = (self.client.current_url().await?, self.client.source().await?);
                Err(error.context(format!("the browser is at {url}: {page}")))
            }
        }
    }

    /// Presses the page's button, if it has one now.
    async fn press(&self, button: &str) -> Result<()> {
        let pressed = async {
            let button = self.client.find(Locator::Css(button)).await?;
            button.click().await
        };
        match pressed.await {
            Ok(()) => Ok(()),
            // The page is on its way to the next one.
            Err(CmdError::Standard(error))
                if matches!(
                    error.error,
                    ErrorStatus::NoSuchElement
                        | ErrorStatus::StaleElementReference
                        | ErrorStatus::ElementNotInteractable
                        | ErrorStatus::ElementClickIntercepted
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn close(mut self) -> Result<()> {
        self.client.close().await?;
        Ok(self.driver.kill().await?)
    }
}
