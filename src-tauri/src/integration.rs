//! The app among the other programs of the desktop: tray clicks, a second launch, signals, start at login.

use crate::demo::InProcessDemo;
use crate::launch::{HIDDEN, Start};
use crate::shell::{Phase, Refusal, Shell};
use crate::tray::tauri::Tray;
use crate::tray::{self, TrayAction};
use crate::window::Change;
use crate::{bridge, window};
use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use kiro_gateway::{AdminEvent, Gateway};
use serde_json::{Value, json};
use std::sync::Arc;
use tauri::{AppHandle, Manager as _, RunEvent, WindowEvent};
use tauri_plugin_autostart::{MacosLauncher, ManagerExt as _};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tower::ServiceExt as _;

/// Runs the app until a person quits it; answers the exit code.
pub(crate) fn run(start: Start) -> tauri::Result<i32> {
    let shell = Arc::new(Shell::new(start.locale.clone()));
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
            if let Some(tray) = Tray::build(app, shell_of(app).menu(), move |action| act(&clicked, action)) {
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
    loop {
        let settings_changed = match events.recv().await {
            Ok(AdminEvent::Settings { .. }) | Err(RecvError::Lagged(_)) => true,
            Ok(AdminEvent::Status { .. } | AdminEvent::Accounts | AdminEvent::Keys | AdminEvent::Flows { .. }) => false,
            Err(RecvError::Closed) => return,
        };
        if settings_changed {
            follow_login_setting(&app, &gateway).await;
        }
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
            (TrayAction::Quit, gateway) => quit(&app, &shell, gateway).await,
            (TrayAction::Start | TrayAction::Stop | TrayAction::CopyAddress | TrayAction::AtLogin, None) => {}
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
        let (_, current) = admin(gateway, Method::GET, None).await;
        let change = json!({ "revision": current["revision"], "patch": { "startup": { "atLogin": wanted } } });
        let (status, answer) = admin(gateway, Method::PATCH, Some(change)).await;
        if status != StatusCode::CONFLICT {
            if !status.is_success() {
                tracing::warn!(%answer, "the setting startup.atLogin cannot be saved");
            }
            return;
        }
    }
}

async fn admin(gateway: &Gateway, method: Method, body: Option<Value>) -> (StatusCode, Value) {
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri("/api/settings")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body));
    let Ok(request) = request else { return (StatusCode::BAD_REQUEST, Value::Null) };
    let answer = match gateway.admin_router().oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    let status = answer.status();
    let body = answer.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    (status, serde_json::from_slice(&body).unwrap_or_default())
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
