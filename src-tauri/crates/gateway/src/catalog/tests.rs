use super::*;
use crate::account::test_account as account;

fn model(id: &str) -> UpstreamModel {
    UpstreamModel {
        id: id.into(),
        name: id.into(),
        window: Some(200_000),
        max_output: None,
        images: true,
        multiplier: None,
        fields_schema: Some(serde_json::json!({"type": "object"})),
    }
}

#[test]
fn clients_spellings_find_the_upstreams_id() {
    let catalog = Catalog::default();
    for (wish, id) in [
        ("claude-sonnet-4.5", "claude-sonnet-4.5"),
        ("claude-sonnet-4-5", "claude-sonnet-4.5"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4.5"),
        ("Claude-Sonnet-4-5-Latest", "claude-sonnet-4.5"),
        ("claude-opus-4-6[1m]", "claude-opus-4.6"),
        ("claude-opus-4-6-thinking", "claude-opus-4.6"),
        ("kiro/claude-haiku-4-5-20251001", "claude-haiku-4.5"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("claude-opus-5", "claude-opus-5"),
        ("gpt-5.6-sol", "gpt-5.6-sol"),
        ("auto", "auto"),
        ("", "auto"),
    ] {
        assert_eq!(catalog.resolve(wish, "auto", &[]).expect(wish).id, id, "{wish}");
    }
}

#[test]
fn an_unknown_name_passes_through_until_the_list_is_known() {
    let catalog = Catalog::default();
    let account = Arc::new(account("a"));
    let pool = [Arc::clone(&account)];
    assert_eq!(catalog.resolve("claude-opus-9-9", "auto", &pool).expect("passed on").id, "claude-opus-9.9");
    catalog.learned(&account.id, vec![model("claude-opus-4.7"), model("auto")]);
    let failure = catalog.resolve("claude-opus-9-9", "auto", &pool).expect_err("unknown");
    assert_eq!((failure.class, failure.code), (FailureClass::NotFound, "unknown_model"));
    assert!(failure.message.contains("Did you mean claude-opus-4.7?"), "{}", failure.message);
    assert!(!catalog.resolve("zzzzzzzzzzzz", "auto", &pool).expect_err("unknown").message.contains("Did you mean"));
}

#[test]
fn a_model_that_refused_additional_fields_is_not_sent_any_again() {
    let catalog = Catalog::default();
    let account = Arc::new(account("a"));
    let pool = [Arc::clone(&account)];
    catalog.learned(&account.id, vec![model("m")]);
    assert!(catalog.resolve("m", "auto", &pool).expect("known").fields_schema.is_some());
    catalog.takes_no_fields("m");
    assert!(catalog.resolve("m", "auto", &pool).expect("known").fields_schema.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_list_is_asked_for_once_and_again_when_it_is_old() {
    let catalog = Catalog::default();
    let account = Arc::new(account("a"));
    let id = account.id.clone();
    assert!(catalog.wants(&id));
    catalog.missed(&id);
    assert!(!catalog.wants(&id));
    tokio::time::advance(PAUSE * 2).await;
    assert!(catalog.wants(&id));
    catalog.learned(&id, vec![model("m")]);
    tokio::time::advance(PAUSE * 2).await;
    assert!(!catalog.wants(&id));
    catalog.missed(&id);
    assert_eq!(catalog.union(&[account]).len(), 1, "the last good list stays");
}
