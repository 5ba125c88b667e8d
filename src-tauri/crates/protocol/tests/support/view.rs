//! A decoded request as JSON, for people to read in fixtures.

use kiro_protocol::codec::{DecodeError, Delivery, Inbound, ToolForm};
use kiro_protocol::conversation::{Block, Conversation, Message, OutputFormat, Role, ServerTool, Thinking, ToolChoice};
use serde_json::{Value, json};

pub(crate) fn decoded_json(decoded: &Result<Inbound, DecodeError>) -> Value {
    match decoded {
        Ok(inbound) => with_extras(
            inbound,
            json!({
                "conversation": conversation_json(&inbound.conversation),
                "delivery": match inbound.delivery { Delivery::Stream => "stream", Delivery::JsonArray => "json_array", Delivery::Whole => "whole" },
                "show_thinking": inbound.echo.show_thinking,
                "notices": inbound.notices,
            }),
        ),
        Err(DecodeError { code, path, message }) => {
            json!({ "error": { "code": code, "path": path, "message": message } })
        }
    }
}

fn conversation_json(conversation: &Conversation) -> Value {
    let Conversation {
        model,
        system,
        messages,
        tools,
        server_tools,
        tool_choice,
        parallel_tools,
        thinking,
        sampling,
        session,
        output_format,
        live_tool_input,
    } = conversation;
    let mut shown = json!({
        "model": model,
        "system": blocks_json(system),
        "messages": messages.iter().map(message_json).collect::<Vec<_>>(),
        "tools": tools.iter().map(|tool| json!({
            "name": tool.name, "description": tool.description, "schema": tool.schema, "cache": tool.cache,
        })).collect::<Vec<_>>(),
        "server_tools": server_tools.iter().map(|ServerTool::WebSearch { name, max_uses, allowed_domains, blocked_domains }| json!({
            "web_search": { "name": name, "max_uses": max_uses, "allowed": allowed_domains, "blocked": blocked_domains },
        })).collect::<Vec<_>>(),
        "tool_choice": match tool_choice {
            ToolChoice::Auto => json!("auto"),
            ToolChoice::Any => json!("any"),
            ToolChoice::None => json!("none"),
            ToolChoice::Tool(name) => json!({ "tool": name }),
        },
        "parallel_tools": parallel_tools,
        "thinking": match thinking {
            Thinking::Unspecified => json!("unspecified"),
            Thinking::Off => json!("off"),
            Thinking::Adaptive => json!("adaptive"),
            Thinking::Budget(tokens) => json!({ "budget": tokens }),
        },
        "sampling": {
            "max_tokens": sampling.max_tokens,
            "stop_sequences": sampling.stop_sequences,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "effort": sampling.effort.map(|effort| format!("{effort:?}").to_lowercase()),
        },
        "session": session,
    });
    // What few requests ask for is shown only when it is there.
    if let Some(format) = output_format {
        shown["output_format"] = match format {
            OutputFormat::JsonObject => json!("json_object"),
            OutputFormat::OneOf { values } => json!({ "one_of": values }),
            OutputFormat::JsonSchema { name, schema, strict } => {
                json!({ "name": name, "schema": schema, "strict": strict })
            }
        };
    }
    if *live_tool_input {
        shown["live_tool_input"] = json!(true);
    }
    shown
}

fn message_json(message: &Message) -> Value {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    json!({ "role": role, "content": blocks_json(&message.content) })
}

fn blocks_json(blocks: &[Block]) -> Vec<Value> {
    blocks
        .iter()
        .map(|block| match block {
            Block::Text { text, cache: false } => json!({ "text": text }),
            Block::Text { text, cache: true } => json!({ "text": text, "cache": true }),
            Block::Thinking { text, signature } => json!({ "thinking": text, "signature": signature }),
            Block::RedactedThinking { data } => json!({ "redacted_thinking": data }),
            Block::Image(image) => json!({ "image": image.data, "media_type": image.media_type }),
            Block::RemoteImage { url } => json!({ "remote_image": url }),
            Block::Document(document) => {
                json!({ "document": document.data, "media_type": document.media_type, "name": document.name })
            }
            Block::ToolUse { id, name, input, cache } => {
                json!({ "tool_use": name, "id": id, "input": input, "cache": cache })
            }
            Block::ToolResult { tool_use_id, content, is_error, cache } => json!({
                "tool_result": tool_use_id, "content": blocks_json(content), "is_error": is_error, "cache": cache,
            }),
        })
        .collect()
}

/// What few protocols use is shown only when it is there.
fn with_extras(inbound: &Inbound, mut shown: Value) -> Value {
    if !inbound.echo.tools.is_empty() {
        let form = |(model_name, form): (&String, &ToolForm)| {
            (
                model_name.clone(),
                json!({ "kind": format!("{:?}", form.kind), "name": form.name, "namespace": form.namespace }),
            )
        };
        shown["tool_forms"] = Value::Object(inbound.echo.tools.iter().map(form).collect());
    }
    if !inbound.echo.repeat.is_empty() {
        shown["repeat"] = Value::Object((*inbound.echo.repeat).clone());
    }
    if let Some(keep) = &inbound.keep {
        shown["keep"] = keep.clone();
    }
    shown
}
