//! What every store must do. Run over each of them, the real keychain of this machine included (`tests/keychain_real.rs`).

use secrecy::{ExposeSecret, SecretString};

use super::{AccountId, CredentialStore, SecretId, Secrets, StoreState};

/// Around the limits of parts, up to a mebibyte, growing and shrinking.
pub(super) const ALL_SIZES: [usize; 12] = [0, 1, 2_300, 2_399, 2_400, 2_401, 4_800, 10_000, 1 << 20, 3, 2_560, 64];

fn refresh(text: &str) -> Secrets {
    Secrets { refresh_token: Some(SecretString::from(text)), ..Secrets::default() }
}

fn shown(found: Option<Secrets>) -> Option<String> {
    found.and_then(|found| found.refresh_token).map(|token| token.expose_secret().to_owned())
}

/// The promises of the trait. Leaves no record behind.
pub(super) fn keeps_the_contract(store: &dyn CredentialStore, sizes: &[usize]) {
    let (a, b) = (SecretId::account(&AccountId::random()), SecretId::account(&AccountId::random()));
    assert!(store.load(&a).expect("loads").is_none());
    store.delete(&a).expect("nothing to delete is fine");
    store.confirm(&a).expect("nothing to confirm is fine");
    assert!(store.load_previous(&a).expect("loads").is_none());
    every_secret_of_a_record_is_kept(store, &a);
    records_do_not_touch_each_other(store, &a, &b);
    what_was_saved_last_is_provisional_until_it_is_confirmed(store, &a);
    for size in sizes {
        let long = "ü\u{1F600}\"\\\n".chars().cycle().take(*size).collect::<String>();
        store.save(&a, &refresh(&long)).expect("saves");
        assert!(shown(store.load(&a).expect("loads")).as_deref() == Some(&long), "{size} characters");
    }
    store.probe().expect("works");
    assert_eq!(store.state(), StoreState::Ready);
    for id in [&a, &b] {
        store.delete(id).expect("deletes");
        assert!(store.load(id).expect("loads").is_none() && store.load_previous(id).expect("loads").is_none());
    }
}

fn every_secret_of_a_record_is_kept(store: &dyn CredentialStore, a: &SecretId) {
    let all = Secrets {
        refresh_token: Some(SecretString::from("r")),
        client_secret: Some(SecretString::from("c")),
        api_key: Some(SecretString::from("k")),
        client_key: Some(SecretString::from("p")),
        data_key: Some(SecretString::from("d")),
        proxy_credentials: Some(SecretString::from("u:p")),
    };
    store.save(a, &all).expect("saves");
    let back = store.load(a).expect("loads").expect("there");
    let text = |secret: &Option<SecretString>| secret.as_ref().map(|s| s.expose_secret().to_owned());
    assert_eq!(text(&back.refresh_token).as_deref(), Some("r"));
    assert_eq!(text(&back.client_secret).as_deref(), Some("c"));
    assert_eq!(text(&back.api_key).as_deref(), Some("k"));
    assert_eq!(text(&back.client_key).as_deref(), Some("p"));
    assert_eq!(text(&back.data_key).as_deref(), Some("d"));
    assert_eq!(text(&back.proxy_credentials).as_deref(), Some("u:p"));
    // A later save replaces the whole record, not single fields.
    store.save(a, &refresh("only")).expect("saves");
    let back = store.load(a).expect("loads").expect("there");
    assert!(back.client_secret.is_none() && back.api_key.is_none());
}

fn records_do_not_touch_each_other(store: &dyn CredentialStore, a: &SecretId, b: &SecretId) {
    store.save(b, &refresh("other")).expect("saves");
    store.delete(a).expect("deletes");
    assert!(store.load(a).expect("loads").is_none());
    assert_eq!(shown(store.load(b).expect("loads")).as_deref(), Some("other"));
    // After a delete the record can come back.
    store.save(a, &refresh("again")).expect("saves");
    assert_eq!(shown(store.load(a).expect("loads")).as_deref(), Some("again"));
}

/// The record before it and the last confirmed one are kept.
fn what_was_saved_last_is_provisional_until_it_is_confirmed(store: &dyn CredentialStore, a: &SecretId) {
    let previous = || shown(store.load_previous(a).expect("loads"));
    store.confirm(a).expect("confirms");
    assert_eq!(previous(), None);
    store.save(a, &refresh("second")).expect("saves");
    assert_eq!(previous().as_deref(), Some("again"));
    store.save(a, &refresh("third")).expect("saves");
    assert_eq!(previous().as_deref(), Some("second"));
    assert_eq!(shown(store.load(a).expect("loads")).as_deref(), Some("third"));
    store.confirm(a).expect("confirms");
    store.confirm(a).expect("a second time is fine");
    assert_eq!(previous(), None);
    assert_eq!(shown(store.load(a).expect("loads")).as_deref(), Some("third"));
}
