//! What the gateway says to the model between rounds. Always as the user, since a model imitates what it reads in its own
//! turns; in English, which every model reads.

use super::searching::Done;
use super::turn::{Called, text_of};
use kiro_protocol::conversation::{Block, Conversation, Message, Role};

fn push(conversation: &mut Conversation, role: Role, content: Vec<Block>) {
    if !content.is_empty() {
        conversation.messages.push(Message { role, content });
    }
}

fn ask(conversation: &mut Conversation, words: String) {
    push(conversation, Role::User, vec![Block::Text { text: words, cache: false }]);
}

/// After a call that was cut: what was said stands, and the call comes again in smaller pieces.
pub(super) fn call_was_cut(conversation: &mut Conversation, said: Vec<Block>, done: &[Called], tool: Option<&str>) {
    let wrote = !text_of(&said).is_empty();
    push(conversation, Role::Assistant, said);
    let which = tool.map_or("a tool call".to_owned(), |tool| format!("a call of the tool {tool}"));
    let mut words =
        format!("Your last answer was cut off inside {which}: its input did not arrive whole, so it was not run.");
    if !done.is_empty() {
        let names: Vec<&str> = done.iter().map(|call| call.name.as_str()).collect();
        words.push_str(&format!(
            " The calls before it arrived and will be run ({}): do not make them again.",
            names.join(", ")
        ));
    }
    if wrote {
        words.push_str(" What you wrote before it arrived, too: do not repeat it.");
    }
    words.push_str(
        " Make the call again now with a much smaller input. Split the work: for a long file, write at most 100 lines now and \
         add the rest with further calls later.",
    );
    ask(conversation, words);
}

/// After an answer without the call that had to come.
pub(super) fn call_is_missing(conversation: &mut Conversation, said: Vec<Block>, tool: Option<&str>) {
    push(conversation, Role::Assistant, said);
    let which = tool.map_or("one of the tools".to_owned(), |tool| format!("the tool {tool}"));
    ask(
        conversation,
        format!("You answered without a tool call. A call of {which} is required: answer with that call and no text."),
    );
}

/// After an answer of another form.
pub(super) fn form_is_wrong(conversation: &mut Conversation, said: Vec<Block>, problem: &str) {
    push(conversation, Role::Assistant, said);
    ask(
        conversation,
        format!(
            "Your answer does not have the required form: {problem}. Write the whole answer again, corrected, in exactly that \
             form and nothing else."
        ),
    );
}

/// After searches: the calls as the model made them, and their results.
pub(super) fn searches_are_done(conversation: &mut Conversation, said: Vec<Block>, done: Vec<Done>, name: &str) {
    let mut content = said;
    let mut results = Vec::with_capacity(done.len());
    for Done { call, words, failed } in done {
        content.push(Block::ToolUse { id: call.id.clone(), name: name.to_owned(), input: call.input, cache: false });
        let text = Block::Text { text: words, cache: false };
        results.push(Block::ToolResult { tool_use_id: call.id, content: vec![text], is_error: failed, cache: false });
    }
    push(conversation, Role::Assistant, content);
    push(conversation, Role::User, results);
}
