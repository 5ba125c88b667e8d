//! `kiro-proxy`: the headless gateway and its command line. A thin face: it parses, calls the admin API and prints.
//! The environment is read here, once.

mod admin_client;
mod args;
mod command;
mod demo;
mod exit;
mod hidden;
mod passphrase;
mod place;
mod print;
mod signal;
mod words;

use std::process::ExitCode;
use std::time::Duration;

use clap::FromArgMatches as _;
use kiro_gateway::protect;

use args::{Cli, Command};
use exit::{Exit, Trouble};
use print::Output;
use words::say;

fn main() -> ExitCode {
    kiro_gateway::tell_faults_by_place();
    let key = match protect::take_key(raw_variable(protect::KEY).as_deref(), raw_variable(protect::HANDED).as_deref()) {
        Ok(key) => key,
        Err(error) => {
            return failed("environment", &say!("the vault's key cannot be taken out of the environment: {}", error));
        }
    };
    if let Err(error) = protect::no_dumps() {
        // Some sandboxes forbid it; they are no reason not to serve.
        print::error_line(&say!("warning: memory dumps of this program cannot be switched off: {}", error));
    }
    let environment = move |name: &str| if name == protect::KEY { key.clone() } else { variable(name) };
    let typed = args::spoken::command().get_matches_from(args::expand_bare_port(std::env::args_os().collect()));
    let cli = Cli::from_arg_matches(&typed).unwrap_or_else(|error| error.exit());
    // The one TLS provider of this program; a second one would make the choice ambiguous and panic at the first connection.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return ExitCode::from(Exit::Failure as u8);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed("runtime", &say!("cannot start: {}", error)),
    };
    let output = output(&cli.command);
    let exit = runtime.block_on(run(cli, &environment)).unwrap_or_else(|trouble| {
        trouble.print(output);
        trouble.exit
    });
    // A prompt that nobody answered still blocks a thread; it must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(200));
    ExitCode::from(exit as u8)
}

fn failed(code: &str, what: &str) -> ExitCode {
    print::error_line(&say!("error[{}]: {}", code, what));
    ExitCode::from(Exit::Failure as u8)
}

#[expect(clippy::disallowed_methods, reason = "the edge where the environment is read, once, and handed in")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[expect(clippy::disallowed_methods, reason = "the same edge, before anything else runs")]
fn raw_variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

async fn run(cli: Cli, environment: place::Env<'_>) -> Result<Exit, Trouble> {
    let options = || place::options(&cli.place, environment);
    match &cli.command {
        Command::Serve(serve) => {
            let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
            kiro_gateway::check_environment(names).map_err(|error| place::open_trouble(&error))?;
            command::serve::run(options()?, serve).await
        }
        Command::Login(login) => {
            let client = admin_client::AdminClient::open(options()?).await?;
            let result = command::login::run(&client, login).await;
            client.close().await;
            result
        }
        Command::Accounts { command } => {
            let client = admin_client::AdminClient::open(options()?).await?;
            let result = command::accounts::run(&client, command).await;
            client.close().await;
            result
        }
        Command::Keys { command } => {
            let client = admin_client::AdminClient::open(options()?).await?;
            let result = command::keys::run(&client, command).await;
            client.close().await;
            result
        }
        Command::Models { command } => {
            let client = admin_client::AdminClient::open(options()?).await?;
            let result = command::models::run(&client, command).await;
            client.close().await;
            result
        }
        Command::Proxy { command } => {
            let client = admin_client::AdminClient::open(options()?).await?;
            let result = command::proxy::run(&client, command).await;
            client.close().await;
            result
        }
        Command::Flows { command } => {
            let client = admin_client::AdminClient::open(options()?).await?;
            let result = command::flows::run(&client, command).await;
            client.close().await;
            result
        }
        Command::Settings { command } => {
            let client = admin_client::AdminClient::open(options()?).await?;
            let result = command::settings::run(&client, command).await;
            client.close().await;
            result
        }
        Command::Vault { command } => command::vault::run(options()?, command).await,
        Command::Speedtest(wish) => {
            let client = admin_client::AdminClient::open(options()?).await?;
            let result = command::speedtest::run(&client, wish).await;
            client.close().await;
            result
        }
        Command::Usage(wish) => {
            let client = admin_client::AdminClient::open(options()?).await?;
            let result = command::usage::run(&client, wish).await;
            client.close().await;
            result
        }
        Command::Status(json) => command::status::run(&options()?, Output::json_when(json.json)).await,
        Command::Simulate(simulate) => command::simulate::run(simulate).await,
    }
}

fn output(command: &Command) -> Output {
    match command {
        Command::Accounts { command } => command::accounts::output(command),
        Command::Keys { command } => command::keys::output(command),
        Command::Models { command } => command::models::output(command),
        Command::Proxy { command } => command::proxy::output(command),
        Command::Flows { command } => command::flows::output(command),
        Command::Settings { command } => command::settings::output(command),
        Command::Vault { command } => command::vault::output(command),
        Command::Login(login) => Output::json_when(login.json.json),
        Command::Speedtest(wish) => Output::json_when(wish.json.json),
        Command::Usage(wish) => Output::json_when(wish.json.json),
        Command::Status(json) => Output::json_when(json.json),
        Command::Serve(_) | Command::Simulate(_) => Output::Text,
    }
}
