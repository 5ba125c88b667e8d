//! The cells of the table and how they are run.

#![expect(clippy::disallowed_methods, reason = "a load program measures wall time and reads its own path")]

use crate::client::{Shot, Timing, Worker};
use crate::process::Process;
use crate::shots::{address, shot};
use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// How much is run.
pub(crate) struct Plan {
    rounds: usize,
    requests: usize,
    cells: Vec<Cell>,
}

/// One block of the table: every target under one load.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Cell {
    /// Connections at a time.
    pub(crate) concurrency: usize,
    /// Request body in KB, roughly.
    pub(crate) body_kilobytes: usize,
    /// Text events per answer.
    pub(crate) events: usize,
}

impl Plan {
    /// The whole table, or a few cells when `quick`.
    pub(crate) fn new(rounds: usize, requests: usize, quick: bool) -> Self {
        let cell = |concurrency, body_kilobytes, events| Cell { concurrency, body_kilobytes, events };
        if quick {
            return Self { rounds: 1, requests: 20, cells: vec![cell(1, 1, 20), cell(16, 100, 20)] };
        }
        let cells = vec![
            cell(1, 1, 20),
            cell(16, 1, 20),
            cell(64, 1, 20),
            cell(256, 1, 20),
            cell(1, 100, 20),
            cell(16, 100, 20),
            cell(1, 600, 20),
            cell(16, 600, 20),
            cell(64, 1, 100),
        ];
        Self { rounds, requests, cells }
    }
}

/// Who answers.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Target {
    /// The stand-in upstream itself.
    Direct,
    /// The plain pass-through in front of it.
    PassThrough,
    /// The gateway in front of it, asked by one of its APIs.
    Gateway(Api),
}

/// The APIs of the gateway.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Api {
    /// Anthropic Messages.
    Anthropic,
    /// OpenAI Chat Completions.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Gemini.
    Gemini,
}

/// Everyone who is measured in a cell, in table order. They alternate within each round.
pub(crate) const TARGETS: [Target; 6] = [
    Target::Direct,
    Target::PassThrough,
    Target::Gateway(Api::Anthropic),
    Target::Gateway(Api::Chat),
    Target::Gateway(Api::Responses),
    Target::Gateway(Api::Gemini),
];

/// Figures of one target in one cell.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    pub(crate) cell: Cell,
    pub(crate) target: Target,
    pub(crate) requests: usize,
    pub(crate) first_event_ms_p50: f64,
    pub(crate) first_event_ms_p99: f64,
    pub(crate) largest_gap_ms_p50: f64,
    pub(crate) total_ms_p50: f64,
    pub(crate) requests_per_second: f64,
    /// CPU seconds of the target's own process per 1,000 requests.
    pub(crate) cpu_seconds_per_thousand: f64,
    pub(crate) peak_mebibytes: f64,
    /// New connections the upstream saw per request; `null` for direct.
    pub(crate) upstream_connections_per_request: Option<f64>,
}

/// Everything that runs.
pub(crate) struct Stage {
    pub(crate) upstream: Process,
    pub(crate) pass_through: Process,
    pub(crate) gateway: Process,
    pub(crate) token: String,
    pub(crate) profile: Option<String>,
    pub(crate) key: String,
}

impl Stage {
    /// The process that a target's requests go to.
    pub(crate) fn process(&self, target: Target) -> &Process {
        match target {
            Target::Direct => &self.upstream,
            Target::PassThrough => &self.pass_through,
            Target::Gateway(_) => &self.gateway,
        }
    }
}

/// Runs every cell, targets interleaved, and returns the figures in table order.
pub(crate) async fn run(gateway: &Path, plan: &Plan) -> Result<Vec<Figures>> {
    let folder = tempfile::tempdir()?;
    let stage = set_up(gateway, folder.path()).await?;
    let mut figures = Vec::new();
    for cell in &plan.cells {
        figures.extend(run_cell(&stage, plan, *cell).await?);
    }
    Ok(figures)
}

async fn set_up(program: &Path, folder: &Path) -> Result<Stage> {
    let upstream = Process::start(program, &["simulate", "--port", "0"], &[]).await?;
    let own = std::env::current_exe()?;
    let authority = upstream.url.trim_start_matches("http://").to_owned();
    let pass_through = Process::start(&own, &["pass-through", &authority], &[]).await?;
    let credentials = get(&authority, "/__sim/credentials").await?;
    let login = folder.join("login.json");
    tokio::fs::write(&login, serde_json::to_vec(&credentials)?).await?;
    let data = folder.join("data");
    let env = [
        ("KIRO_PROXY_ENDPOINTS", upstream.url.as_str()),
        ("KIRO_PROXY_DATA_DIR", data.to_str().context("temporary path")?),
        ("KIRO_PROXY_VAULT_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
    ];
    call(program, &["accounts", "import", login.to_str().context("temporary path")?, "--json"], &env)?;
    let key = call(program, &["keys", "create", "bench", "--json"], &env)?;
    let arguments = ["serve", "--port", "0", "--set", "accounts.concurrency=1024", "--set", "pace.accountPerMinute=0"];
    let gateway = Process::start(program, &arguments, &env).await?;
    Ok(Stage {
        upstream,
        pass_through,
        gateway,
        token: credentials["accessToken"].as_str().context("accessToken")?.to_owned(),
        profile: credentials["profileArn"].as_str().map(str::to_owned),
        key: key["secret"].as_str().context("secret")?.to_owned(),
    })
}

fn call(program: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Result<Value> {
    let output = Command::new(program).args(arguments).envs(env.iter().copied()).output()?;
    if !output.status.success() {
        bail!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

async fn get(authority: &str, path: &str) -> Result<Value> {
    control(authority, http::Method::GET, path, Value::Null).await
}

/// A call to the stand-in's control endpoints.
async fn control(authority: &str, method: http::Method, path: &str, body: Value) -> Result<Value> {
    use http_body_util::{BodyExt as _, Full};
    let stream = tokio::net::TcpStream::connect(authority).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let body = Full::new(Bytes::from(body.to_string()));
    let request = hyper::Request::builder().method(method).uri(path).header("host", authority).body(body)?;
    let body = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
    serde_json::from_slice(&body).with_context(|| format!("{path} is not JSON"))
}

async fn run_cell(stage: &Stage, plan: &Plan, cell: Cell) -> Result<Vec<Figures>> {
    let mut sums: Vec<Sum> = TARGETS.iter().map(|_| Sum::default()).collect();
    let requests = plan.requests.max(cell.concurrency * 4);
    for round in 0..=plan.rounds {
        for (sum, target) in sums.iter_mut().zip(TARGETS) {
            let process = stage.process(target);
            let shot = shot(stage, target, cell);
            // No run ends because the plan's credits do.
            let credits = json!({"account": "demo", "used": 0});
            control(&address(&stage.upstream), http::Method::POST, "/__sim/credits", credits).await?;
            // Round 0 only warms up: caches, pools, the allocator.
            let count = if round == 0 { cell.concurrency * 2 } else { requests };
            let before = (process.cpu_seconds()?, connections(stage).await?);
            let begin = Instant::now();
            let timings = volley(&shot, cell.concurrency, count).await.with_context(|| shot.address.clone())?;
            if round == 0 {
                continue;
            }
            sum.seconds += begin.elapsed().as_secs_f64();
            sum.cpu += process.cpu_seconds()? - before.0;
            // The load program's own connections to the stand-in are not what is asked.
            sum.connections += connections(stage).await?.saturating_sub(before.1).saturating_sub(1);
            sum.peak = process.peak_mebibytes()?;
            sum.timings.extend(timings);
        }
    }
    Ok(sums.into_iter().zip(TARGETS).map(|(sum, target)| sum.figures(cell, target)).collect())
}

/// Connections the stand-in accepted so far.
async fn connections(stage: &Stage) -> Result<u64> {
    let counters = get(&address(&stage.upstream), "/__sim/counters").await?;
    counters["connections"].as_u64().context("connections")
}

async fn volley(shot: &Shot, concurrency: usize, count: usize) -> Result<Vec<Timing>> {
    let left = Arc::new(AtomicUsize::new(count));
    let workers: Vec<_> = (0..concurrency)
        .map(|_| {
            let (shot, left) = (shot.clone(), left.clone());
            tokio::spawn(async move {
                let mut worker = Worker::connect(&shot.address).await?;
                let mut timings = Vec::new();
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    timings.push(worker.fire(&shot).await?);
                }
                anyhow::Ok(timings)
            })
        })
        .collect();
    let mut timings = Vec::with_capacity(count);
    for worker in workers {
        timings.extend(worker.await??);
    }
    Ok(timings)
}

#[derive(Default)]
struct Sum {
    timings: Vec<Timing>,
    seconds: f64,
    cpu: f64,
    connections: u64,
    peak: f64,
}

impl Sum {
    fn figures(self, cell: Cell, target: Target) -> Figures {
        let quantile = |mut values: Vec<f64>, q: f64| {
            values.sort_by(f64::total_cmp);
            values[((values.len() - 1) as f64 * q).round() as usize] * 1000.0
        };
        let requests = self.timings.len();
        let firsts: Vec<f64> = self.timings.iter().map(|timing| timing.first.as_secs_f64()).collect();
        let gaps = self.timings.iter().map(|timing| timing.gap.as_secs_f64()).collect();
        let totals = self.timings.iter().map(|timing| timing.total.as_secs_f64()).collect();
        Figures {
            cell,
            target,
            requests,
            first_event_ms_p50: quantile(firsts.clone(), 0.5),
            first_event_ms_p99: quantile(firsts, 0.99),
            largest_gap_ms_p50: quantile(gaps, 0.5),
            total_ms_p50: quantile(totals, 0.5),
            requests_per_second: requests as f64 / self.seconds,
            cpu_seconds_per_thousand: self.cpu * 1000.0 / requests as f64,
            peak_mebibytes: self.peak,
            upstream_connections_per_request: (target != Target::Direct)
                .then(|| self.connections as f64 / requests as f64),
        }
    }
}
