//! Every row of the table of known names, and names that nobody knows.

use super::*;

#[test]
fn spellings_of_an_offered_model_are_that_model() {
    let house = house(&[&PAID]);
    for (wish, id) in [
        ("claude-sonnet-4.5", "claude-sonnet-4.5"),
        ("claude-sonnet-4-5", "claude-sonnet-4.5"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4.5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4.5"),
        ("Claude-Sonnet-4-5-Latest", "claude-sonnet-4.5"),
        ("CLAUDE-OPUS-5", "claude-opus-5"),
        ("claude-opus-4-8[1m]", "claude-opus-4.8"),
        ("claude-opus-4-8-thinking", "claude-opus-4.8"),
        ("claude-4.5-sonnet", "claude-sonnet-4.5"),
        ("claude-4-5-sonnet", "claude-sonnet-4.5"),
        ("sonnet-4.5", "claude-sonnet-4.5"),
        ("opus-4-8", "claude-opus-4.8"),
        ("kiro/claude-haiku-4-5-20251001", "claude-haiku-4.5"),
        ("anthropic/claude-sonnet-5", "claude-sonnet-5"),
        ("openrouter/anthropic/claude-sonnet-4.5", "claude-sonnet-4.5"),
        ("models/claude-sonnet-4-5", "claude-sonnet-4.5"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4.5"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("gpt-5.6-sol", "gpt-5.6-sol"),
        ("openai/gpt-5.6-sol", "gpt-5.6-sol"),
        ("qwen3-coder-next", "qwen3-coder-next"),
        ("auto", "auto"),
        ("", "auto"),
        ("  auto ", "auto"),
    ] {
        assert_eq!(meant(&house, wish), (id.to_owned(), Decider::Name), "{wish}");
    }
}

#[test]
fn every_known_name_means_an_offered_model() {
    let house = house(&[&PAID]);
    for (row, wish, id) in [
        ("B5.2", "claude-3-5-sonnet", "claude-sonnet-4"),
        ("B5.2", "claude-3-5-sonnet-20241022", "claude-sonnet-4"),
        ("B5.2", "claude-3-5-sonnet-latest", "claude-sonnet-4"),
        ("B5.2", "claude-3-5-sonnet-v2", "claude-sonnet-4"),
        ("B5.2", "anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-sonnet-4"),
        ("B5.2", "claude-3-sonnet-20240229", "claude-sonnet-4"),
        ("B5.3", "claude-3-5-haiku-20241022", "claude-haiku-4.5"),
        ("B5.3", "claude-3-haiku-20240307", "claude-haiku-4.5"),
        ("B5.4", "claude-3-opus-20240229", "claude-opus-4.5"),
        ("B5.4", "claude-4-opus", "claude-opus-4.5"),
        ("B5.4", "claude-opus-4-1-20250805", "claude-opus-4.5"),
        ("B5.5", "gpt-4o", "claude-sonnet-5"),
        ("B5.5", "gpt-4o-2024-08-06", "claude-sonnet-5"),
        ("B5.5", "chatgpt-4o-latest", "claude-sonnet-5"),
        ("B5.5", "gpt-4", "claude-sonnet-5"),
        ("B5.5", "gpt-4-turbo", "claude-sonnet-5"),
        ("B5.5", "gpt-4o-mini", "claude-haiku-4.5"),
        ("B5.5", "gpt-4.1-nano", "claude-haiku-4.5"),
        ("B5.5", "gpt-3.5-turbo", "claude-haiku-4.5"),
        ("B5.5", "gpt-3.5-turbo-0125", "claude-haiku-4.5"),
        ("B5.6", "o1", "claude-opus-5"),
        ("B5.6", "o1-preview", "claude-opus-5"),
        ("B5.6", "o3", "claude-opus-5"),
        ("B5.6", "o1-mini", "claude-sonnet-5"),
        ("B5.6", "o3-mini", "claude-sonnet-5"),
        ("B5.6", "o4-mini", "claude-sonnet-5"),
        ("B5.7", "gemini-2.0-flash", "claude-sonnet-5"),
        ("B5.7", "gemini-1.5-flash", "claude-sonnet-5"),
        ("B5.7", "gemini-2.5-flash", "claude-sonnet-5"),
        ("B5.7", "gemini-1.5-pro", "claude-sonnet-5"),
        ("B5.7", "models/gemini-2.5-pro", "claude-sonnet-5"),
        ("B5.7", "gemini-2.0-flash-thinking", "claude-opus-5"),
        ("B5.7", "gemini-2.0-flash-thinking-exp", "claude-opus-5"),
        ("gemini", "gemini-3.5-flash-lite", "claude-haiku-4.5"),
        ("gemini", "gemini-3.8-flash", "claude-sonnet-5"),
        ("gemini", "gemini-3.1-pro-preview-customtools", "claude-sonnet-5"),
        ("gemini", "gemini-3-flash-preview", "claude-sonnet-5"),
        ("B5.8", "sonnet", "claude-sonnet-5"),
        ("B5.8", "haiku", "claude-haiku-4.5"),
        ("B5.8", "opus", "claude-opus-5"),
        ("B5.8", "claude-opus-latest", "claude-opus-5"),
        ("B5.8", "claude", "claude-sonnet-5"),
        ("B5.9", "auto-kiro", "auto"),
        ("gpt", "gpt-5", "gpt-5.6-sol"),
        ("gpt", "gpt-5-mini", "gpt-5.6-luna"),
        ("gpt", "gpt-5.5", "gpt-5.6-sol"),
        ("gpt", "gpt-6.1-sol", "gpt-5.6-sol"),
        ("gpt", "gpt-6-terra", "gpt-5.6-terra"),
        ("gpt", "gpt-5.1-codex-max", "gpt-5.6-sol"),
        ("gpt", "codex-auto-review", "gpt-5.6-sol"),
        ("maker", "deepseek", "deepseek-3.2"),
        ("maker", "qwen", "qwen3-coder-next"),
        ("old", "claude-instant-1.2", "claude-haiku-4.5"),
    ] {
        assert_eq!(meant(&house, wish), (id.to_owned(), Decider::Alias), "{row}: {wish}");
    }
}

#[test]
fn a_free_account_gets_what_it_has_for_foreign_names_and_never_a_lesser_claude() {
    let house = house(&[&FREE]);
    for (wish, id) in [
        ("gpt-4o", "claude-sonnet-4.5"),
        ("gpt-6.1-sol", "claude-sonnet-4.5"),
        ("gpt-5-mini", "claude-haiku-4.5"),
        ("o3", "claude-sonnet-4.5"),
        ("gemini-2.0-flash-thinking", "claude-sonnet-4.5"),
    ] {
        assert_eq!(meant(&house, wish), (id.to_owned(), Decider::Alias), "{wish}");
    }
    for (wish, passed) in [
        ("opus", "claude-opus"),
        ("claude-3-opus", "claude-opus-3"),
        ("claude-opus-5", "claude-opus-5"),
        ("claude-sonnet-4-6", "claude-sonnet-4.6"),
        ("claude-sonnet-5-5", "claude-sonnet-5.5"),
    ] {
        assert_eq!(meant(&house, wish), (passed.to_owned(), Decider::PassedOn), "{wish}");
    }
}

#[test]
fn b5_10_the_hidden_model_goes_by_the_id_that_no_list_shows() {
    let house = house(&[&PAID]);
    for wish in ["claude-3.7-sonnet", "claude-3-7-sonnet", "claude-3-7-sonnet-20250219", "claude-3-7-sonnet-latest"] {
        let resolved = house.0.resolve(wish, &NO_RULES, &house.1).expect("a name");
        assert_eq!(resolved.id, "CLAUDE_3_7_SONNET_20250219_V1_0", "{wish}");
        assert_eq!((resolved.trace.by, resolved.trace.offered), (Decider::Alias, false));
        assert_eq!(resolved.fields_schema, None);
    }
}

#[test]
fn b5_11_unknown_names_are_passed_on_as_they_are() {
    let house = house(&[&PAID]);
    for (wish, passed) in [
        ("CLAUDE_SONNET_4_5_20250929_V1_0", "CLAUDE_SONNET_4_5_20250929_V1_0"),
        ("mistral-large-latest", "mistral-large-latest"),
        ("org/some-model-max", "org/some-model-max"),
        ("claude-opus-9-9-20300101", "claude-opus-9.9"),
        ("minimax-m2.1", "minimax-m2.1"),
        ("claude-opus-4-6-fast", "claude-opus-4.6-fast"),
    ] {
        assert_eq!(meant(&house, wish), (passed.to_owned(), Decider::PassedOn), "{wish}");
    }
    for wish in ["two words", "line\nbreak", &"x".repeat(300)] {
        let failure = house.0.resolve(wish, &NO_RULES, &house.1).expect_err("no name");
        assert_eq!((failure.class, failure.code), (FailureClass::NotFound, "unknown_model"));
    }
}

#[test]
fn when_the_upstream_refuses_a_name_the_nearest_offered_one_is_told() {
    let (catalog, pool) = house(&[&PAID]);
    let message = catalog.unknown("claude-opus-4-7", &pool).message;
    assert!(message.contains("Did you mean claude-opus-4.8?"), "{message}");
    assert!(!catalog.unknown("zzzzzzzzzzzzzzzz", &pool).message.contains("Did you mean"));
    let nobody_asked = Catalog::default().unknown("claude-opus-4-7", &pool).message;
    assert!(!nobody_asked.contains("Did you mean"), "the table is no list: {nobody_asked}");
    assert!(!catalog.unknown("a\u{7}b", &pool).message.contains('\u{7}'));
}
