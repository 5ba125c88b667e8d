//! The app among the other programs of the desktop: tray clicks, a second launch, signals, start at login.

use crate::demo::InProcessDemo;
use crate::launch::{HIDDEN, Start};
use crate::notices::Notice;
use crate::shell::{Phase, Refusal, Shell};
use crate::tray::accounts::{Accounts, Choice};
use crate::tray::tauri::Tray;
use crate::tray::{self, Click, TrayAction};
use crate::window::Change;
use crate::{admin, bridge, sign_in, window};
use http::{Method, StatusCode};
use kiro_gateway::{AdminEvent, Gateway, NotificationKind};
use serde::Deserialize as _;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tauri::{AppHandle, Manager as _, RunEvent, WindowEvent};
use tauri_plugin_autostart::{MacosLauncher, ManagerExt as _};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// How old the tray's figures may look.
const FRESH: Duration = Duration::from_secs(60);

/// Runs the app until a person quits it; answers the exit code.
pub(crate) fn run(start: Start) -> tauri::Result<i32> {
    let shell = Arc::new(Shell::new(start.locale.clone(), start.options.endpoints.as_ref()));
    let app = tauri::Builder::default()
        // First, as the plugin asks: a second launch ends before it touches anything.
        .plugin(tauri_plugin_single_instance::init(|app, arguments, _| {
            if !arguments.iter().any(|argument| argument == HIDDEN) {
                act(app, TrayAction::Open);
            }
        }))
        .plugin(tauri_plugin_autostart::init(MacosLauncher::LaunchAgent, Some(vec![HIDDEN])))
        .manage(shell)
        .invoke_handler(tauri::generate_handler![bridge::admin_request])
        // Here and not at the window: one that is closed at once is gone before a handler of its own is in place.
        .on_window_event(|window, event| {
            let change = match event {
                WindowEvent::CloseRequested { .. } => Change::Closing,
                WindowEvent::Destroyed => Change::Closed,
                // The library's own enum, with many events that do not concern us.
                _ => return,
            };
            let shell = shell_of(window.app_handle());
            if sign_in::is_ours(window.label()) {
                if change == Change::Closed {
                    shell.sign_ins.closed(window.label());
                }
                return;
            }
            if change == Change::Closed {
                shell.bridge.cancel_all();
            }
            if shell.window.follow(change) {
                act(window.app_handle(), TrayAction::Open);
            }
        })
        .setup(move |app| {
            let app = app.handle();
            let clicked = app.clone();
            if let Some(tray) = Tray::build(app, shell_of(app).menu(), move |click| on_click(&clicked, click)) {
                shell_of(app).has_tray(tray);
            }
            tauri::async_runtime::spawn(quit_on_signal(app.clone()));
            tauri::async_runtime::spawn(live(app.clone(), start));
            Ok(())
        })
        .build(context())?;
    Ok(app.run_return(on_event))
}

#[expect(clippy::disallowed_methods, reason = "inside the library's macro")]
fn context() -> tauri::Context {
    tauri::generate_context!()
}

fn shell_of(app: &AppHandle) -> Arc<Shell> {
    Arc::clone(&app.state::<Arc<Shell>>())
}

fn on_event(app: &AppHandle, event: RunEvent) {
    match event {
        // The last window was closed. The app lives on in the tray; without one nobody could reach it.
        RunEvent::ExitRequested { code: None, api, .. } => {
            api.prevent_exit();
            if !shell_of(app).is_in_tray() {
                act(app, TrayAction::Quit);
            }
        }
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => act(app, TrayAction::Open),
        // The library's own enum, with many events that do not concern us.
        _ => {}
    }
}

/// Opens the gateway, then follows what happens in it.
async fn live(app: AppHandle, start: Start) {
    let shell = shell_of(&app);
    let mut options = start.options;
    options.demo = Some(Arc::new(InProcessDemo::default()));
    let gateway = match Gateway::open(options).await {
        Ok(gateway) => gateway,
        Err(error) => {
            let refusal = Refusal::from(&error);
            report(&refusal);
            shell.phase.send_replace(Phase::Failed(Arc::new(refusal)));
            shell.redraw();
            // Also with `--hidden`: an app that silently does nothing helps nobody.
            act(&app, TrayAction::Open);
            return;
        }
    };
    let events = gateway.events();
    read_accounts(&shell, &gateway).await;
    sign_in::forget_profiles(&gateway);
    let settings = gateway.settings();
    shell.phase.send_replace(Phase::Open(gateway.clone()));
    shell.redraw();
    if !start.hidden && !settings.startup.hidden {
        act(&app, TrayAction::Open);
    }
    if settings.startup.start_gateway {
        listen(&gateway, true).await;
    }
    follow_login_setting(&app, &gateway).await;
    shell.redraw();
    follow(app, gateway, events).await;
}

#[expect(clippy::print_stderr, reason = "the log file could not be opened either")]
fn report(refusal: &Refusal) {
    eprintln!("kiro-proxy-desktop: {}. What to do: {}", refusal.message, refusal.action);
}

async fn follow(app: AppHandle, gateway: Gateway, mut events: broadcast::Receiver<AdminEvent>) {
    let shell = shell_of(&app);
    let mut ageing = tokio::time::interval(FRESH);
    ageing.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            _ = ageing.tick() => Ok(AdminEvent::Accounts),
        };
        match event {
            Ok(AdminEvent::Settings { .. }) => follow_login_setting(&app, &gateway).await,
            Ok(AdminEvent::Accounts) => read_accounts(&shell, &gateway).await,
            Ok(AdminEvent::OpenSignIn { id, url, open }) => {
                if open == "popup" {
                    sign_in::open(&app, &shell, &gateway, &id, &url).await;
                }
            }
            Ok(AdminEvent::Logins { id }) => sign_in::settle(&app, &shell, &gateway, &id).await,
            Ok(AdminEvent::Notification { kind, label, percent, .. }) => {
                notify(&app, &shell, kind, label.as_deref(), percent);
            }
            Ok(AdminEvent::Status { .. } | AdminEvent::Keys | AdminEvent::Flows { .. }) => {}
            // Some events were missed: whatever they told is looked up.
            Err(RecvError::Lagged(_)) => {
                follow_login_setting(&app, &gateway).await;
                read_accounts(&shell, &gateway).await;
            }
            Err(RecvError::Closed) => return,
        }
        shell.redraw();
    }
}

/// Shows what the gateway wants a person to know; a click opens the window.
fn notify(app: &AppHandle, shell: &Shell, kind: NotificationKind, label: Option<&str>, percent: Option<u8>) {
    let name = serde_json::to_value(kind).unwrap_or_default();
    let name = name.as_str().unwrap_or_default();
    match Notice::told(name, label.unwrap_or_default(), percent, &shell.words()) {
        Some(notice) => {
            let app = app.clone();
            notice.show(move || act(&app, TrayAction::Open));
        }
        None => tracing::error!(name, "a notification has no words"),
    }
}

/// Looks up the accounts for the tray.
async fn read_accounts(shell: &Shell, gateway: &Gateway) {
    let (status, answer) = admin::call(gateway, Method::GET, "/api/accounts", None).await;
    match Accounts::deserialize(&answer) {
        Ok(accounts) => shell.has_accounts(accounts),
        Err(error) => tracing::error!(%error, %status, "the accounts cannot be shown in the tray"),
    }
}

fn on_click(app: &AppHandle, click: Click) {
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

async fn listen(gateway: &Gateway, listening: bool) {
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

/// Turns the setting round, the way the window does.
async fn toggle_login_setting(gateway: &Gateway) {
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
async fn follow_login_setting(app: &AppHandle, gateway: &Gateway) {
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

/// A signal ends a program without a word to the window library, so it is turned into a proper end here.
#[cfg(unix)]
async fn quit_on_signal(app: AppHandle) {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = signals else {
        tracing::warn!("signals cannot be received; use the tray to quit");
        return;
    };
    loop {
        let received = tokio::select! {
            received = terminate.recv() => received,
            received = interrupt.recv() => received,
            received = hangup.recv() => received,
        };
        if received.is_none() {
            return;
        }
        act(&app, TrayAction::Quit);
    }
}

#[cfg(not(unix))]
async fn quit_on_signal(_app: AppHandle) {}
