use super::super::search_tool;
use super::*;
use crate::settings::ToolSettings;
use kiro_protocol::conversation::{Conversation, ServerTool, ToolChoice};
use std::collections::HashSet;

fn plan() -> Plan {
    Plan { argued: HashSet::from(["Write".to_owned()]), ..Plan::default() }
}

fn searching() -> Plan {
    let search = ServerTool::WebSearch {
        name: "web_search".into(),
        max_uses: None,
        allowed_domains: vec![],
        blocked_domains: vec![],
    };
    let mut conversation =
        Conversation { server_tools: vec![search], tool_choice: ToolChoice::Auto, ..Conversation::default() };
    Plan { search: search_tool::offer(&mut conversation, &ToolSettings::default(), &mut Vec::new()), ..plan() }
}

fn text(text: &str) -> Event {
    Event::Text(text.to_owned())
}

fn call(id: &str, name: &str, input: &str) -> Vec<Event> {
    let mut events = vec![Event::ToolUseStart { id: id.into(), name: name.into() }];
    if !input.is_empty() {
        let (one, two) = input.split_at(input.len() / 2);
        events.extend([one, two].map(|piece| Event::ToolInput(piece.to_owned())));
    }
    events.push(Event::ToolUseEnd);
    events
}

fn whole(id: &str, name: &str, input: &str) -> Vec<Event> {
    let input = (!input.is_empty()).then(|| Event::ToolInput(input.to_owned()));
    let start = Event::ToolUseStart { id: id.into(), name: name.into() };
    [Some(start), input, Some(Event::ToolUseEnd)].into_iter().flatten().collect()
}

/// What goes out at once, what after the release, and the turn.
fn run(plan: Plan, forced: bool, before: Before, events: Vec<Event>) -> (Vec<Event>, Vec<Event>, Turn) {
    let mut turn = Turn::new(&Arc::new(plan), forced, before);
    let (mut early, mut late) = (Vec::new(), Vec::new());
    for event in events {
        turn.push(event, &mut early);
    }
    turn.release(&mut late);
    (early, late, turn)
}

fn early(plan: Plan, events: Vec<Event>) -> Vec<Event> {
    let (early, late, _) = run(plan, false, Before::default(), events);
    assert_eq!(late, []);
    early
}

fn codes(turn: &Turn) -> Vec<&str> {
    turn.notices.iter().map(|notice| notice.code).collect()
}

#[test]
fn a_call_waits_until_it_is_whole_and_text_does_not() {
    let mut turn = Turn::new(&Arc::new(plan()), false, Before::default());
    let mut out = Vec::new();
    turn.push(text("a"), &mut out);
    turn.push(Event::ToolUseStart { id: "1".into(), name: "Read".into() }, &mut out);
    turn.push(Event::ToolInput("{\"a\"".into()), &mut out);
    assert_eq!(out, [text("a")]);
    assert_eq!(turn.open_call(), Some(("Read", false)));
    turn.push(Event::ToolInput(":1}".into()), &mut out);
    turn.push(Event::ToolUseEnd, &mut out);
    assert_eq!(out[1..], whole("1", "Read", "{\"a\":1}"));
    assert_eq!(turn.open_call(), None);
}

#[test]
fn a_client_that_wants_calls_as_they_are_written_gets_every_fragment() {
    let events = call("1", "Read", "{\"a\":1}");
    assert_eq!(early(Plan { live: true, ..plan() }, events.clone()), events);
    let mut turn = Turn::new(&Arc::new(Plan { live: true, ..plan() }), true, Before::default());
    let mut out = Vec::new();
    turn.push(text("a"), &mut out);
    assert_eq!(out, [], "a call must come first");
    turn.push(events[0].clone(), &mut out);
    assert_eq!(out, [text("a"), events[0].clone()]);
    assert_eq!(turn.open_call(), Some(("Read", true)));
}

#[test]
fn a_call_of_the_search_is_nobodys_but_ours_and_what_follows_it_waits() {
    let mut events = vec![text("let me see")];
    events.extend(call("s", "web_search", "{\"query\":\"q\"}"));
    events.push(text("after"));
    events.extend(call("c", "Read", "{\"a\":1}"));
    for live in [false, true] {
        let (early, late, turn) = run(Plan { live, ..searching() }, false, Before::default(), events.clone());
        assert_eq!(early, [text("let me see")]);
        assert_eq!((late[0].clone(), &late[1..]), (text("after"), &whole("c", "Read", "{\"a\":1}")[..]));
        assert_eq!((turn.searches.len(), turn.calls.len()), (1, 1));
    }
}

#[test]
fn text_waits_for_a_call_that_must_come() {
    let mut events = vec![text("hm, "), text("so")];
    let (out, late, _) = run(plan(), true, Before::default(), events.clone());
    assert_eq!((out, late), (vec![], events.clone()));
    events.extend(call("1", "Read", "{}"));
    events.push(text("more"));
    let (out, late, _) = run(plan(), true, Before::default(), events.clone());
    assert_eq!((out.len(), late), (6, vec![]));
    assert_eq!(out.last(), Some(&text("more")));
}

#[test]
fn an_empty_call_right_before_the_same_call_with_arguments_is_a_ghost() {
    let ghost = |name: &str| [call("1", name, ""), call("2", name, "{\"a\":1}")].concat();
    let (out, _, turn) = run(plan(), false, Before::default(), ghost("Write"));
    assert_eq!((out, codes(&turn)), (whole("2", "Write", "{\"a\":1}"), vec!["ghost_call_dropped"]));
    assert_eq!(turn.calls.len(), 1);
    let (out, _, turn) = run(Plan { one_call: true, ..plan() }, false, Before::default(), ghost("Write"));
    assert_eq!((out, turn.calls.len()), (whole("2", "Write", "{\"a\":1}"), 1));
    // A tool that needs no arguments may well be called without and with some.
    assert_eq!(early(plan(), ghost("Read")).len(), 5);
    // Another tool, or words in between: the empty call was meant.
    let other = [call("1", "Write", "{}"), call("2", "Read", "{\"a\":1}")].concat();
    assert_eq!(early(plan(), other), [whole("1", "Write", "{}"), whole("2", "Read", "{\"a\":1}")].concat());
    let parted = [call("1", "Write", ""), vec![text("x")], call("2", "Write", "{\"a\":1}")].concat();
    assert_eq!(early(plan(), parted).len(), 2 + 1 + 3);
    // A lone one goes out at the end, for the client to refuse.
    let (out, late, _) = run(plan(), false, Before::default(), call("1", "Write", ""));
    assert_eq!((out, late), (vec![], whole("1", "Write", "")));
}

#[test]
fn equal_calls_with_ids_of_their_own_are_two_calls() {
    let twice = [call("1", "Read", "{\"a\":1}"), call("2", "Read", "{\"a\":1}")].concat();
    assert_eq!(early(plan(), twice).len(), 6);
}

#[test]
fn a_client_that_takes_one_call_gets_one() {
    let two = [call("1", "Read", "{\"a\":1}"), call("2", "Read", "{\"a\":2}")].concat();
    for live in [false, true] {
        let (out, _, turn) = run(Plan { one_call: true, live, ..plan() }, false, Before::default(), two.clone());
        assert!(out.iter().all(|event| !matches!(event, Event::ToolUseStart { id, .. } if id == "2")), "{out:?}");
        assert_eq!((turn.calls.len(), codes(&turn)), (1, vec!["parallel_call_dropped"]));
    }
}

#[test]
fn thinking_that_was_switched_off_is_not_shown_but_remembered() {
    let events = vec![Event::Thinking("a".into()), Event::ThinkingSignature("s".into()), text("b")];
    let (out, _, turn) = run(Plan { hide_thinking: true, ..plan() }, false, Before::default(), events);
    assert_eq!((out, codes(&turn)), (vec![text("b")], vec!["thinking_hidden"]));
    assert_eq!(turn.said[0], Block::Thinking { text: "a".into(), signature: Some("s".into()) });
}

#[test]
fn what_was_delivered_before_a_cut_is_not_delivered_again() {
    let before = || Before {
        text: "I write it now.".into(),
        calls: vec![Called { name: "Read".into(), input: parse_tool_input("{\"a\":1}").expect("an object") }],
    };
    for (pieces, new) in [
        (vec!["I write ", "it now.", " In pieces."], " In pieces."),
        (vec!["I write it now. In pieces."], " In pieces."),
        (vec!["I wr", "ote too much."], "I wrote too much."),
        (vec!["Sorry."], "Sorry."),
        (vec!["I write"], ""),
        (vec!["I write it now."], ""),
    ] {
        let mut events: Vec<Event> = pieces.iter().map(|piece| text(piece)).collect();
        events.extend(call("9", "Read", "{\"a\":1}"));
        events.extend(call("10", "Read", "{\"a\":1}"));
        let (out, late, turn) = run(plan(), false, before(), events);
        let said: String = out
            .iter()
            .filter_map(|event| match event {
                Event::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!((said.as_str(), late.len()), (new, 0), "{pieces:?}");
        assert_eq!(turn.calls.len(), 1, "only one of two calls was delivered before");
        assert_eq!(codes(&turn), ["repeated_call_dropped"]);
    }
}
