//! Any body: decoding never panics, what was decoded can be built into an upstream request, errors say something, and what
//! is kept can be continued.
#![no_main]

use kiro_protocol::codec::{Protocol, RequestHead};
use kiro_protocol::event::{Reply, ReplyBlock};
use kiro_protocol::kiro::request::{BuildContext, build};
use kiro_protocol::openai_responses::{OpenAiCompaction, OpenAiResponses};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use std::sync::Arc;

fuzz_target!(|body: &[u8]| {
    let head = RequestHead::default();
    let _ = OpenAiResponses::continues(body);
    match OpenAiResponses::decode(&head, body) {
        Ok(inbound) => {
            assert!(!inbound.conversation.messages.is_empty());
            assert!(OpenAiResponses::decode_count(&head, body).is_ok());
            assert!(OpenAiCompaction::decode(&head, body).is_ok());
            let built = build(&inbound.conversation, &BuildContext::default());
            assert!(!built.to_bytes(None).is_empty());

            let reply = Reply { blocks: vec![ReplyBlock::Text("x".into())], ..Reply::default() };
            let response = OpenAiResponses::encode(&reply, &inbound.echo);
            if let Some(input) = inbound.keep {
                let kept = Some(Arc::new(json!({ "input": input, "response": response })));
                let body = json!({ "model": "m", "input": "y", "previous_response_id": response["id"] }).to_string();
                let next = OpenAiResponses::decode(&RequestHead { kept, ..head }, body.as_bytes());
                assert!(next.is_ok_and(|next| next.conversation.messages.len() > 1));
            }
        }
        Err(error) => assert!(!error.message.is_empty()),
    }
});
