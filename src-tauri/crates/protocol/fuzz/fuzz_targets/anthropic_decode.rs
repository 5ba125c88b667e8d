//! Any body: decoding never panics, what was decoded can be built into an upstream request, errors say something.
#![no_main]

use kiro_protocol::anthropic::AnthropicMessages;
use kiro_protocol::codec::{Protocol, RequestHead};
use kiro_protocol::kiro::request::{BuildContext, build};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let head = RequestHead::default();
    match AnthropicMessages::decode(&head, body) {
        Ok(inbound) => {
            assert!(!inbound.conversation.messages.is_empty());
            assert!(AnthropicMessages::decode_count(&head, body).is_ok());
            let built = build(&inbound.conversation, &BuildContext::default());
            assert!(!built.to_bytes(None).is_empty());
        }
        Err(error) => assert!(!error.message.is_empty()),
    }
});
