//! The program under test, in a home directory of its own.

use crate::{PATIENCE, free_port};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use tokio::process::{Child, Command};

/// The desktop program: `KIRO_PROXY_DESKTOP_BIN`, else the one built beside these tests.
pub fn app_binary() -> PathBuf {
    binary("KIRO_PROXY_DESKTOP_BIN", "kiro-proxy-desktop")
}

/// The command line program: `KIRO_PROXY_BIN`, else the one built beside these tests.
pub fn gateway_binary() -> PathBuf {
    binary("KIRO_PROXY_BIN", "kiro-proxy")
}

fn binary(variable: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    // target/<profile>/deps/<this test>
    let test = std::env::current_exe().unwrap_or_default();
    test.ancestors().nth(2).unwrap_or(Path::new(".")).join(name)
}

/// A person's home directory, with a port that nobody else uses.
pub struct Home {
    dir: tempfile::TempDir,
    /// The gateway's port, for every run in this home.
    pub port: u16,
}

impl Home {
    /// An empty one.
    pub fn new() -> Result<Self> {
        Ok(Self { dir: tempfile::tempdir()?, port: free_port()? })
    }

    /// Where the state of the app is.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A folder of this person's own.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.dir.path().join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Where programs are found.
    pub fn path_variable(&self) -> String {
        std::env::var("PATH").unwrap_or_default()
    }

    /// What the desktop starts at login.
    pub fn autostart_entries(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.dir.path().join(".config/autostart"));
        entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    }

    /// `program` as this person would start it.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let home = self.dir.path();
        let mut command = Command::new(program);
        command
            .env("HOME", home)
            .env("XDG_CONFIG_HOME", home.join(".config"))
            .env("XDG_DATA_HOME", home.join(".local/share"))
            .env("XDG_CACHE_HOME", home.join(".cache"))
            .env("KIRO_PROXY_DATA_DIR", self.data_dir())
            .env("KIRO_PROXY__LISTENER__PORT", self.port.to_string())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Starts the desktop app.
    pub fn launch(&self, arguments: &[&str]) -> Result<App> {
        self.launch_with(arguments, &[])
    }

    /// The same with more environment variables.
    pub fn launch_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Result<App> {
        let mut command = self.command(app_binary());
        command.args(arguments).envs(environment.iter().copied());
        let child = command.spawn().with_context(|| format!("start {}", app_binary().display()))?;
        Ok(App { child })
    }
}

/// The running desktop app.
pub struct App {
    child: Child,
}

impl App {
    /// Its process id.
    pub fn pid(&self) -> Result<u32> {
        self.child.id().context("the app has ended")
    }

    /// Asks it to end, as the system does at shutdown.
    pub fn terminate(&self) -> Result<()> {
        signal("TERM", self.pid()?);
        Ok(())
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        Ok(tokio::time::timeout(PATIENCE, self.child.wait()).await.context("the app does not end")??)
    }
}

/// Sends a signal, such as `TERM`, to a process that may be gone already.
pub(crate) fn signal(signal: &str, pid: u32) {
    let sent = std::process::Command::new("kill")
        .args([&format!("-{signal}"), &pid.to_string()])
        .stderr(Stdio::null())
        .status();
    drop(sent);
}
