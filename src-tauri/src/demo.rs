//! The stand-in behind the demo account, inside this process.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use kiro_gateway::{DemoHost, DemoSession};
use kiro_simulator::{Config, Simulator, demo};
use std::io;
use std::time::Duration;
use tokio::sync::Mutex;
use url::Url;

/// Time between two words, so that a person sees the answer arrive.
const WORD_DELAY: Duration = Duration::from_millis(40);

/// Starts the stand-in when it is first asked for, and keeps it until the app ends.
#[derive(Default)]
pub(crate) struct InProcessDemo {
    running: Mutex<Option<(Simulator, DemoSession)>>,
}

impl DemoHost for InProcessDemo {
    fn start(&self) -> BoxFuture<'_, io::Result<DemoSession>> {
        async move {
            let mut running = self.running.lock().await;
            if let Some((_, session)) = running.as_ref() {
                return Ok(session.clone());
            }
            let simulator = Simulator::start(Config {
                accounts: vec![demo::account()],
                word_delay: WORD_DELAY,
                ..Config::default()
            })
            .await?;
            let url = Url::parse(&simulator.url()).map_err(io::Error::other)?;
            let session = DemoSession { url, credentials: demo::credentials() };
            *running = Some((simulator, session.clone()));
            Ok(session)
        }
        .boxed()
    }
}
