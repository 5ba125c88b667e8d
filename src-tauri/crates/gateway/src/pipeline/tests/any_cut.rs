//! However an answer is cut into pieces, breaks or goes on, and however often its client gives up waiting: what was delivered
//! comes once and in order, a call comes once and whole, and an end comes only with a whole answer.

use super::*;
use crate::upstream::scripted::Found;
use kiro_protocol::conversation::{JsonObject, ServerTool, ToolSpec};
use proptest::prelude::*;
use serde_json::{Value, json};

/// How the first answer ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Whole,
    /// Inside a call, properly closed.
    InCall,
    /// Inside a call, by the connection.
    InCallReset,
    /// With a call whose input is broken.
    BrokenInput,
    /// With searches.
    Searches(usize),
    /// In the text, by the connection.
    Reset,
}

#[derive(Debug, Clone)]
struct Story {
    first: Vec<String>,
    end: End,
    /// The second answer begins with the words of the first.
    repeats: bool,
    second: Vec<String>,
    /// Milliseconds between two pieces.
    pause: u64,
    /// Milliseconds that the client waits at a time.
    patience: u64,
}

fn story() -> impl Strategy<Value = Story> {
    let end = prop_oneof![
        Just(End::Whole),
        Just(End::InCall),
        Just(End::InCallReset),
        Just(End::BrokenInput),
        (1_usize..3).prop_map(End::Searches),
        Just(End::Reset),
    ];
    let words =
        |letters: &'static str| prop::collection::vec(letters.prop_map(|word: String| format!("{word} ")), 1..5);
    (words("[a-mä]{1,5}"), end, any::<bool>(), words("[n-z多]{1,5}"), 0_u64..20, 1_u64..40).prop_map(
        |(first, end, repeats, second, pause, patience)| Story { first, end, repeats, second, pause, patience },
    )
}

fn tool(id: &str, name: &str, input: &str, stop: bool) -> Step {
    let payload = json!({ "toolUseId": id, "name": name, "input": input, "stop": stop });
    Step::Bytes(frame("event", "toolUseEvent", &payload.to_string()))
}

fn spoken(words: &[String], pause: u64) -> Vec<Step> {
    words.iter().flat_map(|word| [text(word), Step::Wait(Duration::from_millis(pause))]).collect()
}

const INPUT: &str = r#"{"path":"a","content":"b"}"#;

impl Story {
    fn asks_twice(&self) -> bool {
        matches!(self.end, End::InCall | End::InCallReset | End::BrokenInput | End::Searches(_))
    }

    fn scenes(&self) -> Vec<Scene> {
        let mut first = spoken(&self.first, self.pause);
        match self.end {
            End::Whole => first.push(metering()),
            End::InCall => first.push(tool("t1", "Write", &INPUT[..12], false)),
            End::InCallReset => first.extend([tool("t1", "Write", &INPUT[..12], false), Step::Reset]),
            End::BrokenInput => first.extend([tool("t1", "Write", &INPUT[..12], true), metering()]),
            End::Searches(count) => {
                let query = |number: usize| json!({ "query": format!("q{number}") }).to_string();
                first.extend((0..count).map(|number| tool(&format!("s{number}"), "web_search", &query(number), true)));
                first.push(metering());
            }
            End::Reset => first.push(Step::Reset),
        }
        let mut scenes = vec![Scene::Answer(first)];
        if self.asks_twice() {
            let repeated = if self.repeats && !matches!(self.end, End::Searches(_)) { &self.first[..] } else { &[] };
            let mut second = spoken(&[repeated, &self.second].concat(), self.pause);
            second.extend([tool("t2", "Write", INPUT, true), metering()]);
            scenes.push(Scene::Answer(second));
        }
        scenes
    }

    fn conversation() -> Conversation {
        let search = ServerTool::WebSearch {
            name: "web_search".into(),
            max_uses: None,
            allowed_domains: Vec::new(),
            blocked_domains: Vec::new(),
        };
        let write = ToolSpec { name: "Write".into(), description: "w".into(), schema: JsonObject::new(), cache: false };
        Conversation { server_tools: vec![search], tools: vec![write], ..question("go") }
    }

    async fn play(&self) -> (House, Vec<Event>, Result<(), Failure>) {
        let house = House::new(&["a"], self.scenes());
        house
            .upstream
            .finds(vec![Found::Pages(vec!["https://example.org/"], Duration::from_millis(self.pause * 3)); 2]);
        let mut rounds = house.begin_with(Self::conversation()).await;
        let mut events = Vec::new();
        loop {
            match tokio::time::timeout(Duration::from_millis(self.patience), rounds.next(&mut events)).await {
                Err(_) | Ok(Ok(Progress::More)) => {}
                Ok(Ok(Progress::Complete)) => return (house, events, Ok(())),
                Ok(Err(failure)) => return (house, events, Err(failure)),
            }
        }
    }
}

/// The inputs of whole calls; panics at half ones.
fn inputs(events: &[Event]) -> Vec<Value> {
    let mut inputs = Vec::new();
    let mut open: Option<String> = None;
    for event in events {
        if let Some(input) = &mut open {
            match event {
                Event::ToolInput(piece) => input.push_str(piece),
                Event::ToolUseEnd => inputs.push(serde_json::from_str(&open.take().expect("open")).expect("JSON")),
                other => panic!("{other:?} inside a call"),
            }
        } else if matches!(event, Event::ToolUseStart { .. }) {
            open = Some(String::new());
        }
    }
    assert_eq!(open, None, "half a call");
    inputs
}

fn count(events: &[Event], wanted: fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| wanted(event)).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn everything_comes_once_and_in_order(story in story()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let (house, events, end) = runtime.expect("a runtime").block_on(story.play());
        let mut expected = story.first.concat();
        if story.asks_twice() {
            expected.push_str(&story.second.concat());
        }
        prop_assert_eq!(said(&events), expected);
        let input: Value = serde_json::from_str(INPUT).expect("JSON");
        prop_assert_eq!(inputs(&events), if story.asks_twice() { vec![input] } else { vec![] });
        let searches = if let End::Searches(count) = story.end { count } else { 0 };
        prop_assert_eq!(count(&events, |event| matches!(event, Event::SearchStart { .. })), searches);
        prop_assert_eq!(count(&events, |event| matches!(event, Event::SearchDone { outcome: Ok(_), .. })), searches);
        prop_assert_eq!(house.upstream.seen().len(), 1 + usize::from(story.asks_twice()));
        let stops = count(&events, |event| matches!(event, Event::Stop(_)));
        if story.end == End::Reset {
            prop_assert_eq!((end.map_err(|failure| failure.code), stops), (Err("upstream_truncated"), 0));
        } else {
            let reason = if story.asks_twice() { StopReason::ToolUse } else { StopReason::EndTurn };
            prop_assert_eq!((end, stops, events.last()), (Ok(()), 1, Some(&Event::Stop(reason))));
            prop_assert_eq!(count(&events, |event| matches!(event, Event::Usage(_))), 1);
        }
        prop_assert!(!house.in_use());
    }
}
