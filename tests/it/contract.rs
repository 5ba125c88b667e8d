//! The house keeps its own rules: every fixture is used by a test, every test folder is listed.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn sources(folder: &Path, found: &mut String) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("readable").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !matches!(name, "target" | "node_modules" | "dist" | "fixtures" | ".git" | "gen") {
            sources(&path, found);
        } else if matches!(path.extension().and_then(|e| e.to_str()), Some("rs" | "ts" | "py" | "mjs" | "sh" | "toml"))
        {
            found.push_str(&std::fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

#[test]
fn every_folder_of_fixtures_is_used_by_a_test() {
    let mut text = String::new();
    for folder in ["src-tauri", "tests", "ui/src", "ui/tests", "scripts"] {
        sources(&root().join(folder), &mut text);
    }
    let folders: Vec<PathBuf> =
        std::fs::read_dir(root().join("tests/fixtures")).expect("fixtures").map(|e| e.unwrap().path()).collect();
    assert!(!folders.is_empty());
    for folder in folders {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        // Golden suites name their folder alone; the harness knows where it is.
        let read = text.contains(&format!("fixtures/{name}")) || text.contains(&format!("folder: \"{name}\""));
        assert!(read, "no test reads tests/fixtures/{name}");
    }
}

#[test]
fn every_module_of_these_tests_is_listed() {
    let here = root().join("tests/it");
    let main = std::fs::read_to_string(here.join("main.rs")).expect("main.rs");
    for entry in std::fs::read_dir(here).expect("a folder") {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        assert!(module == "main" || main.contains(&format!("mod {module};")), "{name} is never run");
    }
}
