//! The desktop app: reads the command line and the environment once, then hands over. No decisions live here.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod actions;
mod admin;
mod at_login;
mod bridge;
mod clipboard;
mod demo;
mod integration;
mod launch;
mod notices;
mod save;
mod shell;
mod sign_in;
mod signals;
mod tray;
mod window;
mod words;

use kiro_gateway::protect;
use launch::Launch;
use std::process::ExitCode;

fn main() -> ExitCode {
    kiro_gateway::tell_faults_by_place();
    let key = match protect::take_key(raw(protect::KEY).as_deref(), raw(protect::HANDED).as_deref()) {
        Ok(key) => key,
        Err(error) => return refuse(&format!("the vault's key cannot be taken out of the environment: {error}")),
    };
    if let Err(error) = protect::no_dumps() {
        // Some sandboxes forbid it; they are no reason not to start.
        warn(&format!("memory dumps of this program cannot be switched off: {error}"));
    }
    let environment = move |name: &str| if name == protect::KEY { key.clone() } else { environment(name) };
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    match Launch::read(std::env::args().skip(1), &environment, names) {
        Ok(Launch::Run(start)) => {
            // reqwest is built without a TLS provider of its own: there is one in this process, and it is ring.
            if rustls::crypto::ring::default_provider().install_default().is_err() {
                return refuse("the TLS provider was installed twice");
            }
            match integration::run(*start) {
                Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
                Err(error) => refuse(&format!("the window system cannot be used: {error}")),
            }
        }
        Ok(Launch::Say(text)) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(reason) => refuse(&reason),
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge: the environment is read here and nowhere else")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[expect(clippy::disallowed_methods, reason = "the same edge, before anything else runs")]
fn raw(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

#[expect(clippy::print_stdout, reason = "the answer to --version and --help")]
fn say(text: &str) {
    println!("{text}");
}

fn refuse(reason: &str) -> ExitCode {
    warn(reason);
    ExitCode::from(2)
}

#[expect(clippy::print_stderr, reason = "there is no window to show it in")]
fn warn(reason: &str) {
    eprintln!("kiro-proxy-desktop: {reason}");
}
