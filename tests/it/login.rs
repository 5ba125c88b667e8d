//! What the tests of signing in share: begin, wait for the end, play the browser.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Plan, World};

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
