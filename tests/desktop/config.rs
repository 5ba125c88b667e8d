//! What the shipped configuration lets a page do, against a golden list. A change here is a security decision.
#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn config() -> Value {
    serde_json::from_slice(&std::fs::read(root().join("tauri.conf.json")).unwrap()).unwrap()
}

#[test]
fn the_page_may_do_what_the_golden_list_says_and_nothing_else() {
    let app = &config()["app"];
    let permissions: Vec<String> = std::fs::read_dir(root().join("src-tauri/permissions"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let allowed: Vec<&str> = permissions
        .iter()
        .flat_map(|file| file.lines())
        .filter(|line| line.starts_with("identifier") || line.starts_with("commands"))
        .collect();
    let shipped = json!({
        "security": app["security"],
        "withGlobalTauri": app["withGlobalTauri"],
        "windows": app["windows"],
        "plugins": config()["plugins"],
        "devUrl": config()["build"]["devUrl"],
        "permissions": allowed,
    });
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/desktop/golden/security.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    assert_eq!(shipped, golden, "shipped:\n{shipped:#}");
}

#[test]
fn capabilities_are_said_in_one_place_only() {
    for folder in ["capabilities", "src-tauri/capabilities", "permissions"] {
        assert!(!root().join(folder).exists(), "{folder} would widen what the page may do, unseen by the golden list");
    }
}

#[test]
fn every_picture_the_configuration_names_is_there() {
    for icon in config()["bundle"]["icon"].as_array().unwrap() {
        assert!(root().join(icon.as_str().unwrap()).is_file(), "{icon}");
    }
    for state in ["off", "ready", "busy", "attention"] {
        for size in [16, 22, 24, 32, 48, 64] {
            assert!(root().join(format!("icons/tray/{state}-{size}.png")).is_file(), "{state} {size}");
        }
    }
}
