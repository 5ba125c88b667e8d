//! Removing an account: at once for every request, and either whole or gone, whatever happens in between.

use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use kiro_simulator::Family;
use serde_json::{Value, json};

use crate::harness::{Plan, World, ask, eventually, expired_login, fresh_login};
use crate::home::Home;
use crate::refresh::vault_key;

async fn world() -> World {
    let key = vault_key();
    let accounts = vec![expired_login("social", Family::Social), fresh_login("builder", Family::BuilderId)];
    Plan::default().accounts(accounts).options(move |options| options.store = key).start().await
}

async fn list(world: &World) -> Value {
    world.admin_ok(Method::GET, "/api/accounts", None).await
}

fn ids(list: &Value) -> Vec<String> {
    list["accounts"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

async fn records(world: &World) -> u64 {
    world.admin_ok(Method::GET, "/api/vault", None).await["records"].as_u64().unwrap()
}

fn stored(world: &World) -> String {
    std::fs::read_to_string(world.data_dir().join("accounts.json")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_account_serves_no_more_and_comes_back_whole_when_that_is_undone() {
    let world = world().await;
    let before = list(&world).await;
    let [first, second] = &ids(&before)[..] else { panic!("{before}") };
    let secrets = records(&world).await;
    for id in [first, second] {
        world.admin_ok(Method::DELETE, &format!("/api/accounts/{id}?undoSeconds=60"), None).await;
    }
    let (status, reply) = world.send(&ask("SAY: nobody")).await;
    assert!(status.is_server_error() && reply.to_string().contains("no account"), "{reply}");
    assert_eq!(world.upstream_calls(), 0);
    let gone = list(&world).await;
    assert_eq!((ids(&gone).len(), gone["removed"].as_array().unwrap().len()), (0, 2), "{gone}");
    let (status, _) = world.admin(Method::GET, &format!("/api/accounts/{first}"), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(records(&world).await, secrets, "nothing is dropped while it can be undone");

    let back = world.admin_ok(Method::POST, &format!("/api/accounts/{first}/undo-removal"), None).await;
    assert_eq!((&back["id"], &back["label"]), (&before["accounts"][0]["id"], &before["accounts"][0]["label"]));
    let (status, reply) = world.send(&ask("SAY: with its own refresh token")).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    assert_eq!(ids(&list(&world).await), std::slice::from_ref(first));
    let (status, _) = world.admin(Method::POST, &format!("/api/accounts/{first}/undo-removal"), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "there is nothing to undo");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secrets_go_when_the_time_is_over_and_when_the_program_stops() {
    let mut world = world().await;
    let accounts = ids(&list(&world).await);
    let secrets = records(&world).await;
    world.admin_ok(Method::DELETE, &format!("/api/accounts/{}?undoSeconds=1", accounts[0]), None).await;
    eventually("the record is dropped", || !stored(&world).contains(&accounts[0])).await;
    assert_eq!(records(&world).await, secrets - 1);
    let (status, late) = world.admin(Method::POST, &format!("/api/accounts/{}/undo-removal", accounts[0]), None).await;
    assert_eq!((status, &late["code"]), (StatusCode::NOT_FOUND, &json!("not_found")), "{late}");

    world.admin_ok(Method::DELETE, &format!("/api/accounts/{}?undoSeconds=60", accounts[1]), None).await;
    world.restart(|_| {}).await.expect("opens again");
    assert!(!stored(&world).contains(&accounts[1]));
    assert_eq!(records(&world).await, secrets - 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_removed_for_good_is_gone_at_once() {
    let world = world().await;
    let (first, secrets) = (ids(&list(&world).await).remove(0), records(&world).await);
    let (status, _) = world.admin(Method::DELETE, &format!("/api/accounts/{first}"), None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert!(!stored(&world).contains(&first));
    assert_eq!(records(&world).await, secrets - 1);
    assert_eq!(list(&world).await["removed"], json!([]));
    for seconds in ["0", "61", "soon"] {
        let path = format!("/api/accounts/{first}?undoSeconds={seconds}");
        let (status, _) = world.admin(Method::DELETE, &path, None).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{seconds}");
    }
}

/// A login that was added again meanwhile has one chain of tokens, and so one account.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_was_added_anew_is_not_taken_back_beside_itself() {
    let world = world().await;
    let first = ids(&list(&world).await).remove(0);
    world.admin_ok(Method::DELETE, &format!("/api/accounts/{first}?undoSeconds=60"), None).await;
    world.import(&expired_login("social", Family::Social)).await;
    let (status, _) = world.admin(Method::POST, &format!("/api/accounts/{first}/undo-removal"), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(ids(&list(&world).await).len(), 2);
}

/// One call to the running program, as the window makes it.
async fn call(home: &Home, method: Method, path: &str) -> StatusCode {
    let door = kiro_gateway::LocalDoor::find(Some(&home.data())).expect("its door");
    let (stream, headers) = door.connect().await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.unwrap();
    let mut request = http::Request::builder().method(method).uri(path).header(http::header::HOST, "localhost");
    request.headers_mut().unwrap().extend(headers);
    let request = request.body(http_body_util::Full::new(bytes::Bytes::new())).unwrap();
    let exchange = async {
        let answer = sender.send_request(request).await.unwrap();
        let status = answer.status();
        answer.into_body().collect().await.unwrap();
        status
    };
    tokio::select! { status = exchange => status, _ = connection => panic!("the door closed") }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_it_can_be_undone_leaves_nothing_of_a_removed_account() {
    let home = Home::new();
    for name in ["one", "two"] {
        home.json(&["accounts", "import", &home.login(name, Family::Social), "--json"]).await;
    }
    let accounts = ids(&home.json(&["accounts", "list", "--json"]).await);
    let records = async || home.json(&["vault", "status", "--json"]).await["records"].as_u64().unwrap();
    let before = records().await;
    let mut serving = home.serve(&[]).await;
    let path = format!("/api/accounts/{}?undoSeconds=60", accounts[0]);
    assert_eq!(call(&home, Method::DELETE, &path).await, StatusCode::OK);
    let path = format!("/api/accounts/{}?undoSeconds=60", accounts[1]);
    assert_eq!(call(&home, Method::DELETE, &path).await, StatusCode::OK);
    let path = format!("/api/accounts/{}/undo-removal", accounts[1]);
    assert_eq!(call(&home, Method::POST, &path).await, StatusCode::OK);
    serving.child.start_kill().unwrap();
    serving.child.wait().await.unwrap();

    let serving = home.serve(&[]).await;
    assert_eq!(ids(&home.json(&["accounts", "list", "--json"]).await), accounts[1..]);
    let file = home.data().join("accounts.json");
    eventually("the rest of it is dropped", || !std::fs::read_to_string(&file).unwrap().contains(&accounts[0])).await;
    assert_eq!(records().await, before - 1);
    assert_eq!(serving.stop().await, Some(0));
}
