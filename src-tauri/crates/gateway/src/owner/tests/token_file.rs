//! The IDE's token file, its registration and its active profile.

use super::*;

#[test]
fn token_files_of_the_ide_are_read_with_their_registration_and_nothing_changes() {
    let mut read_cases = 0;
    for case in cases("files").iter().chain(cases("json").iter().filter(|case| case["format"] == "kiro-ide-token")) {
        let name = case["source_path"].to_string();
        let folder = tempfile::tempdir().expect("a folder");
        let files = if case["kind"] == "files" {
            case["content"].clone()
        } else {
            json!({"kiro-auth-token.json": case["content"]})
        };
        for (file, content) in files.as_object().expect("files") {
            std::fs::write(folder.path().join(file), content.to_string()).expect("writes");
        }
        let before = picture(folder.path());
        let login = read(&link(LinkOwner::KiroIde, &folder.path().join("kiro-auth-token.json")));
        compare(&name, &login.expect("reads").expect("signed in"), &case["expected"][0]);
        assert_same_picture(&before, &picture(folder.path()));
        read_cases += 1;
    }
    assert!(read_cases >= 5, "{read_cases}");
}

#[test]
fn only_regular_files_of_bounded_size_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let read_at = |name: &str| read(&link(LinkOwner::KiroIde, &at(name)));
    assert!(matches!(read_at("missing"), Ok(None)));
    assert_eq!(read(&link(LinkOwner::KiroIde, folder.path())).err(), Some(OwnerError::NotAFile(folder.path().into())));
    std::fs::write(at("large"), vec![b' '; 2 * 1024 * 1024]).expect("writes");
    assert_eq!(read_at("large").err(), Some(OwnerError::TooLarge(at("large"))));
    std::fs::write(at("latin"), b"{\"refreshToken\": \"\xe9\"}").expect("writes");
    assert_eq!(read_at("latin").err().map(|error| error.code()), Some("owner_malformed"));
    #[cfg(unix)]
    {
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
        assert_eq!(read_at("pipe").err(), Some(OwnerError::NotAFile(at("pipe"))), "and it does not wait for a writer");
        let content = json!({"refreshToken": "r", "authMethod": "social"}).to_string();
        std::fs::write(at("real"), &content).expect("writes");
        std::os::unix::fs::symlink(at("real"), at("link")).expect("links");
        let login = read_at("link").expect("reads").expect("a login of this user behind a link");
        let used = login.refresh_token.clone().expect("there");
        let written = write_back(&link(LinkOwner::KiroIde, &at("link")), &used, &rotated(&login, "r2"));
        assert_eq!(written, Err(OwnerError::IsLink(at("link"))));
        assert_eq!(std::fs::read_to_string(at("real")).expect("reads"), content);
    }
}

#[test]
fn a_client_id_hash_cannot_lead_to_another_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("cache");
    std::fs::create_dir(&inner).expect("a folder");
    std::fs::write(folder.path().join("secrets.json"), json!({"clientId": "c", "clientSecret": "s"}).to_string())
        .expect("writes");
    let token = json!({"refreshToken": "r", "authMethod": "IdC", "clientIdHash": "../secrets"});
    std::fs::write(inner.join("kiro-auth-token.json"), token.to_string()).expect("writes");
    let found = read(&link(LinkOwner::KiroIde, &inner.join("kiro-auth-token.json")));
    assert_eq!(found.err().map(|error| error.code()), Some("owner_malformed"));
}

/// The IDE's token file in a home folder, and what stands as its active profile.
fn ide_with_profile(home: &Path, extension: &str, profile: &str, token: &Value) -> PathBuf {
    let (file, profiles) = (home.join(".aws/sso/cache/kiro-auth-token.json"), {
        let data = match System::here() {
            System::Linux => home.join(".config/Kiro"),
            System::Mac => home.join("Library/Application Support/Kiro"),
            System::Windows => home.join("AppData/Roaming/Kiro"),
        };
        data.join("User/globalStorage").join(extension)
    });
    for folder in [file.parent().expect("a folder"), &profiles] {
        std::fs::create_dir_all(folder).expect("a folder");
    }
    std::fs::write(&file, token.to_string()).expect("writes");
    std::fs::write(profiles.join("profile.json"), profile).expect("writes");
    file
}

#[test]
fn the_active_profile_of_the_ide_is_taken_where_the_token_names_none() {
    let own = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/EXAMPLEIDCEU";
    let said = "arn:aws:codewhisperer:us-east-1:111122223333:profile/EXAMPLEIDCUS";
    let idc =
        json!({"refreshToken": "r", "authMethod": "IdC", "clientId": "c", "clientSecret": "s", "region": "eu-west-1"});
    let with_own =
        json!({"refreshToken": "r", "authMethod": "IdC", "clientId": "c", "clientSecret": "s", "profileArn": said});
    let social = json!({"refreshToken": "r", "authMethod": "social"});
    let good = json!({"arn": own, "name": "KiroProfile-eu-central-1"}).to_string();
    for (extension, profile, token, expected) in [
        ("kiro.kiroagent", good.as_str(), &idc, Some(own)),
        ("kiro.kiro-agent", &good, &idc, Some(own)),
        ("kiro.kiroagent", &good, &with_own, Some(said)),
        ("kiro.kiroagent", &good, &social, None),
        ("kiro.kiroagent", "{\"arn\": \"arn:aws:codewhisperer:evil.example:111122223333:profile/A\"}", &idc, None),
        ("kiro.kiroagent", "{\"arn\": 5}", &idc, None),
        ("kiro.kiroagent", "{\"arn\": \"arn:aws", &idc, None),
        ("another.extension", &good, &idc, None),
    ] {
        let home = tempfile::tempdir().expect("a folder");
        let file = ide_with_profile(home.path(), extension, profile, token);
        let login = read(&link(LinkOwner::KiroIde, &file)).expect("reads").expect("signed in");
        assert_eq!(login.profile_arn.as_deref(), expected, "{extension} {profile} {token}");
    }
    // A file with the same name elsewhere is not the IDE's own.
    let home = tempfile::tempdir().expect("a folder");
    ide_with_profile(home.path(), "kiro.kiroagent", &good, &idc);
    let copy = home.path().join("kiro-auth-token.json");
    std::fs::write(&copy, idc.to_string()).expect("writes");
    let login = read(&link(LinkOwner::KiroIde, &copy)).expect("reads").expect("signed in");
    assert_eq!(login.profile_arn, None);
}
