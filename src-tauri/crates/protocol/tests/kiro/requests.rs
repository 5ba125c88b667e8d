//! Properties of request building: whatever the conversation, no rule is broken and nothing panics.

use super::rules::violations;
use kiro_protocol::conversation::{
    Block, Conversation, Document, Image, JsonObject, Message, OutputFormat, Role, ServerTool, Thinking, ToolChoice,
    ToolSpec,
};
use kiro_protocol::kiro::request::{BuildContext, build};
use proptest::prelude::*;
use serde_json::{Value, json};

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["Read", "read", "a.b", "a_b", "3d", "", "搜索", "mcp__x__y"]).prop_map(str::to_owned),
        "[a-zA-Z_. -]{1,90}",
    ]
}

fn id() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "b", "call 1", "a_2", "toolu_01"]).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", " ", "\n", "hello", "你好 👋", "<thinking>x</thinking>"]).prop_map(str::to_owned)
}

fn block() -> impl Strategy<Value = Block> {
    let leaf = prop_oneof![
        (text(), any::<bool>()).prop_map(|(text, cache)| Block::Text { text, cache }),
        (text(), prop::option::of(text())).prop_map(|(text, signature)| Block::Thinking { text, signature }),
        Just(Block::RedactedThinking { data: "b3BhcXVl".to_owned() }),
        prop::sample::select(vec![PNG, "", "!!", "AAAA"])
            .prop_map(|data| Block::Image(Image { media_type: "image/jpg".to_owned(), data: data.to_owned() })),
        (prop::option::of(text()), prop::sample::select(vec!["text/plain", "application/pdf", "x/y"])).prop_map(
            |(name, media_type)| Block::Document(Document {
                name,
                media_type: media_type.to_owned(),
                data: "YQ==".to_owned()
            })
        ),
        (id(), name()).prop_map(|(id, name)| Block::ToolUse { id, name, input: JsonObject::new(), cache: false }),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        (id(), prop::collection::vec(inner, 0..4), any::<bool>()).prop_map(|(tool_use_id, content, is_error)| {
            Block::ToolResult { tool_use_id, content, is_error, cache: false }
        })
    })
}

fn message() -> impl Strategy<Value = Message> {
    (any::<bool>(), prop::collection::vec(block(), 0..5))
        .prop_map(|(user, content)| Message { role: if user { Role::User } else { Role::Assistant }, content })
}

fn schema() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec![
        "type",
        "properties",
        "required",
        "anyOf",
        "oneOf",
        "allOf",
        "items",
        "$ref",
        "$defs",
        "$schema",
        "$id",
        "minimum",
        "exclusiveMinimum",
        "additionalProperties",
        "description",
        "prefixItems",
        "a",
        "$x y",
        "not",
        "enum",
    ])
    .prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec!["object", "string", "#/$defs/a", ""]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((keys.clone(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn tool() -> impl Strategy<Value = ToolSpec> {
    (name(), text(), schema(), any::<bool>()).prop_map(|(name, description, schema, cache)| ToolSpec {
        name,
        description,
        schema: schema.as_object().cloned().unwrap_or_default(),
        cache,
    })
}

fn conversation() -> impl Strategy<Value = Conversation> {
    let choice = prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::Any),
        Just(ToolChoice::None),
        name().prop_map(ToolChoice::Tool),
    ];
    let thinking = prop_oneof![
        Just(Thinking::Unspecified),
        Just(Thinking::Off),
        Just(Thinking::Adaptive),
        any::<u32>().prop_map(Thinking::Budget),
    ];
    let system = prop::collection::vec(text().prop_map(|text| Block::Text { text, cache: true }), 0..2);
    let messages = prop::collection::vec(message(), 0..8);
    (system, messages, prop::collection::vec(tool(), 0..4), choice, thinking, prop::option::of(any::<bool>())).prop_map(
        |(system, messages, tools, tool_choice, thinking, parallel_tools)| Conversation {
            system,
            messages,
            tools,
            tool_choice,
            thinking,
            parallel_tools,
            ..Conversation::default()
        },
    )
}

fn context() -> impl Strategy<Value = BuildContext> {
    any::<(bool, bool, bool, bool)>().prop_map(|(images, documents, prompt, strip)| BuildContext {
        model_id: "m".to_owned(),
        conversation_id: "c".to_owned(),
        images_allowed: images,
        documents_allowed: documents,
        prompt_thinking: prompt,
        strip_reasoning: strip,
        cache_points: usize::from(images) * 2,
        ..BuildContext::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_the_conversation_no_rule_is_broken(conversation in conversation(), context in context()) {
        let built = build(&conversation, &context);
        let body: Value = serde_json::from_slice(&built.to_bytes(Some("arn:x"))).expect("JSON");
        prop_assert_eq!(violations(&body), Vec::<String>::new(), "{:#}", body);
        if conversation.tool_choice == ToolChoice::None {
            prop_assert!(!body.to_string().contains("\"tools\""));
        }
        for tool in &conversation.tools {
            prop_assert_eq!(built.names.restore(built.names.upstream(&tool.name)), tool.name.as_str());
        }
        prop_assert!(built.estimate_tokens() > 0);
    }

    #[test]
    fn building_twice_gives_the_same_bytes(conversation in conversation(), context in context()) {
        prop_assert_eq!(build(&conversation, &context).to_bytes(None), build(&conversation, &context).to_bytes(None));
    }
}

#[test]
fn the_arn_is_bound_per_attempt_and_never_sent_empty() {
    let built = build(&Conversation::default(), &BuildContext::default());
    let body = |arn: Option<&str>| -> Value { serde_json::from_slice(&built.to_bytes(arn)).expect("JSON") };
    assert_eq!(body(Some("arn:\"quoted\""))["profileArn"], json!("arn:\"quoted\""));
    assert_eq!(body(Some("")), body(None));
    assert!(body(None).get("profileArn").is_none());
    assert_eq!(built.size(), built.to_bytes(None).len());
}

#[test]
fn a_long_conversation_does_not_drown_in_notices() {
    let thought = Block::Thinking { text: "t".to_owned(), signature: None };
    let say = |text: &str| Block::Text { text: text.to_owned(), cache: false };
    let messages = (0..200).flat_map(|_| {
        [
            Message { role: Role::User, content: vec![say("q")] },
            Message { role: Role::Assistant, content: vec![thought.clone(), say("a")] },
        ]
    });
    let built =
        build(&Conversation { messages: messages.collect(), ..Conversation::default() }, &BuildContext::default());
    assert!(built.notices.len() < 15, "{}", built.notices.len());
    assert!(built.notices.iter().any(|notice| notice.detail == "and 192 more"));
}

#[test]
fn a_server_tool_is_not_offered_but_noticed() {
    let search = ServerTool::WebSearch {
        name: "web_search".to_owned(),
        max_uses: None,
        allowed_domains: Vec::new(),
        blocked_domains: Vec::new(),
    };
    let built =
        build(&Conversation { server_tools: vec![search], ..Conversation::default() }, &BuildContext::default());
    assert!(built.notices.iter().any(|notice| notice.code == "server_tool_ignored"));
}

#[test]
fn many_tools_are_sent_all_and_noticed_with_their_number_and_size() {
    let tool = |n: usize| ToolSpec {
        name: format!("tool_{n}"),
        description: "does something".to_owned(),
        schema: serde_json::Map::new(),
        cache: false,
    };
    for (count, noticed) in [(50, false), (51, true)] {
        let conversation = Conversation { tools: (0..count).map(tool).collect(), ..Conversation::default() };
        let built = build(&conversation, &BuildContext::default());
        let body: Value = serde_json::from_slice(&built.to_bytes(None)).expect("JSON");
        let tools =
            &body["conversationState"]["currentMessage"]["userInputMessage"]["userInputMessageContext"]["tools"];
        assert_eq!(tools.as_array().map(Vec::len), Some(count));
        let notice = built.notices.iter().find(|notice| notice.code == "many_tools");
        assert_eq!(notice.map(|notice| notice.detail.contains("51 tools")), noticed.then_some(true));
    }
}

#[test]
fn the_form_of_the_answer_is_asked_for_in_the_system_text() {
    let schema = json!({ "type": "object", "properties": { "a": { "type": "integer" } } });
    let format = OutputFormat::JsonSchema { name: None, schema: schema.clone(), strict: true };
    let values = OutputFormat::OneOf { values: vec!["yes".to_owned(), "no".to_owned()] };
    for (format, words) in [
        (format, schema.to_string()),
        (OutputFormat::JsonObject, "one JSON object".to_owned()),
        (values, "exactly one of the following values".to_owned()),
    ] {
        let say = Block::Text { text: "q".to_owned(), cache: false };
        let conversation = Conversation {
            messages: vec![Message { role: Role::User, content: vec![say] }],
            output_format: Some(format),
            ..Conversation::default()
        };
        let built = build(&conversation, &BuildContext::default());
        let body: Value = serde_json::from_slice(&built.to_bytes(None)).expect("JSON");
        let said = body["conversationState"]["currentMessage"]["userInputMessage"]["content"].as_str().expect("text");
        assert!(said.contains(&words) && said.ends_with("\n\nq"), "{said}");
    }
}
