//! Child processes and what the kernel knows about them.

#![expect(clippy::disallowed_methods, reason = "a load program measures wall time")]

use anyhow::{Context as _, Result, bail};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A running target.
pub(crate) struct Process {
    child: Child,
    /// The address it printed, `http://127.0.0.1:port`.
    pub(crate) url: String,
}

impl Process {
    /// Starts a program and waits for the line that names its address.
    pub(crate) async fn start(program: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).stdout(Stdio::piped()).stdin(Stdio::null()).kill_on_drop(true);
        command.envs(env.iter().copied());
        let mut child = command.spawn().with_context(|| format!("start {}", program.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let url = tokio::time::timeout(Duration::from_secs(30), async {
            while let Some(line) = lines.next_line().await? {
                if let Some(word) = line.split_whitespace().find(|word| word.contains("http://127.0.0.1:")) {
                    let from = word.find("http://").unwrap_or(0);
                    let word = &word[from..];
                    return Ok(word.trim_end_matches(['.', ',', ')', '"', '/']).to_owned());
                }
            }
            bail!("{} ended without naming its address", program.display())
        })
        .await
        .context("no address in time")??;
        // Keep the pipe drained, or the child would block on a full one.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, url })
    }

    /// CPU seconds used so far, user and system together (proc(5), fields 14 and 15 of stat, at 100 ticks a second).
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()?))?;
        let after_name = stat.rsplit_once(')').context("stat has no name")?.1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        Ok(ticks / 100.0)
    }

    /// Peak resident memory in MiB.
    pub(crate) fn peak_mebibytes(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("no VmHWM")?;
        let kibibytes: f64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
        Ok(kibibytes / 1024.0)
    }

    fn pid(&self) -> Result<u32> {
        self.child.id().context("the process has ended")
    }
}
