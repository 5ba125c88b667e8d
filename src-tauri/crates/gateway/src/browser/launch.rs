//! Starting a browser: a program and its arguments, detached from us, without a shell.

use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// An opener that fails does so at once; a browser that becomes the first of its kind stays.
const EARLY: Duration = Duration::from_millis(1_500);

/// A program and what comes before the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Launch {
    program: String,
    arguments: Vec<String>,
}

/// Why a program did not start.
#[derive(Debug)]
pub(super) struct LaunchError(pub(super) String);

impl Launch {
    pub(super) fn new(program: &str, arguments: &[&str]) -> Self {
        Self { program: program.to_owned(), arguments: arguments.iter().map(|&text| text.to_owned()).collect() }
    }

    /// From a command that was read, program first; nothing for an empty one.
    #[cfg(any(target_os = "linux", test))]
    pub(super) fn from_words(words: Vec<String>) -> Option<Self> {
        let mut words = words.into_iter();
        Some(Self { program: words.next()?, arguments: words.collect() })
    }

    #[cfg(any(target_os = "linux", test))]
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// With one more argument.
    pub(super) fn with(mut self, argument: Option<&str>) -> Self {
        self.arguments.extend(argument.map(str::to_owned));
        self
    }

    #[cfg(test)]
    pub(super) fn words(&self) -> Vec<&str> {
        std::iter::once(&self.program).chain(&self.arguments).map(String::as_str).collect()
    }

    /// Starts it with the address as its last argument. The program is in a process group of its own and outlives us;
    /// while we live, `tasks` waits for its end so that it leaves no zombie.
    pub(super) async fn start(
        &self,
        address: &str,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<(), LaunchError> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg(address);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // A browser has no business with our settings, the key of the vault least of all.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KIRO_") {
                command.env_remove(name);
            }
        }
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|error| LaunchError(format!("{}: {error}", self.program)))?;
        match tokio::time::timeout(EARLY, child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(LaunchError(format!("{} ended with {status}", self.program))),
            Ok(Err(error)) => Err(LaunchError(error.to_string())),
            Err(_) => {
                let stop = stop.clone();
                tasks.spawn(async move { stop.run_until_cancelled(child.wait()).await });
                Ok(())
            }
        }
    }
}
