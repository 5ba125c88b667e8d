//! Rules of a key and rules for all.

use super::*;

fn rule(pattern: &str, kind: MatchKind, targets: &[&str]) -> ModelRule {
    let targets = targets.iter().map(|target| (*target).to_owned()).collect();
    ModelRule { pattern: pattern.to_owned(), kind, targets, enabled: true }
}

#[test]
fn rules_of_the_key_come_before_rules_for_all_before_known_names() {
    let (catalog, pool) = house(&[&PAID]);
    let for_all =
        [rule("gpt-4o", MatchKind::Exact, &["claude-opus-5"]), rule("claude-haiku-", MatchKind::Prefix, &["auto"])];
    let of_key = [rule("GPT-*", MatchKind::Wildcard, &["deepseek"])];
    let names = Names { default: "fast", key_rules: &[], rules: &for_all };
    let means = |wish: &str, names: &Names<'_>| {
        let trace = catalog.resolve(wish, names, &pool).expect("a name").trace;
        (trace.model, trace.by, trace.rule.map(|rule| rule.at))
    };
    assert_eq!(means("gpt-4o", &names), ("claude-opus-5".into(), Decider::Rule, Some(0)));
    assert_eq!(means("openai/gpt-4o-2024-08-06", &names), ("claude-opus-5".into(), Decider::Rule, Some(0)));
    assert_eq!(
        means("claude-haiku-4-5-20251001", &names),
        ("auto".into(), Decider::Rule, Some(1)),
        "before an offered id"
    );
    assert_eq!(means("gpt-4", &names), ("claude-sonnet-5".into(), Decider::Alias, None));
    let names = Names { key_rules: &of_key, ..names };
    assert_eq!(means("gpt-4o", &names), ("deepseek-3.2".into(), Decider::KeyRule, Some(0)));
    let off = [ModelRule { enabled: false, ..of_key[0].clone() }];
    assert_eq!(means("gpt-4o", &Names { key_rules: &off, ..names }), ("claude-opus-5".into(), Decider::Rule, Some(0)));
    let default = [rule("fast", MatchKind::Exact, &["haiku"])];
    assert_eq!(means("", &Names { rules: &default, ..names }), ("claude-haiku-4.5".into(), Decider::Rule, Some(0)));
}

#[test]
fn a_rule_takes_its_first_offered_target_and_else_lets_the_upstream_decide() {
    let (catalog, pool) = house(&[&FREE]);
    let rules = [
        rule("best", MatchKind::Exact, &["claude-opus-5-high", "claude-sonnet-4-5-thinking", "auto"]),
        rule("gone", MatchKind::Exact, &["claude-opus-5", "claude-opus-4.8"]),
    ];
    let names = Names { rules: &rules, ..NO_RULES };
    let best = catalog.resolve("best", &names, &pool).expect("a name");
    assert_eq!((best.id.as_str(), best.thinking, best.effort), ("claude-sonnet-4.5", true, None));
    let tried: Vec<_> = best.trace.candidates.iter().map(|tried| (tried.id.as_str(), tried.offered)).collect();
    assert_eq!(tried.last(), Some(&("claude-sonnet-4.5", true)));
    assert!(tried.contains(&("claude-opus-5", false)), "{tried:?}");
    let gone = catalog.resolve("gone", &names, &pool).expect("a name");
    assert_eq!((gone.id.as_str(), gone.trace.offered, gone.trace.by), ("claude-opus-5", false, Decider::Rule));
}

#[test]
fn rules_are_not_applied_to_their_targets_so_nothing_can_go_in_circles() {
    let (catalog, pool) = house(&[&FREE]);
    let rules = [
        rule("sonnet", MatchKind::Exact, &["haiku"]),
        rule("haiku", MatchKind::Exact, &["sonnet"]),
        rule("*", MatchKind::Wildcard, &["sonnet"]),
    ];
    let names = Names { rules: &rules, ..NO_RULES };
    for (wish, id) in [("sonnet", "claude-haiku-4.5"), ("haiku", "claude-sonnet-4.5"), ("x", "claude-sonnet-4.5")] {
        assert_eq!(catalog.resolve(wish, &names, &pool).expect("a name").id, id, "{wish}");
    }
}

#[test]
fn a_pattern_leaves_the_suffix_its_meaning_and_a_whole_name_takes_it() {
    let (catalog, pool) = house(&[&PAID]);
    let rules = [
        rule("my-thinking", MatchKind::Exact, &["auto"]),
        rule("sonnet", MatchKind::Exact, &["claude-sonnet-5"]),
        rule("claude-haiku-*", MatchKind::Wildcard, &["claude-sonnet-5"]),
    ];
    let names = Names { rules: &rules, ..NO_RULES };
    let wishes = |wish: &str| {
        let resolved = catalog.resolve(wish, &names, &pool).expect("a name");
        (resolved.id, resolved.thinking, resolved.effort)
    };
    assert_eq!(wishes("my-thinking"), ("auto".into(), false, None));
    assert_eq!(wishes("sonnet-thinking-high"), ("claude-sonnet-5".into(), true, Some(Effort::High)));
    assert_eq!(wishes("claude-haiku-4-5-max"), ("claude-sonnet-5".into(), false, Some(Effort::Max)));
}
