//! A whole house in one process: the stand-in upstream, a real gateway on a free port with secrets in memory, and clients.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt as _;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use kiro_gateway::{Gateway, LogChoice, OpenError, Options, Override, OverrideSource, StoreChoice};
use kiro_simulator::{AccountSeed, Config, Control, Family, Simulator};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::ServiceExt as _;

/// Longer than anything here takes; reached only when something is broken.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `condition` holds.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        let mut tick = tokio::time::interval(Duration::from_millis(2));
        while !condition() {
            tick.tick().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "never happened: {what}");
}

/// Waits until a question answers yes.
pub async fn eventually_async(what: &str, mut question: impl AsyncFnMut() -> bool) {
    let waiting = async {
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        while !question().await {
            tick.tick().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "never happened: {what}");
}

/// The TLS provider that the binary installs first; here once per process, whoever comes first.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// What differs from the usual world.
pub struct Plan {
    pub simulator: Config,
    pub settings: Vec<(String, String)>,
    pub accounts: Vec<Value>,
    pub options: Box<dyn FnOnce(&mut Options) + Send>,
    pub listen: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            simulator: Config::default(),
            settings: Vec::new(),
            accounts: vec![fresh_login("social", Family::Social)],
            options: Box::new(|_| {}),
            listen: true,
        }
    }
}

impl Plan {
    pub fn set(mut self, path: &str, value: impl ToString) -> Self {
        self.settings.push((path.to_owned(), value.to_string()));
        self
    }

    pub fn chunk(mut self, bytes: usize) -> Self {
        self.simulator.chunk = Some(bytes);
        self
    }

    pub fn accounts(mut self, accounts: Vec<Value>) -> Self {
        self.accounts = accounts;
        self
    }

    pub fn options(mut self, change: impl FnOnce(&mut Options) + Send + 'static) -> Self {
        self.options = Box::new(change);
        self
    }

    pub async fn start(self) -> World {
        install_tls();
        let dir = TempDir::with_prefix("kp-").expect("a temporary folder");
        let simulator = Simulator::start(self.simulator).await.expect("the stand-in starts");
        let mut options = options(&dir.path().join("data"), &simulator.url());
        options.overrides.extend(self.settings.iter().map(|(path, value)| flag(path, value)));
        (self.options)(&mut options);
        let gateway = Gateway::open(options.clone()).await.expect("the gateway opens");
        let control = simulator.control();
        let mut world = World {
            url: String::new(),
            key: String::new(),
            http: client(),
            _simulator: simulator,
            control,
            gateway,
            options,
            dir,
        };
        for account in &self.accounts {
            world.import(account).await;
        }
        if self.listen {
            world.listen().await;
        }
        world
    }
}

/// Everything running.
pub struct World {
    /// Runs as long as this world.
    _simulator: Simulator,
    pub control: Control,
    pub gateway: Gateway,
    pub options: Options,
    /// Base URL of the client API.
    pub url: String,
    /// The key made at first start.
    pub key: String,
    pub http: reqwest::Client,
    pub dir: TempDir,
}

impl World {
    pub async fn start() -> Self {
        Plan::default().start().await
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Opens the door for clients and learns its address and key.
    pub async fn listen(&mut self) {
        let status = self.gateway.set_listening(true).await.expect("listens");
        self.url = status.addresses.first().expect("an address").clone();
        if self.key.is_empty() {
            self.key = self.first_key().await;
        }
    }

    async fn first_key(&self) -> String {
        let keys = self.admin_ok(Method::GET, "/api/keys", None).await;
        let id = keys["keys"][0]["id"].as_str().expect("a key made at first start").to_owned();
        let revealed = self.admin_ok(Method::POST, &format!("/api/keys/{id}/reveal"), None).await;
        revealed["secret"].as_str().expect("its text").to_owned()
    }

    /// Stops the gateway and opens it again on the same data directory, with the same options but for `change`.
    pub async fn restart(&mut self, change: impl FnOnce(&mut Options)) -> Result<(), OpenError> {
        self.gateway.stop().await;
        change(&mut self.options);
        self.gateway = Gateway::open(self.options.clone()).await?;
        Ok(())
    }

    pub async fn import(&self, account: &Value) -> Value {
        let body = json!({"content": account.to_string()});
        let answer = self.admin_ok(Method::POST, "/api/accounts/import", Some(body)).await;
        assert_eq!(answer["rejected"], json!([]), "an account was refused");
        answer
    }

    /// One admin call; status and JSON (null when there is no body).
    pub async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        admin(&self.gateway, method, path, body).await
    }

    pub async fn admin_ok(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, value) = self.admin(method.clone(), path, body).await;
        assert!(status.is_success(), "{method} {path}: {status} {value}");
        value
    }

    pub fn request(&self, body: &Value) -> reqwest::RequestBuilder {
        self.http
            .post(format!("{}/v1/messages", self.url))
            .header("x-api-key", &self.key)
            .header("anthropic-version", "2023-06-01")
            .json(body)
    }

    /// Non-stream: status and body.
    pub async fn send(&self, body: &Value) -> (StatusCode, Value) {
        let answer = self.request(body).send().await.expect("an answer");
        (answer.status(), answer.json().await.expect("JSON"))
    }

    /// Stream: everything until the connection is done with it.
    pub async fn stream(&self, body: &Value) -> Stream {
        let mut body = body.clone();
        body["stream"] = true.into();
        let answer = self.request(&body).send().await.expect("an answer");
        Stream::read(answer).await
    }

    /// The newest flow records first.
    pub async fn flows(&self) -> Vec<Value> {
        let answer = self.admin_ok(Method::GET, "/api/flows?limit=50", None).await;
        answer["flows"].as_array().expect("a list").clone()
    }

    /// No rule of the upstream was broken.
    pub fn assert_no_violations(&self) {
        let violations = self.control.violations();
        assert!(violations.is_empty(), "the upstream's rules were broken: {violations:#?}");
    }

    /// Chat requests that reached the upstream.
    pub fn upstream_calls(&self) -> usize {
        self.control.journal().iter().filter(|entry| entry.operation == "GenerateAssistantResponse").count()
    }
}

/// Options of a gateway under test.
pub fn options(data_dir: &Path, upstream: &str) -> Options {
    Options {
        data_dir: Some(data_dir.to_owned()),
        // Many tests ask much of few accounts at once; the gentle defaults have tests of their own.
        overrides: vec![
            flag("listener.port", "0"),
            flag("accounts.concurrency", "256"),
            flag("pace.accountPerMinute", "0"),
        ],
        store: StoreChoice::Memory,
        endpoints: Some(upstream.parse().expect("a URL")),
        log: LogChoice::Off,
        ..Options::default()
    }
}

pub fn flag(path: &str, value: &str) -> Override {
    Override { path: path.to_owned(), value: value.to_owned(), source: OverrideSource::Flag, variable: None }
}

pub fn client() -> reqwest::Client {
    install_tls();
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client")
}

pub async fn admin(gateway: &Gateway, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
    let body = match body {
        Some(body) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            axum::body::Body::from(body.to_string())
        }
        None => axum::body::Body::empty(),
    };
    let request = request.body(body).expect("a request");
    let answer = gateway.admin_router().oneshot(request).await.expect("infallible");
    let status = answer.status();
    let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
    let value = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&bytes)))
    };
    (status, value)
}

/// A login whose access token is good for long.
pub fn fresh_login(id: &str, family: Family) -> Value {
    login(&AccountSeed::new(id, family), "2099-01-01T00:00:00.000Z")
}

/// A login whose access token is past its time.
pub fn expired_login(id: &str, family: Family) -> Value {
    login(&AccountSeed::new(id, family), "2026-01-01T00:00:00.000Z")
}

pub fn login(seed: &AccountSeed, expires_at: &str) -> Value {
    let method = match seed.family {
        Family::Social => "social",
        Family::BuilderId | Family::Idc => "idc",
        Family::ExternalIdp => "external_idp",
        Family::ApiKey => {
            return json!({"authMethod": "api_key", "kiroApiKey": seed.access_token, "region": "us-east-1"});
        }
    };
    let mut login = json!({
        "authMethod": method,
        "email": seed.email,
        "accessToken": seed.access_token,
        "refreshToken": seed.refresh_token,
        "expiresAt": expires_at,
        "region": seed.oidc_region,
    });
    if seed.family == Family::ExternalIdp {
        let tenant = "https://login.microsoftonline.com/00000000-0000-4000-8000-00000000aaaa";
        login["tokenEndpoint"] = format!("{tenant}/oauth2/v2.0/token").into();
        login["issuerUrl"] = format!("{tenant}/v2.0").into();
        login["scopes"] =
            "api://00000000-0000-4000-8000-00000000bbbb/codewhisperer:conversations offline_access".into();
    }
    if let Some(arn) = &seed.profile_arn {
        login["profileArn"] = arn.as_str().into();
    }
    if !seed.client_id.is_empty() {
        login["clientId"] = seed.client_id.as_str().into();
    }
    if !seed.client_secret.is_empty() {
        login["clientSecret"] = seed.client_secret.as_str().into();
    }
    login
}

/// A one-line question.
pub fn ask(text: &str) -> Value {
    json!({"model": "claude-sonnet-4-5", "max_tokens": 1024, "messages": [{"role": "user", "content": text}]})
}

/// A streamed answer, read to its end.
#[derive(Debug)]
pub struct Stream {
    pub status: StatusCode,
    pub events: Vec<(String, Value)>,
    pub body: String,
    /// Whether the transport ended the body properly.
    pub clean: bool,
}

impl Stream {
    pub async fn read(answer: reqwest::Response) -> Self {
        let status = answer.status();
        let mut bytes = Vec::new();
        let mut clean = true;
        let mut pieces = answer.bytes_stream();
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) => bytes.extend_from_slice(&piece),
                // After an error the client repeats it for ever.
                Err(_) => {
                    clean = false;
                    break;
                }
            }
        }
        let body = String::from_utf8(bytes).expect("SSE is UTF-8");
        let events = parse_sse(&body);
        Self { status, events, body, clean }
    }

    fn deltas(&self, kind: &str, member: &str) -> String {
        let deltas =
            self.events.iter().filter(|(name, _)| name == "content_block_delta").map(|(_, data)| &data["delta"]);
        deltas.filter(|delta| delta["type"] == kind).filter_map(|delta| delta[member].as_str()).collect()
    }

    pub fn text(&self) -> String {
        self.deltas("text_delta", "text")
    }

    pub fn thinking(&self) -> String {
        self.deltas("thinking_delta", "thinking")
    }

    /// The end marker of a complete answer.
    pub fn complete(&self) -> bool {
        self.events.iter().any(|(name, _)| name == "message_stop")
    }

    pub fn error(&self) -> Option<&Value> {
        self.events.iter().find(|(name, _)| name == "error").map(|(_, data)| &data["error"])
    }

    pub fn stop_reason(&self) -> Option<&str> {
        let delta = self.events.iter().rev().find(|(name, _)| name == "message_delta")?;
        delta.1["delta"]["stop_reason"].as_str()
    }

    /// Finished tool calls as name and input.
    pub fn tool_calls(&self) -> Vec<(String, Value)> {
        let mut calls = Vec::new();
        for (_, start) in self
            .events
            .iter()
            .filter(|(name, data)| name == "content_block_start" && data["content_block"]["type"] == "tool_use")
        {
            let index = &start["index"];
            let input: String = self
                .events
                .iter()
                .filter(|(name, data)| name == "content_block_delta" && data["index"] == *index)
                .filter_map(|(_, data)| data["delta"]["partial_json"].as_str())
                .collect();
            let input =
                if input.is_empty() { json!({}) } else { serde_json::from_str(&input).expect("tool input is JSON") };
            calls.push((start["content_block"]["name"].as_str().expect("a name").to_owned(), input));
        }
        calls
    }
}

pub fn parse_sse(body: &str) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    for block in body.split("\n\n").filter(|block| !block.trim().is_empty()) {
        let name = block.lines().find_map(|line| line.strip_prefix("event: "));
        let data = block.lines().find_map(|line| line.strip_prefix("data: "));
        if let (Some(name), Some(data)) = (name, data) {
            events.push((name.to_owned(), serde_json::from_str(data).expect("data is JSON")));
        }
    }
    events
}

/// Sends raw bytes and reads until the peer closes or says no more for as long as a request may take.
pub async fn raw(url: &str, bytes: &[u8]) -> String {
    let mut stream = connect(url).await;
    // The peer may refuse and close before everything is written.
    let _ = stream.write_all(bytes).await;
    read_to_end(&mut stream).await
}

pub async fn connect(url: &str) -> tokio::net::TcpStream {
    let authority = url.strip_prefix("http://").expect("plain http");
    tokio::net::TcpStream::connect(authority).await.expect("connects")
}

pub async fn read_to_end(stream: &mut tokio::net::TcpStream) -> String {
    let mut answer = Vec::new();
    let reading = async {
        let mut piece = [0; 4096];
        while let Ok(n @ 1..) = stream.read(&mut piece).await {
            answer.extend_from_slice(piece.get(..n).unwrap_or_default());
        }
    };
    assert!(tokio::time::timeout(PATIENCE, reading).await.is_ok(), "the peer neither answered nor closed");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of a raw answer; 0 when the peer closed without one.
pub fn raw_status(answer: &str) -> u16 {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok()).unwrap_or(0)
}
