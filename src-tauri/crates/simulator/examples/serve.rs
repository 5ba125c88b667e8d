//! Runs the stand-in by itself and prints its URL: `cargo run -p kiro-simulator --example serve [-- PORT [CHUNK]]`.
//! CHUNK is the largest number of bytes of one socket write.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use kiro_simulator::{Config, Simulator};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a small program whose output is the URL")]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().and_then(|port| port.parse().ok()).unwrap_or(0);
    let chunk = arguments.next().and_then(|chunk| chunk.parse().ok());
    let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let simulator =
        Simulator::start(Config { bind, chunk, word_delay: Duration::from_millis(2), ..Config::default() }).await?;
    println!("{}", simulator.url());
    tokio::signal::ctrl_c().await?;
    simulator.stop().await;
    Ok(())
}
