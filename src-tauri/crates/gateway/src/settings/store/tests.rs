use super::*;
use serde_json::json;

fn dir() -> (tempfile::TempDir, Arc<DataDir>) {
    let temp = tempfile::tempdir().expect("a folder");
    let dir = DataDir::open(Some(temp.path().join("data"))).expect("opened");
    (temp, Arc::new(dir))
}

fn flag(path: &str, value: &str) -> Override {
    Override { path: path.into(), value: value.into(), source: OverrideSource::Flag, variable: None }
}

#[test]
fn a_saved_setting_is_there_after_a_restart_and_the_rest_stays_default() {
    let (_temp, dir) = dir();
    let store = SettingsStore::open(Arc::clone(&dir), &[]).expect("opened");
    let saved = store.patch(0, &json!({"listener": {"port": 9000}})).expect("saved");
    assert_eq!(saved.revision, 1);
    let again = SettingsStore::open(dir, &[]).expect("opened again").view();
    assert_eq!((again.revision, again.settings.listener.port), (1, 9000));
    assert_eq!(again.settings.look, Settings::default().look);
}

#[test]
fn a_patch_from_an_old_revision_is_refused_and_changes_nothing() {
    let (_temp, dir) = dir();
    let store = SettingsStore::open(dir, &[]).expect("opened");
    store.patch(0, &json!({"look": {"theme": "dark"}})).expect("saved");
    let problem = store.patch(0, &json!({"look": {"theme": "light"}})).expect_err("refused");
    assert_eq!(problem.code, ProblemCode::RevisionConflict);
    assert_eq!(store.view().settings.look.theme, super::super::Theme::Dark);
}

#[test]
fn every_refused_field_is_named_with_its_code() {
    let (_temp, dir) = dir();
    let store = SettingsStore::open(dir, &[]).expect("opened");
    let problem = store
        .patch(0, &json!({"listener": {"port": "x", "nose": 1}, "look": {"theme": "pink"}, "what": {}, "logs": 3}))
        .expect_err("refused");
    let codes: Vec<_> = problem.fields.iter().map(|(path, field)| (path.as_str(), field.code.as_str())).collect();
    assert_eq!(
        codes,
        [
            ("listener.nose", "unknown_setting"),
            ("listener.port", "invalid_value"),
            ("logs", "invalid_value"),
            ("look.theme", "invalid_value"),
            ("what", "unknown_setting"),
        ]
    );
    let problem = store.patch(0, &json!({"listener": {"port": 0, "host": "0.0.0.0"}})).expect_err("refused");
    let codes: Vec<_> = problem.fields.iter().map(|(path, field)| (path.as_str(), field.code.as_str())).collect();
    assert_eq!(codes, [("listener.host", "not_loopback"), ("listener.port", "out_of_range")]);
    assert_eq!(store.view().revision, 0);
}

#[test]
fn null_goes_back_to_the_default() {
    let (_temp, dir) = dir();
    let store = SettingsStore::open(dir, &[]).expect("opened");
    store.patch(0, &json!({"listener": {"port": 9000, "drainSeconds": 5}, "look": {"theme": "dark"}})).expect("saved");
    store.patch(1, &json!({"listener": {"port": null}, "look": null})).expect("saved");
    let view = store.view();
    assert_eq!((view.settings.listener.port, view.settings.listener.drain_seconds), (8080, 5));
    assert_eq!(view.settings.look, Settings::default().look);
}

#[test]
fn an_override_holds_for_the_run_and_is_never_saved() {
    let (_temp, dir) = dir();
    let store =
        SettingsStore::open(Arc::clone(&dir), &[flag("listener.max_connections", "64"), flag("logs.level", "debug")])
            .expect("opened");
    store.patch(0, &json!({"listener": {"port": 9000}})).expect("saved");
    let view = store.view();
    assert_eq!((view.settings.listener.max_connections, view.overrides.len()), (64, 2));
    let refused = store.patch(1, &json!({"logs": {"level": "warn"}})).expect_err("refused");
    assert_eq!(refused.fields["logs.level"].code, "overridden");
    let again = SettingsStore::open(dir, &[]).expect("opened again").view();
    assert_eq!(again.settings.listener.max_connections, 2048);
    assert_eq!(again.settings.logs.level, super::super::LogLevel::Info);
}

#[test]
fn a_bad_override_is_refused_by_its_name() {
    let (_temp, dir) = dir();
    for (over, part) in [
        (flag("listener.nose", "1"), "listener.nose"),
        (flag("listener.port", "many"), "listener.port"),
        (flag("listener.host", "0.0.0.0"), "loopback"),
        (
            Override { source: OverrideSource::Environment, ..flag("listener.port", "70000") },
            "KIRO_PROXY__LISTENER__PORT",
        ),
    ] {
        let error = SettingsStore::open(Arc::clone(&dir), &[over]).err().expect("refused").to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_damaged_file_falls_back_to_the_previous_one_and_is_kept() {
    let (_temp, dir) = dir();
    let store = SettingsStore::open(Arc::clone(&dir), &[]).expect("opened");
    store.patch(0, &json!({"listener": {"port": 9001}})).expect("saved");
    store.patch(1, &json!({"listener": {"port": 9002}})).expect("saved");
    let whole = dir.read(FILE).expect("read").expect("there");
    crate::data_dir::write_synced(&dir.file(FILE), &whole[..whole.len() / 2]).expect("cut");
    let store = SettingsStore::open(Arc::clone(&dir), &[]).expect("opened with the previous one");
    assert_eq!(store.view().settings.listener.port, 9001);
    assert!(dir.read("settings.json.damaged").expect("read").is_some());
    let told = store.recovered().expect("a person is told");
    assert!(told.contains("settings.json") && told.contains("set aside"), "{told}");
}

#[test]
fn a_group_that_is_no_object_is_refused_and_never_taken_for_the_defaults() {
    let (_temp, dir) = dir();
    dir.replace(FILE, br#"{"schema":1,"revision":4,"settings":{"limits":[1]}}"#).expect("planted");
    let error = SettingsStore::open(dir, &[]).err().expect("refused").to_string();
    assert!(error.contains("limits"), "{error}");
}

#[test]
fn damage_without_a_previous_file_is_refused_and_nothing_is_written() {
    for content in ["", "{", "[]", "{\"schema\":1}", "\0\0\0\0", "{\"schema\":99,\"revision\":1,\"settings\":{}}"] {
        let (_temp, dir) = dir();
        dir.replace(FILE, content.as_bytes()).expect("planted");
        assert!(SettingsStore::open(Arc::clone(&dir), &[]).is_err(), "{content:?}");
        assert_eq!(dir.read(FILE).expect("read").as_deref(), Some(content.as_bytes()));
    }
}

#[test]
fn a_file_with_an_impossible_value_is_refused_by_the_fields_name() {
    let (_temp, dir) = dir();
    dir.replace(FILE, br#"{"schema":1,"revision":4,"settings":{"limits":{"retries":99}}}"#).expect("planted");
    let error = SettingsStore::open(dir, &[]).err().expect("refused").to_string();
    assert!(error.contains("limits.retries") && error.contains("settings.json"), "{error}");
}

#[test]
fn fields_of_a_later_version_survive_a_save() {
    let (_temp, dir) = dir();
    dir.replace(FILE, br#"{"schema":1,"revision":4,"settings":{"look":{"shine":true},"stars":{"n":1}}}"#)
        .expect("planted");
    let store = SettingsStore::open(Arc::clone(&dir), &[]).expect("opened");
    store.patch(4, &json!({"look": {"theme": "dark"}})).expect("saved");
    let text = String::from_utf8(dir.read(FILE).expect("read").expect("there")).expect("text");
    assert!(text.contains("shine") && text.contains("stars"), "{text}");
}

#[test]
fn the_first_port_is_found_once_and_remembered() {
    let (_temp, dir) = dir();
    let store = SettingsStore::open(Arc::clone(&dir), &[]).expect("opened");
    store.remember_first_port(|wish| Some(wish + 3)).expect("saved");
    store.remember_first_port(|_| panic!("asked again")).expect("nothing to do");
    assert_eq!(store.view().settings.listener.port, 8083);
    let (_temp, dir) = self::dir();
    let store = SettingsStore::open(dir, &[flag("listener.port", "9000")]).expect("opened");
    store.remember_first_port(|_| panic!("a flag said which")).expect("nothing to do");
}
