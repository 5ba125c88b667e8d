//! Every known body means what the collection says it means. The collection's wishes for the client and for the next step
//! are read from the file; only the meaning is listed here.

use super::reading::exception;
use super::*;
use http::{HeaderMap, StatusCode};
use http::{HeaderName, HeaderValue};
use kiro_protocol::anthropic::AnthropicMessages;
use kiro_protocol::codec::Protocol;
use serde_json::Value;

const FIXTURES: &str = include_str!("../../../../../../tests/fixtures/upstream/errors.json");

const MEANINGS: [(&str, Kind); 49] = [
    ("improperly-formed", Kind::Malformed),
    ("improperly-formed-awsjson", Kind::Malformed),
    ("content-length", Kind::ContextTooLong),
    ("prompt-too-long", Kind::ContextTooLong),
    ("input-too-long-no-reason", Kind::ContextTooLong),
    ("invalid-model", Kind::UnknownModel),
    ("invalid-conversation", Kind::ConversationId),
    ("tool-use-result-mismatch", Kind::Invalid),
    ("tool-schema-invalid", Kind::Invalid),
    ("tool-duplicate", Kind::Invalid),
    ("tool-config-missing", Kind::Invalid),
    ("image-format-unsupported", Kind::Invalid),
    ("image-mime-mismatch", Kind::Invalid),
    ("document-duplicate-name", Kind::Invalid),
    ("thinking-signature-invalid", Kind::ReasoningSignature),
    ("additional-fields-unsupported", Kind::FieldsUnsupported),
    ("profile-arn-required", Kind::WrongRung),
    ("profile-arn-invalid", Kind::WrongRung),
    ("bearer-invalid", Kind::TokenRejected),
    ("token-expired", Kind::TokenRejected),
    ("unauthorized-401", Kind::TokenRejected),
    ("not-authorized-call", Kind::Forbidden),
    ("invalid-token-wrong-arn", Kind::Forbidden),
    ("suspended", Kind::Suspended),
    ("feature-not-supported", Kind::Gate),
    ("quota-monthly", Kind::MonthlyQuota),
    ("quota-overage", Kind::MonthlyQuota),
    ("quota-monthly-as-400", Kind::MonthlyQuota),
    ("conversation-limit", Kind::ConversationId),
    ("throttled", Kind::Throttled),
    ("throttled-retry-after", Kind::Throttled),
    ("model-capacity", Kind::ModelBusy),
    ("daily-quota", Kind::DailyQuota),
    ("suspicious-activity", Kind::RiskControl),
    ("high-load", Kind::Unavailable),
    ("model-temporarily-unavailable", Kind::ModelBusy),
    ("service-unavailable", Kind::Unavailable),
    ("bad-gateway-html", Kind::ServerError),
    ("gateway-timeout-524", Kind::GaveUp),
    ("cloudfront-403", Kind::Blocked),
    ("conflict-kms", Kind::Organisation),
    ("not-found", Kind::NoSuchPath),
    ("account-locked-423", Kind::Suspended),
    ("nested-error-object", Kind::Malformed),
    ("capital-message", Kind::Forbidden),
    ("errortype-with-suffix", Kind::Throttled),
    ("empty-body-403", Kind::TokenRejected),
    ("profiles-builderid", Kind::Forbidden),
    ("usage-wrapped-suspension", Kind::Suspended),
];

struct Case {
    id: String,
    error: UpstreamError,
    json: Value,
}

fn cases() -> Vec<Case> {
    let all: Value = serde_json::from_str(FIXTURES).expect("the collection is JSON");
    all["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|json| {
            let status = StatusCode::from_u16(json["status"].as_u64().expect("status") as u16).expect("valid");
            let mut headers = HeaderMap::new();
            for (name, value) in json["headers"].as_object().into_iter().flatten() {
                headers.insert(
                    HeaderName::from_bytes(name.as_bytes()).expect("name"),
                    HeaderValue::from_str(value.as_str().expect("text")).expect("value"),
                );
            }
            let body = match &json["body"] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            Case {
                id: json["id"].as_str().expect("id").to_owned(),
                error: refusal(status, &headers, body.as_bytes()),
                json: json.clone(),
            }
        })
        .collect()
}

#[test]
fn every_known_body_has_its_meaning() {
    let cases = cases();
    assert_eq!(cases.len(), MEANINGS.len());
    for (case, (id, kind)) in cases.iter().zip(MEANINGS) {
        assert_eq!((case.id.as_str(), case.error.kind), (id, kind));
    }
}

#[test]
fn the_client_is_told_what_the_collection_proposes() {
    for case in cases() {
        let Some(wish) = case.json["client_error"]["anthropic"].as_array() else { continue };
        // A bare 403 is read as a stale token, which the client sees as 401 if the refresh does not help.
        if case.id == "empty-body-403" {
            continue;
        }
        let (status, body) = AnthropicMessages::encode_failure(&case.error.failure(), "0");
        assert_eq!(
            (u64::from(status.as_u16()), body["error"]["type"].as_str()),
            (wish[0].as_u64().expect("status"), wish[1].as_str()),
            "{}",
            case.id
        );
    }
}

#[test]
fn the_next_step_agrees_with_the_collection() {
    for case in cases().iter().filter(|case| case.json["action"].is_object() && case.json["where"] == "data plane") {
        let action = &case.json["action"];
        let step = case.error.disposition();
        let flag = |name: &str| action[name].as_bool().unwrap_or(false);
        let repeats = action["retry_same_account_times"].as_u64().unwrap_or(0) > 0;
        match step {
            Disposition::RefreshThenRetry => assert!(flag("force_refresh_first"), "{}", case.id),
            Disposition::NextRung => assert!(flag("switch_host") || repeats, "{}", case.id),
            Disposition::RetryOther => assert!(flag("switch_account"), "{}", case.id),
            Disposition::RetrySame => assert!(repeats, "{}", case.id),
            Disposition::Repair(_) => assert!(repeats && action["repair"].is_string(), "{}", case.id),
            // Formats are set from the magic bytes before the first attempt, so a mismatch cannot be repaired again.
            Disposition::GiveUp if case.id == "image-mime-mismatch" => {}
            // Without differing regions another host answers the same; the ladder is always in the profile's region.
            Disposition::GiveUp if case.error.kind == Kind::Malformed => {}
            Disposition::GiveUp => {
                assert!(!repeats && !flag("force_refresh_first") && !flag("switch_account"), "{}", case.id);
            }
        }
    }
}

#[test]
fn the_waiting_time_is_read_and_user_ids_are_not_repeated() {
    for case in cases() {
        if case.id == "throttled-retry-after" {
            assert_eq!(case.error.retry_after, Some(Duration::from_secs(12)));
            assert_eq!(case.error.failure().retry_after, Some(Duration::from_secs(12)));
        }
        assert!(!case.error.failure().message.contains("d-xxxxxxxxxx"), "{}", case.error.failure().message);
        assert!(!case.error.failure().message.contains("<html"), "{}", case.id);
    }
}

#[test]
fn an_exception_inside_a_stream_means_what_its_http_twin_means() {
    assert_eq!(exception("ThrottlingException", None, "slow").kind, Kind::Throttled);
    assert_eq!(
        exception("com.amazon#ThrottlingException", Some("INSUFFICIENT_MODEL_CAPACITY"), "").kind,
        Kind::ModelBusy
    );
    assert_eq!(exception("InternalServerException", None, "").kind, Kind::ServerError);
    assert_eq!(exception("ValidationException", None, "Input is too long.").kind, Kind::ContextTooLong);
    assert_eq!(exception("SomethingNew", None, "").kind, Kind::ServerError);
}
