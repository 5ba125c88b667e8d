//! Every sample cut at every length, and what else can be wrong with a file: an answer with words, never a panic, and
//! never half an account.

use super::*;

/// The texts of all cases, as a person would hand them in.
fn texts() -> Vec<(String, String)> {
    let samples = samples();
    let mut texts = Vec::new();
    for case in samples["cases"].as_array().expect("a list") {
        let name = case["format"].to_string();
        match case["kind"].as_str().expect("a kind") {
            "text" => texts.push((name, case["content"].as_str().expect("text").to_owned())),
            "json" => texts.push((name, case["content"].to_string())),
            "files" => {
                let files = case["content"].as_object().expect("files");
                texts.extend(files.iter().map(|(file, content)| (format!("{name} {file}"), content.to_string())));
            }
            "sqlite-rows" => {}
            other => panic!("unknown kind {other}"),
        }
    }
    texts
}

#[test]
fn a_sample_cut_at_any_length_never_becomes_another_account() {
    let mut cuts = 0;
    for (name, text) in texts() {
        let whole: Vec<String> = tokens(&read(&text));
        for (length, _) in text.char_indices() {
            let cut = text.get(..length).expect("a boundary");
            let report = read(cut);
            cuts += 1;
            for token in tokens(&report) {
                // A list of lines can be cut between two lines; a token itself is whole or refused.
                let known = whole.contains(&token)
                    || (name.contains("plain") || name.contains("txt") || name.contains("env")) && token.len() >= 100
                    || name.contains("plain-api-key");
                assert!(known, "{name} cut at {length}: {} characters of a token", token.len());
            }
            if report.accounts.is_empty() && !cut.trim().is_empty() {
                assert!(!report.rejected.is_empty(), "{name} cut at {length}: silence");
            }
            for rejected in &report.rejected {
                assert!(!rejected.message.contains("EXAMPLE-"), "{name} cut at {length}: {}", rejected.message);
            }
        }
    }
    assert!(cuts > 10_000, "{cuts}");
}

fn tokens(report: &ImportReport) -> Vec<String> {
    let secrets = report.accounts.iter().flat_map(|new| [&new.secrets.refresh_token, &new.secrets.api_key]);
    secrets.flatten().map(|secret| secret.expose_secret().to_owned()).collect()
}

#[test]
fn odd_json_is_answered_with_words() {
    let token = "EXAMPLE-refresh-".repeat(8);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_field =
        format!("{{\"refreshToken\": \"{token}\", \"x\": {}1{}}}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    for (text, code) in [
        (deep, "not_json"),
        (deep_field, "not_json"),
        (format!("{{\"refreshToken\": \"{token}\\ud800\"}}"), "not_json"),
        (format!("{{\"refreshToken\": \"{token}\", \"email\": \"\\udfff\"}}"), "not_json"),
        (format!("{{\"refreshToken\": \"{token}\", \"expiresAt\": 1e999}}"), "not_json"),
        (format!("{{\"refreshToken\": \"{token}\", \"expiresAt\": -5}}"), "wrong_type"),
        (format!("{{\"refreshToken\": \"{token}\", \"expiresAt\": 1e300}}"), "wrong_type"),
        (format!("{{\"refreshToken\": \"{token}\", \"expiresAt\": true}}"), "wrong_type"),
        (format!("{{\"refreshToken\": {{\"a\": \"{token}\"}}}}"), "wrong_type"),
        (format!("{{\"refreshToken\": \"{token}\", \"disabled\": \"yes\"}}"), "wrong_type"),
        (format!("{{\"refreshToken\": \"{}\"}}", "x".repeat(70_000)), "secret_malformed"),
        (format!("{{\"refreshToken\": \"{token}\u{202e}\"}}"), "secret_malformed"),
        (format!("{{\"accounts\": {{\"refreshToken\": \"{token}\"}}}}"), "format_not_recognised"),
        (format!("{{\"credentials\": {{}}, \"email\": \"{token}\"}}"), "refresh_token_missing"),
    ] {
        let report = read(&text);
        let shown: String = text.chars().take(80).collect();
        assert!(report.accounts.is_empty(), "{shown}");
        assert_eq!(report.rejected.iter().map(|rejected| rejected.code).collect::<Vec<_>>(), [code], "{shown}");
    }
}

#[test]
fn a_field_given_twice_is_one_account_and_a_far_time_is_a_time() {
    let (first, second) = ("EXAMPLE-first-".repeat(10), "EXAMPLE-second-".repeat(10));
    let report = read(&format!("{{\"refreshToken\": \"{first}\", \"refreshToken\": \"{second}\"}}"));
    assert_eq!(tokens(&report), [second.as_str()], "as every JSON reader does: the last one");
    for end in ["253402300799", "8999999999999999", "\"9999-12-31T23:59:59Z\""] {
        let report = read(&format!("{{\"refreshToken\": \"{first}\", \"accessToken\": \"a\", \"expiresAt\": {end}}}"));
        assert_eq!(report.accounts.len(), 1, "{end}: {:?}", report.rejected);
    }
}

#[test]
fn an_ended_registration_is_taken_in_with_a_warning() {
    let samples = samples();
    let case =
        samples["cases"].as_array().expect("a list").iter().find(|case| case["kind"] == "files").expect("a case");
    let files = case["content"].as_object().expect("files");
    let companions: Vec<Companion> = files
        .iter()
        .filter(|(name, _)| *name != "kiro-auth-token.json")
        .map(|(name, content)| {
            let mut content = content.clone();
            content["expiresAt"] = "2026-01-01T00:00:00Z".into();
            Companion { name: name.clone(), content: content.to_string() }
        })
        .collect();
    let report = import(&files["kiro-auth-token.json"].to_string(), &companions, &context());
    assert_eq!(report.accounts[0].warnings, [AccountWarning::RegistrationEnded]);
}
