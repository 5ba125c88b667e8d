//! Strategies for texts, values and answers.

use kiro_protocol::event::{Event, SearchHit, StopReason, Usage, UsageSource};
use proptest::prelude::*;
use serde_json::{Value, json};

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z \"\\\\\n]{1,6}", "\\PC{0,4}", Just("é👋".to_owned())]
}

pub(crate) fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..4).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

pub(crate) fn usage() -> impl Strategy<Value = Event> {
    (any::<Option<u32>>(), any::<Option<u32>>(), any::<Option<u32>>()).prop_map(|(input, output, read)| {
        Event::Usage(Usage {
            input_tokens: input.map(u64::from),
            output_tokens: output.map(u64::from),
            cache_read_tokens: read.map(u64::from),
            input_source: UsageSource::Upstream,
            output_source: UsageSource::Upstream,
            ..Usage::default()
        })
    })
}

/// Cuts a text into pieces at every `step` characters.
pub(crate) fn pieces(text: &str, step: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(step.max(1)).map(|chunk| chunk.iter().collect()).collect()
}

pub(crate) fn tool_call() -> impl Strategy<Value = Vec<Event>> {
    (text(), prop::collection::vec((text(), json_value()), 0..4), 1_usize..9, any::<bool>()).prop_map(
        |(id, pairs, step, silent)| {
            let input = Value::Object(pairs.into_iter().collect());
            let mut events = vec![Event::ToolUseStart { id, name: "tool".into() }];
            // A call without arguments may come without any fragment.
            if !(silent && input == json!({})) {
                events.extend(pieces(&input.to_string(), step).into_iter().map(Event::ToolInput));
            }
            events.push(Event::ToolUseEnd);
            events
        },
    )
}

/// A web search that the gateway ran.
pub(crate) fn search() -> impl Strategy<Value = Vec<Event>> {
    let hit = (text(), text(), text(), prop::option::of("20[0-9]{2}-0[1-9]-1[0-9]"))
        .prop_map(|(title, url, snippet, published)| SearchHit { title, url, snippet, published });
    let outcome = prop_oneof![
        prop::collection::vec(hit, 0..3).prop_map(Ok),
        prop::sample::select(vec!["unavailable", "max_uses_exceeded"]).prop_map(Err),
    ];
    ("[a-z0-9]{1,8}", text(), outcome).prop_map(|(id, query, outcome)| {
        vec![Event::SearchStart { id: id.clone(), query }, Event::SearchDone { id, outcome }]
    })
}

/// Events as the upstream edge makes them, without the end.
pub(crate) fn answer() -> impl Strategy<Value = Vec<Event>> {
    let part = prop_oneof![
        text().prop_map(|text| vec![Event::Text(text)]),
        text().prop_map(|text| vec![Event::Thinking(text)]),
        "[a-zA-Z=]{0,6}".prop_map(|text| vec![Event::ThinkingSignature(text)]),
        "[a-zA-Z=]{1,6}".prop_map(|text| vec![Event::RedactedThinking(text)]),
        tool_call(),
        search(),
        usage().prop_map(|event| vec![event]),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

pub(crate) fn stop() -> impl Strategy<Value = StopReason> {
    prop_oneof![
        Just(StopReason::EndTurn),
        Just(StopReason::ToolUse),
        Just(StopReason::MaxTokens),
        Just(StopReason::ContextWindow),
        Just(StopReason::Refusal),
        text().prop_map(StopReason::StopSequence),
    ]
}

pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        text().prop_map(Event::Text),
        text().prop_map(Event::Thinking),
        text().prop_map(Event::ThinkingSignature),
        text().prop_map(Event::RedactedThinking),
        (text(), text()).prop_map(|(id, name)| Event::ToolUseStart { id, name }),
        text().prop_map(Event::ToolInput),
        Just(Event::ToolUseEnd),
        Just(Event::ToolUseCut),
        (text(), text()).prop_map(|(id, query)| Event::SearchStart { id, query }),
        text().prop_map(|id| Event::SearchDone { id, outcome: Err("unavailable") }),
        usage(),
        stop().prop_map(Event::Stop),
    ]
}
