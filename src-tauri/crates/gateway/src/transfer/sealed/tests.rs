use super::*;

fn passphrase(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

#[test]
fn what_was_sealed_opens_with_the_passphrase_and_with_no_other() {
    let sealed = seal(b"the accounts", &passphrase("correct horse battery")).expect("seals");
    assert!(is_sealed(&sealed));
    assert!(!sealed.contains("accounts\"") && !sealed.contains("horse"));
    let opened = open(&sealed, &passphrase("correct horse battery")).expect("opens");
    assert_eq!(opened.as_slice(), b"the accounts");
    let padded = format!("\u{feff}\r\n{sealed}\n");
    assert!(open(&padded, &passphrase("correct horse battery")).is_ok(), "an editor's line break");
    for wrong in ["", "correct horse batterz", "correct horse battery "] {
        assert_eq!(open(&sealed, &passphrase(wrong)), Err(SealError::WrongOrChanged));
    }
    let other = seal(b"the accounts", &passphrase("correct horse battery")).expect("seals");
    assert_ne!(sealed, other, "a salt and a nonce of its own each time");
}

/// Every position once, with the lowest bit: that is the change most likely to stay a valid character.
#[test]
fn every_changed_and_every_missing_byte_is_refused() {
    let secret = passphrase("correct horse battery");
    let sealed = seal(b"x", &secret).expect("seals");
    for at in 0..sealed.len() {
        let mut bytes = sealed.clone().into_bytes();
        *bytes.get_mut(at).expect("inside") ^= 1;
        let changed = String::from_utf8(bytes).expect("ASCII stays ASCII");
        assert!(open(&changed, &secret).is_err(), "byte {at}");
        let cut = sealed.get(..at).expect("ASCII");
        assert!(open(cut, &secret).is_err(), "cut at {at}");
    }
}

#[test]
fn a_file_cannot_ask_for_more_than_exports_cost() {
    let sealed = seal(b"x", &passphrase("correct horse battery")).expect("seals");
    for costs in [
        "m=4294967295,t=3,p=1",
        "m=65536,t=4294967295,p=1",
        "m=65536,t=3,p=16777215",
        "m=262145,t=3,p=1",
        "m=8,t=1,p=1",
        "m=65536,t=0,p=1",
        "m=65536,t=3,p=0",
    ] {
        let bomb = sealed.replacen("m=65536,t=3,p=1", costs, 1);
        assert_eq!(open(&bomb, &passphrase("correct horse battery")), Err(SealError::Costs), "{costs}");
    }
    for costs in ["m=065536,t=3,p=1", "m=65536,t=3", "t=3,m=65536,p=1", "m=-1,t=3,p=1", "m=99999999999,t=3,p=1"] {
        let odd = sealed.replacen("m=65536,t=3,p=1", costs, 1);
        assert!(matches!(open(&odd, &passphrase("x")), Err(SealError::NotSealed(_))), "{costs}");
    }
}

#[test]
fn other_files_are_not_sealed_exports() {
    for other in ["", "{}", "[]", "null", "{\"format\":\"kiro-proxy-accounts\"}", "PK\u{3}\u{4}"] {
        assert!(!is_sealed(other));
        assert!(matches!(open(other, &passphrase("x")), Err(SealError::NotSealed(_))), "{other}");
    }
}

/// Written by an independent implementation (argon2-cffi and PyNaCl); see `docs/export-format.md`.
#[test]
fn the_documented_example_opens() {
    const EXAMPLE: &str = include_str!("example.txt");
    let opened = open(EXAMPLE, &passphrase("correct horse battery staple")).expect("opens");
    assert_eq!(
        opened.as_slice(),
        br#"{"format":"kiro-proxy-accounts","version":1,"exportedAt":"2026-11-23T10:00:00Z","accounts":[]}"#
    );
}
