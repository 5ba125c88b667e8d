//! The demo account's upstream: the simulator, in this process, started when the gateway first asks for it.

use std::io;
use std::time::Duration;

use futures_util::future::BoxFuture;
use kiro_gateway::{DemoHost, DemoSession};
use kiro_simulator::{Config, Simulator};
use tokio::sync::OnceCell;

/// Keeps the stand-in running as long as the program.
#[derive(Default)]
pub(crate) struct Demo {
    simulator: OnceCell<Simulator>,
}

impl DemoHost for Demo {
    fn start(&self) -> BoxFuture<'_, io::Result<DemoSession>> {
        Box::pin(async {
            // Word by word, at the pace of a quick reader, so that a person sees the stream.
            let config = Config { word_delay: Duration::from_millis(15), ..Config::default() };
            let simulator = self.simulator.get_or_try_init(|| Simulator::start(config)).await?;
            let url = simulator.url().parse().map_err(io::Error::other)?;
            Ok(DemoSession { url, credentials: kiro_simulator::demo::credentials() })
        })
    }
}
