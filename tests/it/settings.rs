//! Settings: patched with a revision, validated field by field, kept over a restart; overrides hold for a run and are never saved.

use http::{Method, StatusCode};
use kiro_gateway::{OpenError, Override, OverrideSource};
use serde_json::{Value, json};

use crate::harness::{Plan, World, flag};

async fn read(world: &World) -> Value {
    world.admin_ok(Method::GET, "/api/settings", None).await
}

async fn patch(world: &World, revision: &Value, patch: Value) -> (StatusCode, Value) {
    world.admin(Method::PATCH, "/api/settings", Some(json!({"revision": revision, "patch": patch}))).await
}

fn file(world: &World) -> Value {
    let bytes = std::fs::read(world.data_dir().join("settings.json")).unwrap_or_else(|_| b"{}".to_vec());
    serde_json::from_slice(&bytes).expect("JSON")
}

#[tokio::test]
async fn a_patch_changes_one_setting_and_survives_a_restart() {
    let mut world = Plan { listen: false, ..Plan::default() }.start().await;
    let before = read(&world).await;
    let (status, after) = patch(&world, &before["revision"], json!({"look": {"theme": "dark"}})).await;
    assert_eq!(status, StatusCode::OK, "{after}");
    assert_eq!(after["settings"]["look"]["theme"], "dark");
    assert_eq!(after["settings"]["look"]["language"], before["settings"]["look"]["language"]);
    assert_ne!(after["revision"], before["revision"]);
    world.restart(|_| {}).await.expect("opens");
    assert_eq!(read(&world).await["settings"]["look"]["theme"], "dark");
}

#[tokio::test]
async fn a_stale_revision_is_a_conflict_and_changes_nothing() {
    let world = Plan { listen: false, ..Plan::default() }.start().await;
    let before = read(&world).await;
    let (status, _) = patch(&world, &before["revision"], json!({"look": {"theme": "dark"}})).await;
    assert_eq!(status, StatusCode::OK);
    let (status, problem) = patch(&world, &before["revision"], json!({"look": {"theme": "light"}})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(problem["code"], "revision_conflict");
    assert_eq!(read(&world).await["settings"]["look"]["theme"], "dark");
}

#[tokio::test]
async fn every_refused_field_is_named_and_nothing_is_saved() {
    let world = Plan { listen: false, ..Plan::default() }.start().await;
    let before = read(&world).await;
    let bad = json!({"limits": {"idleSeconds": 1, "retries": 99}, "listener": {"host": "0.0.0.0"}, "look": {"theme": "dark"}});
    let (status, problem) = patch(&world, &before["revision"], bad).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    for path in ["limits.idleSeconds", "limits.retries", "listener.host"] {
        assert!(problem["fields"][path]["code"].is_string(), "{path}: {problem}");
    }
    assert!(problem["fields"]["look.theme"].is_null());
    assert_eq!(read(&world).await["settings"], before["settings"]);
}

#[tokio::test]
async fn wrong_types_and_unknown_names_are_refused_by_path() {
    let world = Plan { listen: false, ..Plan::default() }.start().await;
    let revision = read(&world).await["revision"].clone();
    for bad in [
        json!({"limits": {"idleSeconds": "soon"}}),
        json!({"limits": {"idleSeconds": -1}}),
        json!({"limits": {"idleSeconds": 1e30}}),
        json!({"limits": 3}),
        json!({"look": {"theme": "pink"}}),
        json!({"nonsense": {"a": 1}}),
        json!({"limits": {"nonsense": 1}}),
        json!([1]),
    ] {
        let (status, problem) = patch(&world, &revision, bad.clone()).await;
        assert!(matches!(status.as_u16(), 400 | 422), "{bad}: {status} {problem}");
        assert!(problem["code"].is_string(), "{bad}: {problem}");
    }
    assert_eq!(read(&world).await["revision"], revision, "nothing was saved");
}

#[tokio::test]
async fn overrides_are_shown_with_their_source_and_never_saved() {
    let environment = Override {
        path: "limits.idleSeconds".into(),
        value: "77".into(),
        source: OverrideSource::Environment,
        variable: None,
    };
    let mut world = Plan { listen: false, ..Plan::default() }
        .options(move |options| options.overrides.extend([environment, flag("limits.retries", "4")]))
        .start()
        .await;
    let now = read(&world).await;
    assert_eq!(now["settings"]["limits"]["idleSeconds"], 77);
    assert_eq!(now["settings"]["limits"]["retries"], 4);
    let source = |path: &str| {
        now["overrides"].as_array().unwrap().iter().find(|o| o["path"] == path).map(|o| o["source"].clone())
    };
    assert_eq!(source("limits.idleSeconds"), Some(json!("environment")));
    assert_eq!(source("limits.retries"), Some(json!("flag")));

    let (status, _) = patch(&world, &now["revision"], json!({"look": {"theme": "dark"}})).await;
    assert_eq!(status, StatusCode::OK);
    let text = file(&world).to_string();
    assert!(text.contains("dark") && !text.contains("77"), "an override was saved: {text}");

    world.restart(|options| options.overrides.retain(|o| o.path == "listener.port")).await.expect("opens");
    let later = read(&world).await;
    assert_eq!(later["settings"]["limits"]["idleSeconds"], later["defaults"]["limits"]["idleSeconds"]);
    assert_eq!(later["settings"]["look"]["theme"], "dark");
}

#[tokio::test]
async fn an_override_that_is_not_valid_keeps_the_gateway_from_opening() {
    let mut world = Plan { listen: false, ..Plan::default() }.start().await;
    for (path, value) in
        [("limits.retries", "99"), ("limits.nonsense", "1"), ("listener.host", "0.0.0.0"), ("look.theme", "pink")]
    {
        let result = world.restart(|options| {
            options.overrides.truncate(1);
            options.overrides.push(flag(path, value));
        });
        let error = result.await.expect_err("refused");
        assert!(matches!(error, OpenError::Override { .. }), "{path}: {error}");
        assert_eq!(error.code(), "override_invalid");
        assert!(error.to_string().contains(path.split('.').next_back().unwrap()), "{error}");
    }
}

#[tokio::test]
async fn a_damaged_settings_file_is_kept_and_told_about() {
    let mut world = Plan { listen: false, ..Plan::default() }.start().await;
    let revision = read(&world).await["revision"].clone();
    patch(&world, &revision, json!({"look": {"theme": "dark"}})).await;
    let path = world.data_dir().join("settings.json");
    let good = std::fs::read(&path).unwrap();
    for damage in
        [&b"{\"revision\": 3, \"look\": {"[..], b"", b"\0\0\0\0", b"[]", b"\xff\xfe", b"{\"look\":{\"theme\":7}}"]
    {
        world.gateway.stop().await;
        std::fs::write(&path, damage).unwrap();
        match world.restart(|_| {}).await {
            // Refused: the file is as it was.
            Err(error) => {
                assert_eq!(error.code(), "settings_unusable", "{error}");
                assert_eq!(std::fs::read(&path).unwrap(), damage, "left as it is");
            }
            // Recovered: the damaged bytes are kept beside, and the start is not an empty one in disguise.
            Ok(()) => {
                let kept = std::fs::read_dir(world.data_dir())
                    .unwrap()
                    .filter_map(|entry| std::fs::read(entry.unwrap().path()).ok())
                    .any(|content| content == damage);
                assert!(kept, "{damage:?} was thrown away");
                world.gateway.stop().await;
            }
        }
        std::fs::write(&path, &good).unwrap();
        world.restart(|_| {}).await.expect("opens after repair");
    }
}
