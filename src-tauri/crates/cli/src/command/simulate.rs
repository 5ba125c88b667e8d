//! `kiro-proxy simulate`: the stand-in for Kiro alone, on a port of its own.

use std::net::SocketAddr;
use std::time::Duration;

use kiro_simulator::{Config, Simulator};

use crate::args::Simulate;
use crate::exit::{Exit, Trouble};
use crate::print;
use crate::signal::Signals;
use crate::words::say;

pub(crate) async fn run(arguments: &Simulate) -> Result<Exit, Trouble> {
    if arguments.credentials {
        print::json(&kiro_simulator::demo::credentials());
        return Ok(Exit::Ok);
    }
    if !arguments.host.is_loopback() {
        return Err(Trouble::new(
            Exit::Usage,
            "not_loopback",
            say!("{} is not a loopback address", arguments.host),
            "nothing was started",
            "the stand-in accepts invented credentials and serves this machine only: leave --host away",
        ));
    }
    let mut signals = Signals::listen()?;
    let bind = SocketAddr::new(arguments.host, arguments.port);
    let config = Config {
        bind,
        seed: arguments.seed,
        strict: !arguments.lenient,
        chunk: arguments.chunk.map(std::num::NonZeroUsize::get),
        word_delay: Duration::from_millis(arguments.word_delay),
        sign_in_pages: true,
        ..Config::default()
    };
    let simulator = Simulator::start(config).await.map_err(|error| {
        Trouble::new(
            Exit::Port,
            if error.kind() == std::io::ErrorKind::AddrInUse { "port_in_use" } else { "port_unavailable" },
            say!("{} cannot be taken: {}", bind, error),
            "nothing was started",
            "choose another port with --port, or 0 for any free one",
        )
    })?;
    let url = simulator.url();
    print::line(&say!("Simulator: {}", url));
    print::line(&say!("Journal:   {}/__sim/journal", url));
    print::line(&say!("Gateway:   KIRO_PROXY_ENDPOINTS={} kiro-proxy serve", url));
    print::line(&say!("Account:   kiro-proxy simulate --credentials | kiro-proxy accounts import -"));
    signals.next().await;
    tokio::select! {
        () = simulator.stop() => Ok(Exit::Ok),
        () = signals.next() => Ok(Exit::Interrupted),
    }
}
