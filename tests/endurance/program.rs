//! The real program in a folder of its own, and its admin API over the local door.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use kiro_gateway::LocalDoor;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::harness::PATIENCE;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kiro-proxy");

/// Where a run's randomness comes from: `KIRO_TEST_SEED`, else the clock. Printed, so that a failure can be repeated.
pub fn seed() -> u64 {
    let given = std::env::var("KIRO_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_millis()).unwrap_or_default()
    });
    println!("KIRO_TEST_SEED={seed}");
    seed
}

pub fn rng(seed: u64, lane: usize) -> StdRng {
    StdRng::seed_from_u64(seed.wrapping_add(lane as u64))
}

/// A data directory with its vault key.
pub struct Home {
    dir: TempDir,
    upstream: String,
}

/// A folder in memory where the system has one: what is synced costs no time there.
pub fn in_memory(prefix: &str) -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::with_prefix_in(prefix, memory) } else { TempDir::with_prefix(prefix) }.unwrap()
}

impl Home {
    /// On disk, where a save takes its real time.
    pub fn new(upstream: &str) -> Self {
        Self::within(TempDir::with_prefix("kp-").unwrap(), upstream)
    }

    /// In memory: for tests of order, not of saving.
    pub fn fast(upstream: &str) -> Self {
        Self::within(in_memory("kp-"), upstream)
    }

    fn within(dir: TempDir, upstream: &str) -> Self {
        use base64::Engine as _;
        use std::os::unix::fs::PermissionsExt as _;
        let key: Vec<u8> = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].iter().flat_map(|id| id.into_bytes()).collect();
        let file = dir.path().join("vault.key");
        std::fs::write(&file, base64::engine::general_purpose::STANDARD.encode(key)).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        Self { dir, upstream: upstream.to_owned() }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn key(&self) -> PathBuf {
        self.dir.path().join("vault.key")
    }

    /// Starts the program and waits until it is ready.
    pub async fn serve(&self) -> Program {
        let mut child = Command::new(PROGRAM)
            .args([
                "serve",
                "--port",
                "0",
                "--set",
                "pace.accountPerMinute=0",
                "--log-level",
                "warn",
                "--vault-key-file",
            ])
            .arg(self.key())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.dir.path())
            .env("KIRO_PROXY_DATA_DIR", self.data())
            .env("KIRO_PROXY_ENDPOINTS", &self.upstream)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await.expect("its output") {
                if line == "Ready." {
                    return;
                }
            }
            panic!("the program ended before it was ready");
        };
        tokio::time::timeout(PATIENCE, ready).await.expect("ready in time");
        Program { child, data: self.data() }
    }
}

/// The running program.
pub struct Program {
    child: Child,
    data: PathBuf,
}

impl Program {
    pub async fn admin(&self) -> Admin {
        Admin::connect(&self.data).await.expect("the local door")
    }

    /// SIGKILL, and waits until the process is gone.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }

    /// SIGTERM, and waits until it has stopped by itself.
    pub async fn stop(mut self) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("it runs"), rustix::process::Signal::TERM).expect("told");
        tokio::time::timeout(PATIENCE * 2, self.child.wait()).await.expect("stops in time").expect("ended");
    }
}

/// One connection through the local door.
pub struct Admin(SendRequest<Full<Bytes>>);

impl Admin {
    pub async fn connect(data: &Path) -> io::Result<Self> {
        let door = LocalDoor::find(Some(data)).ok_or(io::ErrorKind::NotFound)?;
        let (stream, _) = door.connect().await?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// One call; an error means that the program is gone.
    pub async fn call(&mut self, method: Method, path: &str, body: Option<Value>) -> io::Result<(StatusCode, Value)> {
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(bytes))
            .map_err(io::Error::other)?;
        self.0.ready().await.map_err(io::Error::other)?;
        let answer = tokio::time::timeout(PATIENCE * 2, self.0.send_request(request)).await;
        let answer = answer.map_err(|_| io::ErrorKind::TimedOut)?.map_err(io::Error::other)?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        let value = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
        Ok((status, value))
    }

    /// One call that must work.
    pub async fn ok(&mut self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, value) = self.call(method, path, body).await.expect("an answer");
        assert!(status.is_success(), "{path}: {status} {value}");
        value
    }
}

/// Waits for real time to pass: the instant of a kill is the input of these tests.
pub async fn after(time: Duration) {
    tokio::time::sleep(time).await;
}
