//! The document that the typed client of the user interface is generated from.
#![expect(clippy::disallowed_methods, reason = "reads UPDATE_GOLDEN and rewrites a committed file when asked to")]

use std::path::Path;

#[test]
fn the_committed_openapi_document_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../ui/src/api/openapi.json");
    let fresh = super::openapi_document();
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        std::fs::create_dir_all(path.parent().expect("has a parent")).expect("folder");
        std::fs::write(&path, &fresh).expect("written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == fresh, "run the test with UPDATE_GOLDEN=1 and commit {}", path.display());
}
