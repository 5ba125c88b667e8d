//! What a click in the tray does, and whatever asks for the same.

use crate::at_login::toggle_login_setting;
use crate::shell::Shell;
use crate::tray::accounts::{Accounts, Choice};
use crate::tray::{self, Click, TrayAction};
use crate::{admin, window};
use http::Method;
use kiro_gateway::Gateway;
use serde::Deserialize as _;
use serde_json::json;
use std::sync::Arc;
use tauri::{AppHandle, Manager as _};

/// What all actions act on.
pub(crate) fn shell_of(app: &AppHandle) -> Arc<Shell> {
    Arc::clone(&app.state::<Arc<Shell>>())
}

pub(crate) fn on_click(app: &AppHandle, click: Click) {
    match click {
        Click::Do(action) => act(app, action),
        Click::Use(choice) => {
            let app = app.clone();
            tauri::async_runtime::spawn(async move {
                let shell = shell_of(&app);
                let Some(gateway) = shell.gateway() else { return };
                use_account(&gateway, choice).await;
                read_accounts(&shell, &gateway).await;
                // Also when it was refused: the click turned a mark, and it has to turn back.
                shell.redraw();
            });
        }
    }
}

async fn use_account(gateway: &Gateway, choice: Choice) {
    let account = match choice {
        Choice::Automatic => None,
        Choice::Account(id) => Some(id),
    };
    admin::ask(gateway, Method::PUT, "/api/accounts/only", Some(json!({ "account": account }))).await;
}

/// One account after the other: gentle, and each answer shows at once.
async fn refresh_quota(shell: &Shell, gateway: &Gateway) {
    let accounts = shell.accounts();
    for id in accounts.ids() {
        admin::ask(gateway, Method::GET, &format!("/api/accounts/{id}/usage?fresh=true"), None).await;
        read_accounts(shell, gateway).await;
        shell.redraw();
    }
}

/// Does what was clicked. The tray is redrawn by the event that follows, not by the click.
pub(crate) fn act(app: &AppHandle, action: TrayAction) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let shell = shell_of(&app);
        match (action, shell.gateway()) {
            (TrayAction::Open, _) => open_window(&app, &shell),
            (TrayAction::Start, Some(gateway)) => listen(&gateway, true).await,
            (TrayAction::Stop, Some(gateway)) => listen(&gateway, false).await,
            (TrayAction::CopyAddress, Some(gateway)) => copy_address(&shell, &gateway).await,
            (TrayAction::AtLogin, Some(gateway)) => {
                toggle_login_setting(&gateway).await;
                // The click turned the check mark; when the setting could not be saved it has to turn back.
                shell.redraw();
            }
            (TrayAction::RefreshQuota, Some(gateway)) => refresh_quota(&shell, &gateway).await,
            (TrayAction::Quit, gateway) => quit(&app, &shell, gateway).await,
            (
                TrayAction::Start
                | TrayAction::Stop
                | TrayAction::CopyAddress
                | TrayAction::AtLogin
                | TrayAction::RefreshQuota,
                None,
            ) => {}
        }
    });
}

fn open_window(app: &AppHandle, shell: &Arc<Shell>) {
    if shell.window.open_after_closing() {
        return;
    }
    let left = Arc::clone(shell);
    if let Err(error) = window::show(app, move || left.bridge.cancel_all()) {
        tracing::error!(%error, "the window cannot be opened");
    }
}

pub(crate) async fn listen(gateway: &Gateway, listening: bool) {
    if let Err(problem) = gateway.set_listening(listening).await {
        tracing::warn!(%problem, listening, "the listener did not follow");
    }
}

async fn copy_address(shell: &Shell, gateway: &Gateway) {
    let status = gateway.status();
    let Some(address) = tray::address(&status).map(str::to_owned) else { return };
    let clipboard = Arc::clone(&shell.clipboard);
    let put = tauri::async_runtime::spawn_blocking(move || clipboard.put(&address)).await;
    if let Err(reason) = put.map_err(|error| error.to_string()).flatten() {
        tracing::warn!(reason, "the address cannot be copied");
    }
}

/// Finishes open requests, then ends the app. Asked for a second time, it ends at once.
async fn quit(app: &AppHandle, shell: &Shell, gateway: Option<Gateway>) {
    if shell.begin_quitting() {
        shell.bridge.cancel_all();
        if let Some(gateway) = gateway {
            gateway.stop().await;
        }
    }
    app.exit(0);
}

/// Looks up the accounts for the tray.
pub(crate) async fn read_accounts(shell: &Shell, gateway: &Gateway) {
    let (status, answer) = admin::call(gateway, Method::GET, "/api/accounts", None).await;
    match Accounts::deserialize(&answer) {
        Ok(accounts) => shell.has_accounts(accounts),
        Err(error) => tracing::error!(%error, %status, "the accounts cannot be shown in the tray"),
    }
}
