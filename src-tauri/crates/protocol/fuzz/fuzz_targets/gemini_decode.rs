//! Any body: decoding never panics, what was decoded can be built into an upstream request, errors say something.
#![no_main]

use kiro_protocol::codec::{Protocol, RequestHead};
use kiro_protocol::gemini::Gemini;
use kiro_protocol::kiro::request::{BuildContext, build};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let head = RequestHead { path: "/v1beta/models/m:generateContent".into(), ..RequestHead::default() };
    match Gemini::decode(&head, body) {
        Ok(inbound) => {
            assert!(!inbound.conversation.messages.is_empty());
            assert!(Gemini::decode_count(&head, body).is_ok());
            let built = build(&inbound.conversation, &BuildContext::default());
            assert!(!built.to_bytes(None).is_empty());
        }
        Err(error) => assert!(!error.message.is_empty()),
    }
});
