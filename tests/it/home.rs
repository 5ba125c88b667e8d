//! The program in a home of its own, as people and scripts run it.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use http::StatusCode;
use kiro_simulator::Family;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::harness::{PATIENCE, ask, client, fresh_login};

const PROGRAM: &str = env!("CARGO_BIN_EXE_kiro-proxy");

/// A folder of its own with a vault key, and nothing of the environment but the path.
pub struct Home {
    pub dir: TempDir,
    pub upstream: Option<String>,
    pub vault: bool,
    /// What the program sees of the environment beside its own names.
    pub environment: Vec<(&'static str, String)>,
}

impl Home {
    pub fn new() -> Self {
        let dir = TempDir::with_prefix("kp-").unwrap();
        let key = dir.path().join("vault.key");
        let bytes: Vec<u8> =
            uuid::Uuid::new_v4().into_bytes().into_iter().chain(uuid::Uuid::new_v4().into_bytes()).collect();
        private(&key, &base64(&bytes));
        Self { dir, upstream: None, vault: true, environment: Vec::new() }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command.env("PATH", "/usr/bin:/bin").env("HOME", self.dir.path()).env("KIRO_PROXY_DATA_DIR", self.data());
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        if self.vault {
            command.arg("--vault-key-file").arg(self.dir.path().join("vault.key"));
        }
        if let Some(upstream) = &self.upstream {
            command.env("KIRO_PROXY_ENDPOINTS", upstream);
        }
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Output {
        finish(self.command(arguments)).await
    }

    pub async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{arguments:?} printed no JSON: {}", text(&output.stdout)))
    }

    pub async fn serve(&self, arguments: &[&str]) -> Serving {
        let mut all = vec!["serve", "--port", "0"];
        all.extend(arguments);
        Serving::start(self.command(&all)).await
    }

    pub fn login(&self, name: &str, family: Family) -> String {
        self.write(&format!("{name}.json"), &fresh_login(name, family))
    }

    /// A file in the folder; answers its path.
    pub fn write(&self, name: &str, content: &Value) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The same home with its traffic sent to a stand-in.
    pub fn upstream(mut self, url: &str) -> Self {
        self.upstream = Some(url.to_owned());
        self
    }
}

pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

pub fn private(path: &Path, content: &str) {
    std::fs::write(path, content).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

pub async fn finish(mut command: Command) -> Output {
    tokio::time::timeout(PATIENCE, command.output()).await.expect("the program ends").expect("the program starts")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A program that said that it is ready.
pub struct Serving {
    pub child: Child,
    pub lines: Lines<BufReader<ChildStdout>>,
    pub said: Vec<String>,
    pub address: String,
}

impl Serving {
    /// Reads until `last` was said, or the program ended.
    pub async fn until(command: &mut Command, last: &str) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said: Vec<String> = Vec::new();
        let reading = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                said.push(line);
                if said.last().is_some_and(|line| line.starts_with(last)) {
                    return true;
                }
            }
            false
        };
        if !tokio::time::timeout(PATIENCE, reading).await.expect("ready in time") {
            let output = child.wait_with_output().await.unwrap();
            panic!("ended early: {said:?} {}", text(&output.stderr));
        }
        let address =
            said.iter().flat_map(|line| line.split_whitespace()).find(|word| word.starts_with("http://127.0.0.1:"));
        Self { address: address.expect("an address").to_owned(), child, lines, said }
    }

    pub async fn start(mut command: Command) -> Self {
        Self::until(&mut command, "Ready.").await
    }

    /// The running process.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    pub fn says(&self, what: &str) -> bool {
        self.said.iter().any(|line| line.contains(what))
    }

    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    #[cfg(unix)]
    pub async fn stop(mut self) -> Option<i32> {
        self.signal(rustix::process::Signal::TERM);
        while let Ok(Some(_)) = self.lines.next_line().await {}
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("stops").unwrap().code()
    }
}

pub async fn question(address: &str, key: &str, text: &str) -> (StatusCode, Value) {
    let request = client().post(format!("{address}/v1/messages")).bearer_auth(key).json(&ask(text));
    let answer = request.send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}
