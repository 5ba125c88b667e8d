//! Where other programs keep their logins.

use super::*;

#[test]
fn places_are_those_of_each_system() {
    let paths = |system| -> Vec<String> {
        let links = places_of(&Bases::below(Path::new("/h"), system));
        links.into_iter().map(|link| link.path.replace('\\', "/")).collect()
    };
    assert_eq!(
        paths(System::Linux),
        [
            "/h/.aws/sso/cache/kiro-auth-token.json",
            "/h/.local/share/kiro-cli/data.sqlite3",
            "/h/.local/share/amazon-q/data.sqlite3"
        ]
    );
    assert_eq!(
        paths(System::Mac),
        [
            "/h/.aws/sso/cache/kiro-auth-token.json",
            "/h/Library/Application Support/kiro-cli/data.sqlite3",
            "/h/Library/Application Support/amazon-q/data.sqlite3"
        ]
    );
    assert_eq!(
        paths(System::Windows),
        [
            "/h/.aws/sso/cache/kiro-auth-token.json",
            "/h/AppData/Local/kiro-cli/data.sqlite3",
            "/h/AppData/Roaming/kiro-cli/data.sqlite3",
            "/h/AppData/Local/amazon-q/data.sqlite3",
            "/h/AppData/Roaming/amazon-q/data.sqlite3"
        ]
    );
}

#[test]
fn the_original_program_says_itself_where_its_logins_are() {
    let home = tempfile::tempdir().expect("a folder");
    let list = home.path().join(".kiro-proxy/config.json");
    std::fs::create_dir_all(home.path().join(".kiro-proxy/tokens")).expect("a folder");
    let always = places(Some(home.path())).len();
    let elsewhere = home.path().join("elsewhere.json");
    let named = json!({"accounts": [
        {"id": "a1", "token_path": "~/.aws/sso/cache/kiro-auth-token.json"},
        {"id": "a2", "token_path": "~/.kiro-proxy/tokens/second.json", "enabled": false},
        {"id": "a3", "token_path": "tokens/second.json"},
        {"id": "a4", "token_path": elsewhere.to_str().expect("text")},
        {"id": "a5", "token_path": 5},
        {"id": "a6"},
        "a7",
    ]});
    std::fs::write(&list, named.to_string()).expect("writes");
    let found = places(Some(home.path()));
    let own: Vec<&Link> = found.iter().filter(|link| link.owner == LinkOwner::KiroProxy).collect();
    let paths: Vec<PathBuf> = own.iter().map(|link| PathBuf::from(&link.path)).collect();
    assert_eq!(paths, [home.path().join(".kiro-proxy/tokens/second.json"), elsewhere], "the IDE's is the IDE's");
    std::fs::write(home.path().join(".kiro-proxy/tokens/second.json"), json!({"refreshToken": "r"}).to_string())
        .expect("writes");
    let login = read(own[0]).expect("reads").expect("signed in");
    assert_eq!(exposed(&login.refresh_token), Some("r"));
    assert!(matches!(read(own[1]), Ok(None)), "a file that is gone is no login");

    for broken in ["{\"accounts\": [", "[]", "{\"accounts\": 5}", ""] {
        std::fs::write(&list, broken).expect("writes");
        let found = places(Some(home.path()));
        assert_eq!(found.len(), always + 1, "{broken}");
        let error = read(found.last().expect("the list itself"));
        assert!(matches!(error, Err(OwnerError::Malformed { .. })), "{broken}: {error:?}");
    }
    std::fs::write(&list, "{}").expect("writes");
    assert_eq!(places(Some(home.path())).len(), always, "a list without accounts");
}
