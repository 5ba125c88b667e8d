//! Names: every row of the table of known names, rules, who may be asked, and what can never happen.

use super::*;
use crate::account::test_account as account;
use crate::settings::{AliasListing, MatchKind, ModelRule};
use kiro_protocol::conversation::{Conversation, Effort, Thinking};
use proptest::prelude::*;

/// Ids of a paid account's list.
const PAID: [&str; 14] = [
    "auto",
    "claude-opus-5",
    "claude-opus-4.8",
    "claude-opus-4.5",
    "claude-sonnet-5",
    "claude-sonnet-4.6",
    "claude-sonnet-4.5",
    "claude-sonnet-4",
    "claude-haiku-4.5",
    "gpt-5.6-terra",
    "gpt-5.6-sol",
    "gpt-5.6-luna",
    "deepseek-3.2",
    "qwen3-coder-next",
];
/// Ids of a free account's list.
const FREE: [&str; 4] = ["auto", "claude-sonnet-4.5", "claude-sonnet-4", "claude-haiku-4.5"];

fn model(id: &str) -> UpstreamModel {
    let multiplier = match id {
        "gpt-5.6-sol" => Some(2.4),
        "gpt-5.6-terra" => Some(1.2),
        "gpt-5.6-luna" => Some(0.6),
        _ => None,
    };
    UpstreamModel {
        id: id.into(),
        name: id.into(),
        window: Some(200_000),
        max_output: None,
        images: true,
        caching: Default::default(),
        multiplier,
        fields_schema: Some(serde_json::json!({"type": "object"})),
        documents: false,
        description: None,
    }
}

fn rule(pattern: &str, kind: MatchKind, targets: &[&str]) -> ModelRule {
    let targets = targets.iter().map(|target| (*target).to_owned()).collect();
    ModelRule { pattern: pattern.to_owned(), kind, targets, enabled: true }
}

const NO_RULES: Names<'static> = Names { default: "auto", key_rules: &[], rules: &[] };

/// A catalogue with one account per list.
fn house(lists: &[&[&str]]) -> (Catalog, Vec<Arc<Account>>) {
    let catalog = Catalog::default();
    let pool: Vec<_> = (0..lists.len()).map(|at| Arc::new(account(&at.to_string()))).collect();
    for (account, list) in pool.iter().zip(lists) {
        catalog.learned(&account.id, list.iter().map(|id| model(id)).collect());
    }
    (catalog, pool)
}

fn meant(house: &(Catalog, Vec<Arc<Account>>), wish: &str) -> (String, Decider) {
    let resolved = house.0.resolve(wish, &NO_RULES, &house.1).expect("a name");
    (resolved.id, resolved.trace.by)
}

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

#[test]
fn only_accounts_whose_list_has_a_model_are_asked_for_it() {
    let (catalog, pool) = house(&[&FREE, &PAID]);
    assert_eq!(catalog.among("claude-opus-5", &pool), Some(vec![pool[1].id.clone()]));
    assert_eq!(catalog.among("CLAUDE-SONNET-4.5", &pool).map(|among| among.len()), Some(2));
    assert_eq!(catalog.among("claude-opus-9", &pool), None, "nobody has it: the upstream decides");
    let mut pool = pool;
    pool.push(Arc::new(account("new")));
    assert_eq!(catalog.among("claude-opus-9", &pool), Some(vec![pool[2].id.clone()]), "its list is not known yet");
    assert_eq!(catalog.among("claude-opus-5", &pool), Some(vec![pool[1].id.clone()]));
    assert_eq!(catalog.among("auto", &pool[2..]), Some(vec![pool[2].id.clone()]));
}

#[test]
fn lists_show_what_is_offered_and_the_names_that_were_asked_for() {
    let (catalog, pool) = house(&[&FREE]);
    let ids = |listing: AliasListing| -> Vec<(String, Option<String>)> {
        catalog.cards(&pool, listing, 0).into_iter().map(|card| (card.id, card.alias_of)).collect()
    };
    let offered: Vec<_> = FREE.iter().map(|id| ((*id).to_owned(), None)).collect();
    assert_eq!(ids(AliasListing::None), offered);
    let short = ids(AliasListing::Short);
    assert!(short.starts_with(&offered));
    assert!(short.contains(&("gpt-4o".into(), Some("claude-sonnet-4.5".into()))));
    assert!(!short.iter().any(|(id, _)| id.contains("opus")), "what no account may use is not listed: {short:?}");
    let all = ids(AliasListing::All);
    assert!(all.len() > short.len());
    let mut names: Vec<_> = all.iter().map(|(id, _)| id).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len(), "no name twice");
    let own = catalog.card("claude-sonnet-4-5", &NO_RULES, &pool, 0).expect("offered");
    assert_eq!((own.id.as_str(), own.alias_of), ("claude-sonnet-4.5", None));
    let other = catalog.card("gpt-4o", &NO_RULES, &pool, 0).expect("known");
    assert_eq!((other.id.as_str(), other.alias_of.as_deref()), ("gpt-4o", Some("claude-sonnet-4.5")));
    assert_eq!(catalog.card("opus", &NO_RULES, &pool, 0), None);
}

#[test]
fn every_listed_name_is_known_with_the_full_list() {
    let (catalog, pool) = house(&[&PAID]);
    let known: Vec<_> = catalog.other_names(&pool).into_iter().map(|other| other.name).collect();
    let unknown: Vec<_> =
        alias::SHORT.iter().chain(&alias::MORE).filter(|name| !known.iter().any(|known| known == *name)).collect();
    assert_eq!(unknown, Vec::<&&str>::new());
}

#[test]
fn without_any_list_the_table_stands_in_and_the_upstream_decides_about_the_rest() {
    let catalog = Catalog::default();
    let trace = catalog.resolve("opus", &NO_RULES, &[]).expect("a name").trace;
    assert_eq!((trace.model.as_str(), trace.offered, trace.list_known), ("claude-opus-5", true, false));
    assert_eq!(catalog.resolve("claude-opus-9-9", &NO_RULES, &[]).expect("passed on").id, "claude-opus-9.9");
}

#[test]
fn a_model_that_refused_additional_fields_is_not_sent_any_again() {
    let (catalog, pool) = house(&[&["m"]]);
    assert!(catalog.resolve("m", &NO_RULES, &pool).expect("known").fields_schema.is_some());
    catalog.takes_no_fields("m");
    assert!(catalog.resolve("m", &NO_RULES, &pool).expect("known").fields_schema.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_list_is_asked_for_once_and_again_when_it_is_old_or_in_doubt() {
    let catalog = Catalog::default();
    let account = Arc::new(account("a"));
    let id = account.id.clone();
    assert!(catalog.wants(&id));
    catalog.missed(&id);
    assert!(!catalog.wants(&id) && !catalog.knows(&id));
    tokio::time::advance(PAUSE * 2).await;
    assert!(catalog.wants(&id));
    catalog.learned(&id, vec![model("m")]);
    tokio::time::advance(PAUSE * 2).await;
    assert!(!catalog.wants(&id));
    catalog.doubt(&id);
    assert!(catalog.wants(&id));
    catalog.missed(&id);
    assert_eq!(catalog.offered(&[account]).len(), 1, "the last good list stays");
    catalog.distrust_all();
    assert!(catalog.wants(&id), "asked for by a person");
}

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
