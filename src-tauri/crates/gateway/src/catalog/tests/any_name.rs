//! Whatever a client calls a model and whatever the rules say: what can never happen.

use super::*;
use proptest::prelude::*;

/// Names made of the pieces that real ones are made of, in any order, and any other text.
fn a_name() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "claude", "opus", "sonnet", "gpt", "gemini", "o", "1", "3", "4", "4.5", "5", "20250929", "latest", "thinking",
        "high", "max", "[1m]", "(low)", "-", "-", "-", ".", "/", "kiro/", "codex", "mini", "auto", "@", "v1:0", "",
    ]);
    prop_oneof![prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat()), any::<String>()]
}

fn some_rules() -> impl Strategy<Value = Vec<ModelRule>> {
    let kind = prop::sample::select(vec![MatchKind::Exact, MatchKind::Prefix, MatchKind::Wildcard]);
    let rule = (a_name(), kind, prop::collection::vec(a_name(), 0..3), any::<bool>())
        .prop_map(|(pattern, kind, targets, enabled)| ModelRule { pattern, kind, targets, enabled });
    prop::collection::vec(rule, 0..6)
}

proptest! {
    #[test]
    fn a_name_means_an_offered_model_or_is_passed_on_and_nothing_else(
        wish in a_name(), key_rules in some_rules(), rules in some_rules(), free in any::<bool>(),
    ) {
        let list: &[&str] = if free { &FREE } else { &PAID };
        let (catalog, pool) = house(&[list]);
        let names = Names { default: "auto", key_rules: &key_rules, rules: &rules };
        let Ok(resolved) = catalog.resolve(&wish, &names, &pool) else { return Ok(()) };
        let again = catalog.resolve(&wish, &names, &pool).expect("as before");
        prop_assert_eq!(&again, &resolved, "the same again");
        prop_assert_eq!(list.contains(&resolved.id.as_str()), resolved.trace.offered);
        prop_assert_eq!(&resolved.trace.model, &resolved.id);
        if resolved.trace.by == Decider::PassedOn {
            prop_assert!(!resolved.trace.offered);
        }
        if matches!(resolved.trace.by, Decider::Name) {
            prop_assert!(resolved.trace.offered);
        }
        prop_assert_eq!(resolved.trace.rule.is_some(), matches!(resolved.trace.by, Decider::Rule | Decider::KeyRule));
    }
}
