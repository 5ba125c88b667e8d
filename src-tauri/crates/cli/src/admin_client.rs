//! The admin API as the commands call it: over the local socket of the gateway that runs, else in-process on one opened for this
//! command. Both doors lead to the same router, so a command behaves the same with and without a running gateway.

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use kiro_gateway::{Gateway, OpenError, Options};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::exit::{Exit, Trouble};
use crate::place::open_trouble;
use crate::words::say;

/// One way to the admin API.
pub(crate) enum AdminClient {
    /// A gateway runs elsewhere and answers on its local socket.
    Running(kiro_gateway::LocalDoor),
    /// Nobody runs: opened here, without listeners, for this command.
    Here(Gateway),
}

impl AdminClient {
    /// The running gateway, if one answers.
    pub(crate) async fn running(options: &Options) -> Option<Self> {
        let door = kiro_gateway::LocalDoor::find(options.data_dir.as_deref())?;
        door.connect().await.ok().map(|_| Self::Running(door))
    }

    /// The running gateway, else one opened here.
    pub(crate) async fn open(options: Options) -> Result<Self, Trouble> {
        if let Some(client) = Self::running(&options).await {
            return Ok(client);
        }
        match Gateway::open(options.clone()).await {
            Ok(gateway) => Ok(Self::Here(gateway)),
            // Its owner may have been starting when we knocked.
            Err(OpenError::Locked { path, holder }) => match Self::running(&options).await {
                Some(client) => Ok(client),
                None => Err(open_trouble(&OpenError::Locked { path, holder })),
            },
            Err(error) => Err(open_trouble(&error)),
        }
    }

    /// One call; a problem becomes a [`Trouble`]. No content is `null`.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Trouble> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
        let bytes = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        let request = request.body(Full::new(bytes)).map_err(|error| unreachable(&error.to_string()))?;
        let (status, bytes) = match self {
            Self::Running(door) => over_socket(door, request).await?,
            Self::Here(gateway) => {
                let answer = gateway.admin_router().oneshot(request.map(axum::body::Body::new)).await;
                let answer = answer.unwrap_or_else(|never| match never {});
                let status = answer.status();
                let body = answer.into_body().collect().await.map_err(|error| unreachable(&error.to_string()))?;
                (status, body.to_bytes())
            }
        };
        let value = if bytes.is_empty() { Value::Null } else { parse(status, &bytes)? };
        if status.is_success() { Ok(value) } else { Err(Trouble::from_problem(&value)) }
    }

    /// Finishes what this command opened.
    pub(crate) async fn close(self) {
        match self {
            Self::Running(_) => {}
            Self::Here(gateway) => gateway.stop().await,
        }
    }
}

fn parse(status: StatusCode, bytes: &[u8]) -> Result<Value, Trouble> {
    serde_json::from_slice(bytes)
        .map_err(|_| unreachable(&say!("the answer ({}) is not JSON: another program may hold the socket", status)))
}

async fn over_socket(
    door: &kiro_gateway::LocalDoor,
    mut request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), Trouble> {
    let (stream, headers) = door.connect().await.map_err(|error| unreachable(&error.to_string()))?;
    request.headers_mut().extend(headers);
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(io).await.map_err(|error| unreachable(&error.to_string()))?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        Ok::<_, hyper::Error>((status, answer.into_body().collect().await?.to_bytes()))
    };
    // The connection is driven here and ends with the exchange: no task is left behind.
    let result = match futures_util::future::select(std::pin::pin!(exchange), std::pin::pin!(connection)).await {
        futures_util::future::Either::Left((result, _)) => result,
        futures_util::future::Either::Right((_, exchange)) => exchange.await,
    };
    result.map_err(|error| unreachable(&error.to_string()))
}

fn unreachable(reason: &str) -> Trouble {
    Trouble::new(
        Exit::Unreachable,
        "gateway_unreachable",
        say!("the running gateway did not answer: {}", reason),
        "it is not known whether the request was carried out",
        "try again; if it stays silent, stop it and start `kiro-proxy serve`",
    )
}
