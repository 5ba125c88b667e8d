//! Wishes that are part of a name.

use super::*;

#[test]
fn suffixes_wish_for_thinking_and_effort() {
    let (catalog, pool) = house(&[&PAID]);
    let wishes = |wish: &str| {
        let resolved = catalog.resolve(wish, &NO_RULES, &pool).expect("a name");
        (resolved.id, resolved.thinking, resolved.effort)
    };
    for (wish, id, thinking, effort) in [
        ("claude-opus-5-thinking", "claude-opus-5", true, None),
        ("claude-opus-5-high", "claude-opus-5", false, Some(Effort::High)),
        ("claude-opus-5(high)", "claude-opus-5", false, Some(Effort::High)),
        ("claude-opus-5-xhigh", "claude-opus-5", false, Some(Effort::XHigh)),
        ("claude-opus-4-8-max-thinking", "claude-opus-4.8", true, Some(Effort::Max)),
        ("claude-opus-4-8-thinking-low", "claude-opus-4.8", true, Some(Effort::Low)),
        ("kiro/opus-thinking(medium)", "claude-opus-5", true, Some(Effort::Medium)),
        ("gpt-5.6-sol-high", "gpt-5.6-sol", false, Some(Effort::High)),
        ("o3-mini-high", "claude-sonnet-5", false, Some(Effort::High)),
        ("gpt-5.1-codex-max", "gpt-5.6-sol", false, None),
        ("claude-sonnet-5", "claude-sonnet-5", false, None),
    ] {
        assert_eq!(wishes(wish), (id.to_owned(), thinking, effort), "{wish}");
    }
    catalog.learned(&pool[0].id, vec![model("claude-opus-5"), model("claude-opus-5-high")]);
    assert_eq!(
        wishes("claude-opus-5-high"),
        ("claude-opus-5-high".to_owned(), false, None),
        "an offered id comes first"
    );
}

#[test]
fn the_long_variant_is_taken_where_there_is_one() {
    let house = house(&[&["claude-sonnet-4.6", "claude-sonnet-4.6-1m", "claude-opus-4.6"]]);
    for (wish, id) in [
        ("claude-sonnet-4-6[1m]", "claude-sonnet-4.6-1m"),
        ("claude-sonnet-4-6", "claude-sonnet-4.6"),
        ("claude-opus-4-6[1m]", "claude-opus-4.6"),
    ] {
        assert_eq!(meant(&house, wish).0, id, "{wish}");
    }
}

#[test]
fn a_wish_in_the_name_meets_what_the_request_says() {
    let (catalog, pool) = house(&[&PAID]);
    let after = |wish: &str, thinking: Thinking, effort: Option<Effort>| {
        let mut conversation = Conversation { thinking, ..Conversation::default() };
        conversation.sampling.effort = effort;
        catalog.resolve(wish, &NO_RULES, &pool).expect("a name").apply(&mut conversation);
        (conversation.thinking, conversation.sampling.effort)
    };
    assert_eq!(after("opus-thinking", Thinking::Unspecified, None), (Thinking::Adaptive, None));
    assert_eq!(after("opus-thinking", Thinking::Off, None), (Thinking::Off, None));
    assert_eq!(after("opus-thinking", Thinking::Budget(9), None), (Thinking::Budget(9), None));
    assert_eq!(after("opus-low", Thinking::Off, Some(Effort::Max)), (Thinking::Off, Some(Effort::Low)));
    assert_eq!(after("opus", Thinking::Off, Some(Effort::Max)), (Thinking::Off, Some(Effort::Max)));
}
