//! Any body, for both kinds of completions: decoding never panics, what was decoded can be built into an upstream request,
//! errors say something.
#![no_main]

use kiro_protocol::codec::{Protocol, RequestHead};
use kiro_protocol::kiro::request::{BuildContext, build};
use kiro_protocol::openai_chat::{OpenAiChat, OpenAiCompletions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    check::<OpenAiChat>(body);
    check::<OpenAiCompletions>(body);
});

fn check<P: Protocol>(body: &[u8]) {
    match P::decode(&RequestHead::default(), body) {
        Ok(inbound) => {
            assert!(!inbound.conversation.messages.is_empty());
            let built = build(&inbound.conversation, &BuildContext::default());
            assert!(!built.to_bytes(None).is_empty());
        }
        Err(error) => assert!(!error.message.is_empty()),
    }
}
