//! The demo account: labelled as simulated wherever it answers, and never used while a real account exists.

use std::io;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use kiro_gateway::{DemoHost, DemoSession};
use kiro_simulator::{Config, Family, Simulator};
use tokio::sync::OnceCell;

use crate::harness::{Plan, World, ask, fresh_login};

#[derive(Default)]
struct Host {
    simulator: OnceCell<Simulator>,
}

impl DemoHost for Host {
    fn start(&self) -> BoxFuture<'_, io::Result<DemoSession>> {
        Box::pin(async {
            let simulator = self.simulator.get_or_try_init(|| Simulator::start(Config::default())).await?;
            let url = simulator.url().parse().map_err(io::Error::other)?;
            Ok(DemoSession { url, credentials: kiro_simulator::demo::credentials() })
        })
    }
}

/// A gateway with a demo host of its own and no other upstream.
async fn world(host: &Arc<Host>) -> World {
    let host = Arc::clone(host);
    Plan::default().accounts(vec![]).options(move |options| options.demo = Some(host)).start().await
}

fn demo_calls(host: &Host) -> usize {
    let journal = host.simulator.get().map(|simulator| simulator.control().journal()).unwrap_or_default();
    journal.iter().filter(|entry| entry.operation == "GenerateAssistantResponse").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_account_answers_and_says_that_it_is_simulated() {
    let host = Arc::default();
    let world = world(&host).await;
    assert!(!world.gateway.status().simulated);
    let account = world.admin_ok(Method::POST, "/api/accounts/demo", None).await;
    assert_eq!(account["demo"], true, "{account}");
    let again = world.admin_ok(Method::POST, "/api/accounts/demo", None).await;
    assert_eq!(again["id"], account["id"], "adding it twice is adding it once");
    let status = world.gateway.status();
    assert!(status.simulated);
    assert_eq!((status.accounts.total, status.accounts.demo), (1, 1));

    let (code, reply) = world.send(&ask("SAY: for show")).await;
    assert_eq!(code, StatusCode::OK, "{reply}");
    assert_eq!(reply["content"][0]["text"], "for show");
    assert_eq!(world.flows().await[0]["simulated"], true);
    assert_eq!(demo_calls(&host), 1);
    assert!(host.simulator.get().unwrap().control().violations().is_empty());
    assert_eq!(world.upstream_calls(), 0, "the demo account reaches nothing but its own stand-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_account_silences_the_demo_account() {
    let host = Arc::default();
    let world = world(&host).await;
    world.admin_ok(Method::POST, "/api/accounts/demo", None).await;
    world.import(&fresh_login("social", Family::Social)).await;
    assert!(!world.gateway.status().simulated);
    for _ in 0..5 {
        let (code, reply) = world.send(&ask("SAY: real")).await;
        assert_eq!(code, StatusCode::OK, "{reply}");
    }
    assert_eq!(demo_calls(&host), 0);
    assert_eq!(world.upstream_calls(), 5);
    assert!(world.flows().await.iter().all(|flow| flow["simulated"] == false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_account_in_trouble_is_not_replaced_by_made_up_answers_without_a_word() {
    let host = Arc::default();
    let world = world(&host).await;
    world.admin_ok(Method::POST, "/api/accounts/demo", None).await;
    world.import(&fresh_login("social", Family::Social)).await;
    world.control.suspend("social", true);
    for _ in 0..3 {
        let (code, reply) = world.send(&ask("SAY: hello")).await;
        assert!(!code.is_success(), "made-up answers in place of a real account's error: {reply}");
    }
    assert_eq!(demo_calls(&host), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_account_can_be_removed_and_survives_a_restart() {
    let host: Arc<Host> = Arc::default();
    let mut world = world(&host).await;
    world.admin_ok(Method::POST, "/api/accounts/demo", None).await;
    world.restart(|_| {}).await.expect("opens");
    world.listen().await;
    let (code, reply) = world.send(&ask("SAY: still for show")).await;
    assert_eq!(code, StatusCode::OK, "{reply}");
    let accounts = world.admin_ok(Method::GET, "/api/accounts", None).await;
    let id = accounts["accounts"][0]["id"].as_str().unwrap();
    let (status, _) = world.admin(Method::DELETE, &format!("/api/accounts/{id}"), None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert!(!world.gateway.status().simulated);
    let (code, _) = world.send(&ask("SAY: nobody")).await;
    assert!(!code.is_success());
}
