//! What decoding costs at its peak. One test in a file of its own: the figure belongs to the whole process.
#![cfg(target_os = "linux")]

use kiro_protocol::anthropic::AnthropicMessages;
use kiro_protocol::codec::{Protocol, RequestHead};

/// The most memory this process ever held, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the peak is listed");
    line.split_ascii_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).expect("a number") * 1024
}

#[test]
fn a_long_conversation_costs_at_most_four_times_its_size() {
    const SIZE: usize = 16 << 20;
    // Many small values, as tool calls have them: the dearest form in relation to its size that real clients send.
    let turn = concat!(
        r#"{"role":"assistant","content":[{"type":"text","text":"I will now look at the next file of the list."},"#,
        r#"{"type":"tool_use","id":"toolu_0123456789","name":"Read","input":{"file_path":"/src/main.rs","offset":100,"limit":50}}]},"#,
        r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_0123456789","content":[{"type":"text","text":"#,
    );
    let text = "fn main() { println!(\\\"hello\\\"); }\\n".repeat(60);
    let mut body = String::with_capacity(SIZE + (1 << 20));
    body.push_str(r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"start"}"#);
    while body.len() < SIZE {
        body.push(',');
        body.push_str(turn);
        body.push('"');
        body.push_str(&text);
        body.push_str(r#""}]}]}"#);
    }
    body.push_str("]}");

    let before = peak();
    let inbound = AnthropicMessages::decode(&RequestHead::default(), body.as_bytes()).expect("decoded");
    let cost = peak() - before;
    assert!(inbound.conversation.messages.len() > 1_000);
    assert!(cost > SIZE / 4, "only {cost} bytes: this measures nothing");
    // The body itself is the first of the four.
    assert!(cost <= 3 * body.len(), "{cost} bytes for a body of {}", body.len());
}
