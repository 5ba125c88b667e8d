//! The app among the other programs of the desktop: a second launch, its windows, and what follows from events of the gateway.

use crate::actions::{act, listen, on_click, read_accounts, shell_of};
use crate::at_login::follow_login_setting;
use crate::demo::InProcessDemo;
use crate::launch::{HIDDEN, Start};
use crate::notices::Notice;
use crate::shell::{Phase, Refusal, Shell};
use crate::signals::quit_on_signal;
use crate::tray::TrayAction;
use crate::tray::tauri::Tray;
use crate::window::Change;
use crate::{bridge, sign_in};
use kiro_gateway::{AdminEvent, Gateway, NotificationKind};
use std::sync::Arc;
use std::time::Duration;
use tauri::{AppHandle, Manager as _, RunEvent, WindowEvent};
use tauri_plugin_autostart::MacosLauncher;
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
