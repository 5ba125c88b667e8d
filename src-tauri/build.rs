//! Checks `tauri.conf.json`, compiles the window's permissions and, on Windows, adds icon and manifest to the program.

fn main() {
    println!("cargo:rerun-if-changed=src-tauri/permissions");
    let attributes = tauri_build::Attributes::new()
        .app_manifest(tauri_build::AppManifest::new().permissions_path_pattern("./src-tauri/permissions/*.toml"));
    if let Err(error) = tauri_build::try_build(attributes) {
        panic!("tauri.conf.json or src-tauri/permissions: {error:#}");
    }
}
