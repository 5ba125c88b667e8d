//! Signing in to AWS in a browser: authorization code, PKCE and a loopback callback, with everything a hostile page can send there.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{World, ask, raw, raw_status};
use crate::login::{begin, browse, closed, end, look, parameter, path, plan, port, pressing, visit};

fn builder() -> Value {
    json!({"kind": "builderId", "form": "browser"})
}

#[tokio::test(flavor = "multi_thread")]
async fn builder_id_and_identity_center_end_in_accounts_that_answer_and_refresh() {
    for (wish, account) in [
        (builder(), "builderid"),
        (
            json!({"kind": "idc", "form": "browser", "startUrl": "https://example-company.awsapps.com/start", "region": "eu-west-1"}),
            "idc",
        ),
    ] {
        let mut world = plan().start().await;
        world.control.sign_in_as(account);
        let login = begin(&world, wish).await;
        assert_eq!((&login["state"], &login["awaits"]), (&json!("waiting"), &json!("paste")), "{login}");
        let hops = browse(&pressing(&login, "")).await;
        let last = hops.last().expect("a page");
        assert_eq!(last.status, 200, "{hops:?}");
        let done = end(&world, &login).await;
        assert_eq!((&done["state"], &done["account"]["method"]), (&json!("done"), &json!("idc")), "{done}");
        closed(port(&login)).await;
        world.listen().await;
        assert_eq!(world.send(&ask("SAY: one")).await.0, StatusCode::OK);
        world.control.expire_tokens();
        let (status, reply) = world.send(&ask("SAY: two")).await;
        assert_eq!((status, &reply["content"][0]["text"]), (StatusCode::OK, &json!("two")), "{reply}");
        // The stand-in refuses a refresh with another registration than the sign-in's.
        world.assert_no_violations();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_pieces_of_junk_before_the_right_one_change_nothing() {
    let world = plan().start().await;
    let login = begin(&world, builder()).await;
    let state = parameter(&pressing(&login, ""), "state");
    let at = port(&login);
    let base = format!("http://127.0.0.1:{at}");
    let junk = [
        format!("GET /oauth/callback?code=x&state=other HTTP/1.1\r\nhost: 127.0.0.1:{at}\r\n\r\n"),
        format!("GET /oauth/callback?error=access_denied&state=other HTTP/1.1\r\nhost: 127.0.0.1:{at}\r\n\r\n"),
        format!("GET /oauth/callback?error=access_denied HTTP/1.1\r\nhost: 127.0.0.1:{at}\r\n\r\n"),
        format!("GET /oauth/callback?code=x&state={state} HTTP/1.1\r\nhost: attacker.example\r\n\r\n"),
        format!("GET /oauth/callback?code=x&state={state} HTTP/1.1\r\nhost: localhost:{at}\r\n\r\n"),
        format!(
            "GET /oauth/callback?code=x&state={state} HTTP/1.1\r\nhost: 127.0.0.1:{at}\r\nhost: 127.0.0.1:{at}\r\n\r\n"
        ),
        format!(
            "POST /oauth/callback?code=x&state={state} HTTP/1.1\r\nhost: 127.0.0.1:{at}\r\ncontent-length: 0\r\n\r\n"
        ),
        format!("HEAD /oauth/callback?code=x&state={state} HTTP/1.1\r\nhost: 127.0.0.1:{at}\r\n\r\n"),
        format!("GET /elsewhere?code=x&state={state} HTTP/1.1\r\nhost: 127.0.0.1:{at}\r\n\r\n"),
        format!("GET /oauth/callback?code=x&state={state}&state={state} HTTP/1.1\r\nhost: 127.0.0.1:{at}\r\n\r\n"),
        format!("GET /oauth/callback?state={state} HTTP/1.1\r\nhost: 127.0.0.1:{at}\r\n\r\n"),
        "\u{1}\u{2}nonsense\r\n\r\n".to_owned(),
    ];
    for round in 0..1_000 {
        let sent = &junk[round % junk.len()];
        let answer = raw(&base, sent.as_bytes()).await;
        assert!(matches!(raw_status(&answer), 400 | 404 | 405 | 421), "{sent}: {answer}");
        assert!(!answer.contains(&state), "a page repeats nothing of the request");
    }
    assert_eq!(look(&world, &login).await["state"], "waiting");
    browse(&pressing(&login, "")).await;
    assert_eq!(end(&world, &login).await["state"], "done");
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_after_the_sign_in_speaks_the_persons_language_and_holds_no_code() {
    let world = plan().start().await;
    let login = begin(&world, builder()).await;
    let hops = browse(&pressing(&login, "")).await;
    let last = hops.last().expect("a page");
    let code = parameter(&last.url, "code");
    assert!(!code.is_empty() && !last.body.contains(&code), "{}", last.body);
    assert!(last.body.contains("lang=\"zh\""), "{}", last.body);
    let policy = last.headers["content-security-policy"].to_str().expect("text");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(last.headers["cache-control"], "no-store");
    assert_eq!(last.headers["referrer-policy"], "no-referrer");
    assert_eq!(end(&world, &login).await["state"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_on_the_page_ends_the_sign_in_with_the_providers_reason() {
    let world = plan().start().await;
    let login = begin(&world, builder()).await;
    browse(&pressing(&login, "answer=deny")).await;
    let ended = end(&world, &login).await;
    assert_eq!((&ended["state"], &ended["problem"]["code"]), (&json!("failed"), &json!("sign_in_denied")));
    assert_eq!(ended["problem"]["params"]["reason"], "cancelled");
    closed(port(&login)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_another_session_is_useless_and_a_used_one_finds_nobody() {
    let world = plan().start().await;
    let first = begin(&world, builder()).await;
    let second = begin(&world, builder()).await;
    assert_ne!(port(&first), port(&second));
    let to_second = visit(&pressing(&second, "")).await.location.expect("a redirect");
    // The second's whole answer at the first's door: its state is not known there.
    let swapped = to_second.replace(&format!(":{}/", port(&second)), &format!(":{}/", port(&first)));
    assert_eq!(visit(&swapped).await.status, 404);
    assert_eq!(look(&world, &first).await["state"], "waiting");
    // The second's code with the first's state: PKCE and the redirect address hold it.
    let state = parameter(&pressing(&first, ""), "state");
    let forged = format!(
        "http://127.0.0.1:{}/oauth/callback?code={}&state={state}",
        port(&first),
        parameter(&to_second, "code")
    );
    assert_eq!(visit(&forged).await.status, 200);
    let ended = end(&world, &first).await;
    assert_eq!((&ended["state"], &ended["problem"]["code"]), (&json!("failed"), &json!("sign_in_refused")));
    let rules: Vec<String> = world.control.violations().into_iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, ["pkce.verifier"], "the stand-in saw the forgery");

    let third = begin(&world, builder()).await;
    let back = visit(&pressing(&third, "")).await.location.expect("a redirect");
    assert_eq!(visit(&back).await.status, 200);
    assert_eq!(end(&world, &third).await["state"], "done");
    closed(port(&third)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_pastes_ends_the_sign_in_as_well_and_a_wrong_paste_does_not() {
    let world = plan().start().await;
    let other = begin(&world, builder()).await;
    let others = visit(&pressing(&other, "")).await.location.expect("a redirect");
    for whole in [true, false] {
        let login = begin(&world, builder()).await;
        let paste = async |text: &str| {
            world.admin(Method::POST, &format!("{}/paste", path(&login)), Some(json!({"text": text}))).await
        };
        for (text, reason) in [
            ("hello", "notTheAddress"),
            ("https://view.awsapps.com/start", "notFinished"),
            (others.as_str(), "otherLogin"),
            ("", "notTheAddress"),
        ] {
            let (status, problem) = paste(text).await;
            assert_eq!(
                (status, &problem["params"]["reason"]),
                (StatusCode::UNPROCESSABLE_ENTITY, &json!(reason)),
                "{text}"
            );
            assert!(text.is_empty() || !problem.to_string().contains(text), "a paste is never repeated");
        }
        assert_eq!(look(&world, &login).await["state"], "waiting");
        let back = visit(&pressing(&login, "")).await.location.expect("a redirect");
        let text = if whole { back.clone() } else { parameter(&back, "code") };
        let (status, _) = paste(&text).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(end(&world, &login).await["state"], "done", "whole: {whole}");
        let (status, problem) = paste(&back).await;
        assert_eq!((status, &problem["params"]["reason"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("notNow")));
    }
    world.assert_no_violations();
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_and_stopping_close_the_door() {
    let world = plan().start().await;
    let login = begin(&world, builder()).await;
    assert_eq!(world.admin_ok(Method::DELETE, &path(&login), None).await["state"], "cancelled");
    closed(port(&login)).await;
    let login = begin(&world, builder()).await;
    world.gateway.stop().await;
    closed(port(&login)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_holds_connections_open_does_not_hold_the_door_open() {
    let world = plan().start().await;
    let login = begin(&world, builder()).await;
    let at = port(&login);
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(tokio::net::TcpStream::connect(("127.0.0.1", at)).await.expect("connects"));
    }
    browse(&pressing(&login, "")).await;
    let ended = tokio::time::timeout(Duration::from_secs(5), end(&world, &login)).await.expect("does not hang");
    assert_eq!(ended["state"], "done");
    closed(at).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_registration_is_told_and_made_anew() {
    let world = plan().start().await;
    let login = begin(&world, builder()).await;
    world.control.end_registrations();
    let back = visit(&pressing(&login, "")).await;
    assert_eq!((back.status, back.location), (401, None), "the provider's page says so itself");
    world.admin_ok(Method::DELETE, &path(&login), None).await;

    let world = plan().start().await;
    let login = begin(&world, builder()).await;
    let back = visit(&pressing(&login, "")).await.location.expect("a redirect");
    world.control.end_registrations();
    visit(&back).await;
    let ended = end(&world, &login).await;
    assert_eq!((&ended["state"], &ended["problem"]["code"]), (&json!("failed"), &json!("sign_in_refused")));
    let login = begin(&world, builder()).await;
    browse(&pressing(&login, "")).await;
    assert_eq!(end(&world, &login).await["state"], "done", "the next one has a new registration");
}

/// Everything that must not be seen, of one whole life.
async fn secrets(world: &World) -> Vec<String> {
    let mut secrets = Vec::new();
    for account in world.control.accounts() {
        secrets.extend(account.access_token);
        secrets.extend(account.refresh_token);
    }
    secrets
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_and_no_log_holds_a_code_a_token_or_a_secret() {
    let world =
        plan().set("logs.level", "trace").options(|options| options.log = kiro_gateway::LogChoice::File).start().await;
    let mut seen = Vec::new();
    let mut codes = Vec::new();
    let login = begin(&world, builder()).await;
    seen.push(login.to_string());
    let hops = browse(&pressing(&login, "")).await;
    codes.push(parameter(&hops.last().expect("a page").url, "code"));
    seen.push(hops.last().expect("a page").body.clone());
    seen.push(end(&world, &login).await.to_string());
    let login = begin(&world, builder()).await;
    let back = visit(&pressing(&login, "")).await.location.expect("a redirect");
    codes.push(parameter(&back, "code"));
    let body = json!({"text": back});
    seen.push(world.admin_ok(Method::POST, &format!("{}/paste", path(&login)), Some(body)).await.to_string());
    seen.push(end(&world, &login).await.to_string());
    for path in ["/api/logins", "/api/accounts", "/api/status"] {
        seen.push(world.admin_ok(Method::GET, path, None).await.to_string());
    }
    let mut hidden = secrets(&world).await;
    assert!(hidden.len() > 5 && codes.iter().all(|code| code.len() > 20));
    hidden.extend(codes);
    world.gateway.stop().await;
    let mut folders = vec![world.data_dir()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                seen.push(String::from_utf8_lossy(&std::fs::read(&path).expect("readable")).into_owned());
            }
        }
    }
    assert!(seen.iter().any(|text| text.contains("a sign-in begins")), "the log is among what was looked at");
    for secret in hidden {
        assert!(!seen.iter().any(|text| text.contains(&secret)), "seen: {}", &secret[..20.min(secret.len())]);
    }
}
