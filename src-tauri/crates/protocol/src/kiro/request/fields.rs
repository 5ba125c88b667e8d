//! Thinking and effort in the model provider's own fields (kiro-upstream §2.3 V24, §9.3, §10).
//!
//! Only what the model's schema lists is sent: everything else is refused. Models without such a schema can be asked to
//! think by tags in the system text, when the caller allows it.

use super::BuildContext;
use super::notices::Notices;
use crate::conversation::{Conversation, Effort, Thinking};
use serde_json::{Map, Value, json};

/// Below this output limit thinking would eat the whole answer.
const MIN_OUTPUT_FOR_THINKING: u32 = 512;
/// Bounds of a thinking budget given in prompt tags.
const PROMPT_BUDGET: (u32, u32) = (1_024, 24_576);

/// What a request carries for thinking.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Fields {
    pub(super) additional: Option<Value>,
    /// Tags that go before the system text.
    pub(super) prompt_tags: Option<String>,
}

/// Decides how thinking and effort are asked for.
pub(super) fn build(conversation: &Conversation, context: &BuildContext, notices: &mut Notices) -> Fields {
    let schema = context.fields_schema.as_ref().and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    let max_tokens = conversation.sampling.max_tokens;
    let mut thinking = conversation.thinking;
    let wanted = matches!(thinking, Thinking::Adaptive | Thinking::Budget(_));
    if wanted && max_tokens.is_some_and(|limit| limit < MIN_OUTPUT_FOR_THINKING) {
        notices.add("thinking_skipped", "thinking", "the output limit is too small for thinking");
        thinking = Thinking::Unspecified;
    }
    let mut additional = Map::new();
    let thinking_field = schema.and_then(|schema| thinking_field(schema, thinking));
    let efforts = schema.and_then(effort_levels);
    let effort = conversation.sampling.effort.or(match thinking {
        Thinking::Budget(tokens) => Some(effort_of_budget(tokens)),
        Thinking::Unspecified | Thinking::Off | Thinking::Adaptive => None,
    });
    let level = match (&efforts, effort) {
        (Some((_, levels)), Some(effort)) => nearest(levels, rank(effort)),
        (Some((_, levels)), None) if thinking == Thinking::Off => levels.iter().copied().find(|level| *level == "none"),
        (Some(_) | None, _) => None,
    };
    if let (Some(asked), true) = (conversation.sampling.effort, level.is_none()) {
        notices.add("effort_ignored", "effort", format!("the model has no effort levels; {asked:?} was left out"));
    }
    if let (Some(asked), Some(level)) = (conversation.sampling.effort, level)
        && level_rank(level) != Some(rank(asked))
    {
        notices.add("effort_clamped", "effort", format!("the nearest level of this model is {level}"));
    }
    let thinks = thinking_field.is_some() || level.is_some();
    additional.extend(thinking_field.map(|field| ("thinking".to_owned(), field)));
    if let (Some((parent, _)), Some(level)) = (efforts, level) {
        additional.insert(parent.to_owned(), json!({ "effort": level }));
    }
    let still_wanted = matches!(thinking, Thinking::Adaptive | Thinking::Budget(_));
    let prompt_tags =
        (still_wanted && !thinks && context.prompt_thinking).then(|| prompt_tags(thinking, effort, max_tokens));
    if still_wanted && !thinks && prompt_tags.is_none() {
        notices.add("thinking_ignored", "thinking", "the model cannot be asked to think");
    }
    Fields { additional: (!additional.is_empty()).then_some(Value::Object(additional)), prompt_tags }
}

/// The `thinking` member, as far as the schema knows it.
fn thinking_field(schema: &Map<String, Value>, thinking: Thinking) -> Option<Value> {
    let members = schema.get("thinking")?.get("properties");
    let allows = |member: &str, value: &str| match members.map(|members| members.get(member)) {
        None => true,
        Some(None) => false,
        Some(Some(schema)) => listed(schema).is_none_or(|levels| levels.contains(&value)),
    };
    match thinking {
        Thinking::Adaptive | Thinking::Budget(_) if allows("type", "adaptive") => {
            let mut field = json!({ "type": "adaptive" });
            if allows("display", "summarized") {
                field["display"] = json!("summarized");
            }
            Some(field)
        }
        Thinking::Off if members.is_some() && allows("type", "disabled") => Some(json!({ "type": "disabled" })),
        Thinking::Adaptive | Thinking::Budget(_) | Thinking::Off | Thinking::Unspecified => None,
    }
}

/// Where the effort goes and which levels exist. Claude models and GPT models refuse each other's place.
fn effort_levels(schema: &Map<String, Value>) -> Option<(&'static str, Vec<&str>)> {
    ["output_config", "reasoning"].into_iter().find_map(|parent| {
        let levels = listed(schema.get(parent)?.get("properties")?.get("effort")?)?;
        (!levels.is_empty()).then_some((parent, levels))
    })
}

fn listed(schema: &Value) -> Option<Vec<&str>> {
    schema.get("enum")?.as_array().map(|values| values.iter().filter_map(Value::as_str).collect())
}

fn effort_of_budget(tokens: u32) -> Effort {
    match tokens {
        0..=10_000 => Effort::Low,
        10_001..=20_000 => Effort::Medium,
        20_001..=28_000 => Effort::High,
        28_001.. => Effort::Max,
    }
}

fn rank(effort: Effort) -> u8 {
    match effort {
        Effort::Minimal => 1,
        Effort::Low => 2,
        Effort::Medium => 3,
        Effort::High => 4,
        Effort::XHigh => 5,
        Effort::Max => 6,
    }
}

fn level_rank(level: &str) -> Option<u8> {
    match level.to_ascii_lowercase().as_str() {
        "minimal" => Some(1),
        "low" => Some(2),
        "medium" => Some(3),
        "high" => Some(4),
        "xhigh" => Some(5),
        "max" => Some(6),
        _ => None,
    }
}

/// The listed level nearest to the wish; between two equally near ones the higher, since the wish was for more.
fn nearest<'a>(levels: &[&'a str], wish: u8) -> Option<&'a str> {
    let ranked = levels.iter().filter_map(|level| level_rank(level).map(|rank| (*level, rank)));
    ranked.min_by_key(|(_, rank)| (rank.abs_diff(wish), u8::MAX - rank)).map(|(level, _)| level)
}

fn prompt_tags(thinking: Thinking, effort: Option<Effort>, max_tokens: Option<u32>) -> String {
    match thinking {
        Thinking::Budget(tokens) => {
            let ceiling = max_tokens.map_or(PROMPT_BUDGET.1, |limit| (limit / 4 * 3).min(PROMPT_BUDGET.1));
            let budget = tokens.min(ceiling).max(PROMPT_BUDGET.0.min(ceiling));
            format!("<thinking_mode>enabled</thinking_mode><max_thinking_length>{budget}</max_thinking_length>")
        }
        Thinking::Adaptive | Thinking::Unspecified | Thinking::Off => {
            let level = match effort {
                Some(Effort::Minimal | Effort::Low) => "low",
                Some(Effort::Medium) => "medium",
                Some(Effort::High | Effort::XHigh | Effort::Max) | None => "high",
            };
            format!("<thinking_mode>adaptive</thinking_mode><thinking_effort>{level}</thinking_effort>")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Sampling;

    fn claude(levels: &[&str]) -> Value {
        json!({ "type": "object", "properties": {
            "output_config": { "properties": { "effort": { "enum": levels } } },
            "thinking": { "properties": {
                "type": { "enum": ["adaptive", "disabled"] }, "display": { "enum": ["summarized", "omitted"] } } },
        } })
    }

    fn fields(schema: Option<Value>, thinking: Thinking, effort: Option<Effort>) -> (Fields, Vec<&'static str>) {
        let conversation =
            Conversation { thinking, sampling: Sampling { effort, ..Sampling::default() }, ..Conversation::default() };
        let context = BuildContext { fields_schema: schema, ..BuildContext::default() };
        let mut notices = Notices::default();
        let fields = build(&conversation, &context, &mut notices);
        (fields, notices.into_vec().into_iter().map(|notice| notice.code).collect())
    }

    #[test]
    fn claude_models_get_adaptive_thinking_and_the_nearest_effort() {
        let (got, notices) = fields(Some(claude(&["low", "high", "max"])), Thinking::Adaptive, Some(Effort::XHigh));
        assert_eq!(
            got.additional,
            Some(
                json!({ "thinking": { "type": "adaptive", "display": "summarized" }, "output_config": { "effort": "max" } })
            )
        );
        assert_eq!(notices, ["effort_clamped"]);
        let (got, notices) = fields(Some(claude(&["low", "medium"])), Thinking::Budget(31_999), None);
        assert_eq!(got.additional.unwrap_or_default()["output_config"], json!({ "effort": "medium" }));
        assert!(notices.is_empty());
    }

    #[test]
    fn gpt_models_get_their_own_field_and_no_thinking() {
        let schema =
            json!({ "properties": { "reasoning": { "properties": { "effort": { "enum": ["none", "low"] } } } } });
        let (got, _) = fields(Some(schema.clone()), Thinking::Adaptive, Some(Effort::Minimal));
        assert_eq!(got.additional, Some(json!({ "reasoning": { "effort": "low" } })));
        let (got, _) = fields(Some(schema), Thinking::Off, None);
        assert_eq!(got.additional, Some(json!({ "reasoning": { "effort": "none" } })));
    }

    #[test]
    fn models_without_a_schema_get_nothing_and_the_wish_is_noticed() {
        let (got, notices) = fields(None, Thinking::Budget(5_000), Some(Effort::High));
        assert_eq!(got, Fields::default());
        assert_eq!(notices, ["effort_ignored", "thinking_ignored"]);
    }

    #[test]
    fn switching_thinking_off_is_sent_where_the_schema_knows_it() {
        let (got, _) = fields(Some(claude(&["low"])), Thinking::Off, None);
        assert_eq!(got.additional, Some(json!({ "thinking": { "type": "disabled" } })));
        let (got, _) = fields(Some(claude(&["low"])), Thinking::Unspecified, None);
        assert_eq!(got.additional, None);
    }

    #[test]
    fn nobody_is_asked_to_think_where_thinking_would_eat_the_answer() {
        for (limit, thinks) in [(511, false), (512, true)] {
            for schema in [None, Some(claude(&["low", "high"]))] {
                let sampling = Sampling { max_tokens: Some(limit), ..Sampling::default() };
                let conversation =
                    Conversation { thinking: Thinking::Budget(30_000), sampling, ..Conversation::default() };
                let context = BuildContext { fields_schema: schema, prompt_thinking: true, ..BuildContext::default() };
                let mut notices = Notices::default();
                let fields = build(&conversation, &context, &mut notices);
                assert_eq!(fields != Fields::default(), thinks, "{limit}");
                let skipped = notices.into_vec().iter().any(|notice| notice.code == "thinking_skipped");
                assert_eq!(skipped, !thinks);
            }
        }
    }

    #[test]
    fn prompt_tags_respect_the_output_limit() {
        assert!(prompt_tags(Thinking::Budget(100_000), None, None).contains(">24576<"));
        assert!(prompt_tags(Thinking::Budget(100_000), None, Some(4_000)).contains(">3000<"));
        assert!(prompt_tags(Thinking::Adaptive, Some(Effort::Low), None).contains(">low<"));
    }
}
