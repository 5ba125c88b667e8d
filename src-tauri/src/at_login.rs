//! Start at login: the setting, and the system's own entry that follows it.

use crate::admin;
use http::{Method, StatusCode};
use kiro_gateway::Gateway;
use serde_json::json;
use tauri::AppHandle;
use tauri_plugin_autostart::ManagerExt as _;

/// Turns the setting round, the way the window does.
pub(crate) async fn toggle_login_setting(gateway: &Gateway) {
    let wanted = !gateway.settings().startup.at_login;
    // Twice, since somebody may save another setting in between.
    for _ in 0..2 {
        let (_, current) = admin::call(gateway, Method::GET, "/api/settings", None).await;
        let change = json!({ "revision": current["revision"], "patch": { "startup": { "atLogin": wanted } } });
        let (status, answer) = admin::call(gateway, Method::PATCH, "/api/settings", Some(change)).await;
        if status != StatusCode::CONFLICT {
            if !status.is_success() {
                tracing::warn!(%answer, "the setting startup.atLogin cannot be saved");
            }
            return;
        }
    }
}

/// Makes the system's autostart entry say what the setting says. A saved "yes" also renews the entry: the program may
/// have moved since it was written.
pub(crate) async fn follow_login_setting(app: &AppHandle, gateway: &Gateway) {
    let wanted = gateway.settings().startup.at_login;
    let app = app.clone();
    let followed = tauri::async_runtime::spawn_blocking(move || {
        let autostart = app.autolaunch();
        match (wanted, autostart.is_enabled()?) {
            (true, _) => autostart.enable(),
            (false, true) => autostart.disable(),
            (false, false) => Ok(()),
        }
    });
    match followed.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, wanted, "the autostart entry cannot be changed"),
        Err(error) => tracing::error!(%error, "the autostart entry cannot be changed"),
    }
}
