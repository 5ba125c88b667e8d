//! Rotated tokens on their way back to the owner.

use super::*;

#[test]
fn rotated_tokens_go_back_into_the_token_file_and_the_rest_of_it_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kiro-auth-token.json");
    let content = json!({"accessToken": "a", "refreshToken": "r", "expiresAt": "2026-11-23T10:00:00.000Z",
        "authMethod": "social", "provider": "Google", "profileArn": "arn", "unknown": {"b": 1, "a": 2}});
    std::fs::write(&path, content.to_string()).expect("writes");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("sets the mode");
    }
    let link = link(LinkOwner::KiroIde, &path);
    let login = read(&link).expect("reads").expect("signed in");
    let used = login.refresh_token.clone().expect("a token");
    write_back(&link, &used, &rotated(&login, "r2")).expect("writes");
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&path).expect("reads")).expect("JSON");
    let mut expected = content;
    expected["accessToken"] = "new-access".into();
    expected["refreshToken"] = "r2".into();
    expected["expiresAt"] = "2026-11-23T10:33:20.123Z".into();
    assert_eq!(written, expected);
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o640, "the owner's mode");
    }
    let before = picture(folder.path());
    assert_eq!(write_back(&link, &used, &login), Err(OwnerError::Changed(path.clone())), "it is not the token used");
    assert_same_picture(&before, &picture(folder.path()));
}

#[test]
fn rotated_tokens_go_back_into_the_database_and_the_rest_of_it_stays() {
    for journal in ["DELETE", "WAL"] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data.sqlite3");
        let case = cases("sqlite-rows").remove(0);
        let owner = database(&path, &case, journal);
        let link = link(LinkOwner::KiroCli, &path);
        let login = read(&link).expect("reads").expect("signed in");
        let used = login.refresh_token.clone().expect("a token");
        write_back(&link, &used, &rotated(&login, "r2")).expect("writes");
        let row = |key: &str| -> String {
            owner.query_row("SELECT value FROM auth_kv WHERE key = ?1", [key], |row| row.get(0)).expect("there")
        };
        let mut expected: Value =
            serde_json::from_str(case["content"]["auth_kv"][0]["value"].as_str().expect("text")).expect("JSON");
        expected["access_token"] = "new-access".into();
        expected["refresh_token"] = "r2".into();
        expected["expires_at"] = "2026-11-23T10:33:20.123Z".into();
        let found: Value = serde_json::from_str(&row("kirocli:odic:token")).expect("JSON");
        assert_eq!(found, expected, "{journal}");
        assert_eq!(
            row("kirocli:odic:device-registration"),
            case["content"]["auth_kv"][1]["value"].as_str().expect("text")
        );
        assert_eq!(write_back(&link, &used, &login), Err(OwnerError::Changed(path.clone())), "{journal}");
        assert_eq!(row("kirocli:odic:token"), found.to_string());
    }
}
