//! The app's window, driven through WebKitWebDriver.

use crate::app::signal;
use crate::bus::{SINGLE_INSTANCE, name_is_free, owner_of};
use crate::{Home, PATIENCE, app_binary, free_port, until};
use anyhow::{Context as _, Result};
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::process::Child;

/// An app with an open window.
pub struct Window {
    client: Client,
    driver: Child,
    app: u32,
}

impl Drop for Window {
    /// The app outlives the driver that started it, and the next test's app would find it running.
    fn drop(&mut self) {
        signal("KILL", self.app);
    }
}

impl Window {
    /// Starts the app in `home` and takes hold of its window.
    pub async fn open(home: &Home) -> Result<Self> {
        Self::open_with(home, &[]).await
    }

    /// The same with more environment variables.
    pub async fn open_with(home: &Home, environment: &[(&str, &str)]) -> Result<Self> {
        // A test that failed may have left an app that is about to end.
        name_is_free(SINGLE_INSTANCE).await?;
        let port = free_port()?;
        let driver = home
            .command("WebKitWebDriver")
            .args([format!("--port={port}"), "--host=127.0.0.1".to_owned()])
            // Without it the webview refuses to be driven, and the session is never created.
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .envs(environment.iter().copied())
            .spawn()
            .context("start WebKitWebDriver (Debian: webkit2gtk-driver)")?;
        until("WebKitWebDriver listens", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok())
            .await?;
        let capabilities = json!({
            "webkitgtk:browserOptions": { "binary": app_binary(), "args": [] },
            "timeouts": { "script": PATIENCE.as_millis() },
        });
        let session = async {
            ClientBuilder::new(HttpConnector::new())
                .capabilities(capabilities.as_object().cloned().unwrap_or_default())
                .connect(&format!("http://127.0.0.1:{port}"))
                .await
        };
        let client = tokio::time::timeout(PATIENCE, session).await.context("the app opens no window")??;
        Ok(Self { client, driver, app: owner_of(SINGLE_INSTANCE).await? })
    }

    /// Ends the app properly and waits until it is gone.
    pub async fn close(mut self) -> Result<()> {
        signal("TERM", self.app);
        name_is_free(SINGLE_INSTANCE).await?;
        Ok(self.driver.kill().await?)
    }

    /// Waits until the JavaScript expression is true; looks again at every change of the page.
    pub async fn wait(&self, what: &str, expression: &str) -> Result<()> {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             const holds = () => {{ try {{ return Boolean({expression}); }} catch {{ return false; }} }};
             const observer = new MutationObserver(() => look());
             const look = () => {{ if (holds()) {{ observer.disconnect(); done(true); }} }};
             observer.observe(document, {{ subtree: true, childList: true, attributes: true, characterData: true }});
             for (const name of ['input', 'change', 'load']) document.addEventListener(name, () => look(), true);
             look();"
        );
        match self.client.execute_async(&script, vec![]).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let page = self.run("return document.documentElement.outerHTML").await.unwrap_or_default();
                anyhow::bail!(
                    "never true in the window: {what} ({error}). The page: {}",
                    page.as_str().unwrap_or_default()
                )
            }
        }
    }

    /// The element with this `data-testid`, once it is there.
    pub async fn find(&self, id: &str) -> Result<Element> {
        self.wait(id, &format!("document.querySelector('[data-testid=\"{id}\"]')")).await?;
        Ok(self.client.find(Locator::Css(&format!("[data-testid=\"{id}\"]"))).await?)
    }

    /// Clicks on it, once it is there and can be clicked.
    pub async fn click(&self, id: &str) -> Result<()> {
        let selector = format!("document.querySelector('[data-testid=\"{id}\"]:not([disabled])')");
        self.wait(&format!("{id} can be clicked"), &selector).await?;
        Ok(self.find(id).await?.click().await?)
    }

    /// Its text.
    pub async fn text(&self, id: &str) -> Result<String> {
        Ok(self.find(id).await?.prop("textContent").await?.unwrap_or_default().trim().to_owned())
    }

    /// Types into it.
    pub async fn type_into(&self, id: &str, text: &str) -> Result<()> {
        let field = self.find(id).await?;
        field.clear().await?;
        Ok(field.send_keys(text).await?)
    }

    /// Chooses `value` in a list.
    pub async fn choose(&self, id: &str, value: &str) -> Result<()> {
        Ok(self.find(id).await?.select_by_value(value).await?)
    }

    /// The value of a field.
    pub async fn value(&self, id: &str) -> Result<String> {
        Ok(self.find(id).await?.prop("value").await?.unwrap_or_default())
    }

    /// Runs a script in the page.
    pub async fn run(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute(script, vec![]).await?)
    }

    /// Runs a script that calls its last argument when it is done.
    pub async fn run_async(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute_async(script, vec![]).await?)
    }

    /// The address of the page.
    pub async fn url(&self) -> Result<String> {
        Ok(self.client.current_url().await?.to_string())
    }

    /// A picture of the page as it is now: taken after the frame that shows the last change.
    pub async fn screenshot(&self) -> Result<Vec<u8>> {
        self.run_async(
            "const done = arguments[arguments.length - 1];
             requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(() => done(true))));",
        )
        .await?;
        Ok(self.client.screenshot().await?)
    }
}
