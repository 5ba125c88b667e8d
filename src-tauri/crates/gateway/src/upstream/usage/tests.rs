//! Every plan of the collection means what the collection says, and further shapes as golden files.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

const COLLECTION: &str = include_str!("../../../../../../tests/fixtures/upstream/usage-limits.json");
const SHAPES: &str = include_str!("../../../../../../tests/fixtures/usage/shapes.json");
const SHAPES_PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/usage/shapes.json");

/// When the collection's trial and bonus are still good.
const THEN: Timestamp = Timestamp::from_unix_seconds(1_765_000_000);

fn cases() -> Vec<Value> {
    let collection: Value = serde_json::from_str(COLLECTION).expect("the collection is JSON");
    collection["cases"].as_array().expect("cases").clone()
}

fn understood(answer: &Value) -> UsageAnswer {
    read(answer.to_string().as_bytes()).expect("an object")
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

#[test]
fn every_plan_of_the_collection_adds_up_as_it_says() {
    let cases = cases();
    assert!(cases.len() >= 7);
    for case in &cases {
        let (name, expected) = (&case["name"], &case["expected"]);
        let quota = understood(&case["response"]).quota;
        let sum = quota.included(THEN);
        let total = |member: &str| expected.get(member).map(Value::as_f64);
        if let Some(limit) = total("limit_total") {
            assert_eq!(sum.map(|sum| sum.limit), limit, "{name}");
        }
        if let Some(used) = total("used_total") {
            let same = match (sum, used) {
                (None, None) => true,
                (Some(sum), Some(used)) => near(sum.used, used),
                (None, Some(_)) | (Some(_), None) => false,
            };
            assert!(same, "{name}: {sum:?} instead of {used:?}");
        }
        if let Some(used_up) = expected["exhausted"].as_bool() {
            assert_eq!(quota.used_up(THEN, true), used_up, "{name}");
        }
        if let Some(enabled) = expected["overage_enabled"].as_bool() {
            assert_eq!(quota.overage_enabled(), enabled, "{name}");
        }
        if let Some(plan) = expected["plan"].as_str() {
            assert_eq!(quota.plan.as_deref(), Some(plan), "{name}");
        }
        if let Some(reset) = expected["reset_epoch_s"].as_i64() {
            assert_eq!(quota.resets_at, Some(Timestamp::from_unix_seconds(reset)), "{name}");
        }
        if let Some(key) = expected["account_key"].as_str() {
            assert_eq!(understood(&case["response"]).user_id.as_deref(), Some(key), "{name}");
        }
        for (kind, word) in [(PartKind::Base, "base"), (PartKind::Trial, "trial"), (PartKind::Bonus, "bonus")] {
            let Some(pair) = expected["parts"][word].as_array() else { continue };
            let part = quota.parts.iter().find(|part| part.kind == kind && part.active).expect("the part");
            assert!(near(part.used, pair[0].as_f64().expect("used")), "{name}: {word}");
            assert!(near(part.limit, pair[1].as_f64().expect("limit")), "{name}: {word}");
        }
        if let Some(used) = expected["overage_used"].as_f64() {
            let overage = quota.overage.as_ref().expect("overage");
            assert!(near(overage.used, used), "{name}");
            assert_eq!(overage.cap, expected["overage_cap"].as_f64(), "{name}");
            assert_eq!(overage.charges, expected["overage_charges_usd"].as_f64(), "{name}");
        }
    }
}

/// `UPDATE_GOLDEN=1` writes what is understood now; people read the difference.
#[test]
fn further_shapes_are_understood_as_the_golden_file_says() {
    let mut shapes: Value = serde_json::from_str(SHAPES).expect("JSON");
    let update = std::env::vars().any(|(name, value)| name == "UPDATE_GOLDEN" && value == "1");
    for case in shapes.as_array_mut().expect("a list") {
        let now = Timestamp::from_unix_seconds(case["now"].as_i64().expect("seconds"));
        let answer = understood(&case["response"]);
        let quota = &answer.quota;
        let sum = |beyond| quota.sum(now, beyond).map(|sum| json!([sum.used, sum.limit]));
        let got = json!({
            "quota": quota,
            "included": sum(false),
            "withOverage": sum(true),
            "usedUp": quota.used_up(now, true),
            "usedUpWithoutOverage": quota.used_up(now, false),
            "userId": answer.user_id,
            "email": answer.email,
        });
        if update {
            case["understood"] = got;
        } else {
            assert_eq!(case["understood"], got, "{}", case["name"]);
        }
    }
    if update {
        let mut text = serde_json::to_string_pretty(&shapes).expect("JSON");
        text.push('\n');
        crate::data_dir::write_synced(std::path::Path::new(SHAPES_PATH), text.as_bytes()).expect("written");
    }
}

#[test]
fn a_plan_beyond_its_reset_is_unknown_rather_than_used_up() {
    let answer = json!({"nextDateReset": 1.7672256e9,
        "usageBreakdownList": [{"resourceType": "CREDIT", "currentUsage": 50, "usageLimit": 50}]});
    let quota = understood(&answer).quota;
    let reset = Timestamp::from_unix_seconds(1_767_225_600);
    assert!(quota.used_up(Timestamp(reset.0 - 1), true));
    assert!(!quota.used_up(reset, true));
    assert_eq!(quota.included(reset), None);
}

#[test]
fn dates_with_fraction_exponent_or_milliseconds_are_the_same_moment() {
    for raw in
        ["1.7672256E9", "1767225600", "1767225600.0", "\"1767225600\"", "1767225600000", "\"2026-01-01T00:00:00Z\""]
    {
        let body = format!("{{\"nextDateReset\":{raw}}}");
        let quota = read(body.as_bytes()).expect("an object").quota;
        assert_eq!(quota.resets_at, Some(Timestamp::from_unix_seconds(1_767_225_600)), "{raw}");
    }
    for raw in ["0", "-5", "1e300", "null", "\"soon\"", "[]"] {
        let quota = read(format!("{{\"nextDateReset\":{raw}}}").as_bytes()).expect("an object").quota;
        assert_eq!(quota.resets_at, None, "{raw}");
    }
}

#[test]
fn what_is_no_object_is_an_error_and_nothing_else_is() {
    for body in ["", "[]", "7", "{\"usageBreakdownList\":", "<html>"] {
        assert!(read(body.as_bytes()).is_err(), "{body}");
    }
    for body in ["{}", r#"{"usageBreakdownList": 7}"#, r#"{"usageBreakdownList": [7, null]}"#, r#"{"limits": {}}"#] {
        let quota = read(body.as_bytes()).expect("an object").quota;
        assert_eq!(quota.included(THEN), None, "{body}");
        assert!(!quota.used_up(THEN, true), "{body}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof![Just("ACTIVE"), Just("EXPIRED"), Just("ENABLED"), Just("CREDIT"), Just("NaN"), Just("1e400")]
            .prop_map(Value::from),
    ];
    let names = prop_oneof![
        Just("usageBreakdownList"),
        Just("resourceType"),
        Just("currentUsage"),
        Just("usageLimit"),
        Just("usageLimitWithPrecision"),
        Just("freeTrialInfo"),
        Just("freeTrialStatus"),
        Just("freeTrialExpiry"),
        Just("bonuses"),
        Just("status"),
        Just("expiresAt"),
        Just("limits"),
        Just("overageConfiguration"),
        Just("overageStatus"),
        Just("overageCap"),
        Just("currentOverages"),
        Just("nextDateReset"),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((names.clone(), inner), 0..6)
                .prop_map(|pairs| pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_answer_gives_finite_sums_and_never_more_than_all_of_it_left(answer in any_json()) {
        let wrapped = json!({"usageBreakdownList": [answer], "nextDateReset": answer, "limits": answer});
        let quota = understood(&wrapped).quota;
        for beyond in [false, true] {
            if let Some(sum) = quota.sum(THEN, beyond) {
                prop_assert!(sum.used >= 0.0 && sum.limit >= 0.0);
                prop_assert!(sum.left() <= sum.limit);
                prop_assert!((0.0..=100.0).contains(&sum.percent_used()));
            }
        }
        prop_assert!(!quota.used_up(THEN, true) || quota.used_up(THEN, false));
    }
}
