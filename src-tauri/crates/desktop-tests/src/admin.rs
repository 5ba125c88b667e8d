//! The admin API of a running gateway, through its owner-only socket.

use crate::{Home, until};
use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::Value;

/// A client of the gateway that runs in a home.
#[derive(Clone)]
pub struct Admin {
    client: reqwest::Client,
}

impl Admin {
    /// Waits until the gateway in `home` has opened its socket.
    pub async fn of(home: &Home) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let socket = home.data_dir().join("run/admin.sock");
        let admin = Self { client: reqwest::Client::builder().unix_socket(socket).build()? };
        until("the admin API answers", async || admin.get("/api/status").await.ok()).await?;
        Ok(admin)
    }

    /// One call that has to succeed. No content is `null`.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let mut request = self.client.request(method, format!("http://localhost{path}"));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status} {text}");
        if text.is_empty() { Ok(Value::Null) } else { serde_json::from_str(&text).context("JSON") }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, None).await
    }

    /// `POST`.
    pub async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Begins a sign-in and waits until its page or code is there.
    pub async fn begin_login(&self, wish: Value) -> Result<Login> {
        let begun = self.post("/api/logins", wish).await?;
        let id = begun["id"].as_str().context("an id")?.to_owned();
        let login = Login { admin: self.clone(), id };
        until("the page of the sign-in is known", async || {
            let view = login.view().await.ok()?;
            (view["url"].is_string() || view["state"] != "waiting").then_some(())
        })
        .await?;
        Ok(login)
    }
}

/// One sign-in.
pub struct Login {
    admin: Admin,
    /// Its id.
    pub id: String,
}

impl Login {
    /// As it stands.
    pub async fn view(&self) -> Result<Value> {
        self.admin.get(&format!("/api/logins/{}", self.id)).await
    }

    /// The page for the person.
    pub async fn page(&self) -> Result<String> {
        let view = self.view().await?;
        Ok(view["url"].as_str().with_context(|| format!("a page: {view}"))?.to_owned())
    }

    /// Where it stands, such as `waiting`.
    pub async fn state(&self) -> Result<String> {
        Ok(self.view().await?["state"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits until it has ended, and answers how.
    pub async fn ended(&self) -> Result<Value> {
        until("the sign-in ends", async || {
            let view = self.view().await.ok()?;
            let ended = ["done", "failed", "cancelled", "expired"].iter().any(|state| view["state"] == *state);
            ended.then_some(view)
        })
        .await
    }
}
