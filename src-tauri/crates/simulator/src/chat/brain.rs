//! The small brain: enough understanding to let a person or a coding client finish a little task.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::form;
use super::reading::{Tool, current, earlier_users, results, tools, words};

static STRICT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?s)Create the file (\S+) with exactly this content: (\S+)\. .*?answer only: ([A-Za-z0-9_-]+)")
        .expect("a constant pattern")
});
static LOOSE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)\b(?:create|write|make|save|add)\b(?:\s+(?:a|an|the|new|text|file|called|named|me|please))*\s+[`'"]?([\w./\\~:-]*[\w-]\.\w{1,8})[`'"]?[^\n]{0,40}?\b(?:content|contents|text|saying|containing|contains|says|reads|with)\b(?:\s+(?:it|this|exactly|the|following|that|content|contents|text|line|in))*\s*:?\s*"#).expect("a constant pattern")
});
static CHINESE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?:创建|新建|写入|写|生成)[^\n]{0,12}?[`'"“]?([\w./\\~:-]*[\w-]\.[A-Za-z0-9]{1,8})[`'"”]?[^\n]{0,12}?内容\s*(?:为|是)?\s*[:：]?\s*"#).expect("a constant pattern")
});
static FENCE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?s)\A\s*```[^\n]*\n(.*?)\n?```").expect("a constant pattern"));
static QUOTES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?s)\A\s*(?:"([^"]*)"|'([^']*)'|`([^`]*)`)"#).expect("a constant pattern"));
static STOP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)[.,;]?\s+(?:when|then|after|and then|use your|using)\b").expect("a constant pattern")
});
static SEARCH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)\b(?:search (?:the )?(?:web|internet)|web search) for(?: the query)?:?\s+["“'`]?([^"”'`\n.]+)"#)
        .expect("a constant pattern")
});
static LAST_WORDS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)(?:answer|say|reply)\s+only:?\s*([A-Za-z0-9_-]+)").expect("a constant pattern"));

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) call: Option<(String, Value)>,
}

impl Reply {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), call: None }
    }
}

/// A file that the user wants.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    path: String,
    content: String,
    /// Words to say when it is done.
    last_words: Option<String>,
}

/// What the person wanted the tools for.
enum Asked {
    File(Wish),
    /// With the words to say when it is done.
    Search(Option<String>),
}

pub(super) fn reply(body: &Value) -> Reply {
    let said = words(current(body));
    let outcomes = results(body);
    if !outcomes.is_empty() {
        return after_results(body, &outcomes);
    }
    if let Some(text) = literal(&said) {
        return Reply::text(text);
    }
    let offered = tools(body);
    if let Some(wish) = wish(&said)
        && let Some(call) = offered.iter().filter_map(|tool| rank(tool)).min_by_key(|(rank, _)| *rank)
    {
        return Reply { text: String::new(), call: Some((call.1.name.clone(), arguments(call.1, &wish))) };
    }
    // Some clients ask for a search by the bare query, with nothing but a search tool on offer.
    // The system text may stand before it, so it is the last line.
    let bare = || {
        let last = said.lines().next_back().filter(|line| line.chars().count() <= 200)?;
        matches!(offered.as_slice(), [only] if searches(only)).then(|| last.trim().to_owned())
    };
    if let Some(query) = query(&said).or_else(bare).filter(|query| !query.is_empty())
        && let Some(tool) = offered.iter().find(|tool| searches(tool))
    {
        return Reply { text: String::new(), call: Some((tool.name.clone(), json!({"query": query}))) };
    }
    if let Some(tool) = form::forced_tool(body, &offered) {
        return Reply { text: String::new(), call: Some((tool.name.clone(), form::sample(&tool.schema))) };
    }
    if let Some(value) = form::wanted_json(body) {
        return Reply::text(value.to_string());
    }
    Reply::text(small_talk(&said, &offered))
}

/// What is to be looked up in the web.
fn query(said: &str) -> Option<String> {
    SEARCH.captures_iter(said).last().map(|found| found[1].trim().to_owned())
}

fn searches(tool: &Tool) -> bool {
    matches!(tool.short_name().as_str(), "websearch" | "googlewebsearch" | "remotewebsearch" | "searchweb")
        && tool.properties.iter().any(|p| p == "query")
}

/// The rest after the last `SAY:`.
fn literal(said: &str) -> Option<String> {
    let at = said
        .rmatch_indices("SAY:")
        .map(|(at, _)| at)
        .find(|at| *at == 0 || said.get(..*at).is_some_and(|before| before.ends_with(char::is_whitespace)))?;
    said.get(at + 4..).map(|rest| rest.trim_start_matches(' ').to_owned())
}

fn wish(said: &str) -> Option<Wish> {
    if let Some(found) = STRICT.captures_iter(said).last() {
        return Some(Wish {
            path: found[1].to_owned(),
            content: found[2].to_owned(),
            last_words: Some(found[3].to_owned()),
        });
    }
    let found = LOOSE.captures_iter(said).chain(CHINESE.captures_iter(said)).last()?;
    let rest = said.get(found.get(0)?.end()..)?;
    let (content, after) = quoted(rest);
    (!content.is_empty()).then(|| Wish { path: found[1].to_owned(), content, last_words: last_words(after) })
}

/// The content: inside a fence or quotes when there are some, else the rest of the line.
fn quoted(rest: &str) -> (String, &str) {
    for pattern in [&*FENCE, &*QUOTES] {
        if let Some(found) = pattern.captures(rest) {
            let end = found.get(0).map_or(0, |all| all.end());
            let inner = found.iter().skip(1).flatten().next().map_or("", |m| m.as_str());
            return (inner.to_owned(), rest.get(end..).unwrap_or_default());
        }
    }
    let line_end = rest.find('\n').unwrap_or(rest.len());
    let (line, after) = rest.split_at(line_end);
    let end = STOP.find(line).map_or(line.len(), |m| m.start());
    (line[..end].trim().to_owned(), if end < line.len() { &rest[end..] } else { after })
}

fn last_words(after: &str) -> Option<String> {
    LAST_WORDS.captures(after).map(|found| found[1].to_owned())
}

/// How well a tool writes files; smaller is better, `None` = not at all.
fn rank(tool: &Tool) -> Option<(usize, &Tool)> {
    let has = |names: &[&str]| tool.properties.iter().any(|p| names.contains(&p.as_str()));
    let rank = match tool.short_name().as_str() {
        "write" | "writefile" | "createfile" | "fswrite" | "writetofile" if has(&PATHS) && has(&CONTENTS) => 0,
        "applypatch" if has(&["input", "patch"]) => 1,
        "execcommand" | "shellcommand" if has(&COMMANDS) => 2,
        "bash" | "shell" | "runshellcommand" | "localshell" | "executebash" | "runcommand" if has(&COMMANDS) => 3,
        "exec" if has(&["input"]) => 4,
        _ => return None,
    };
    Some((rank, tool))
}

const PATHS: [&str; 5] = ["file_path", "filePath", "path", "absolute_path", "filename"];
const CONTENTS: [&str; 5] = ["content", "contents", "text", "file_text", "file_content"];
const COMMANDS: [&str; 2] = ["command", "cmd"];

fn arguments(tool: &Tool, wish: &Wish) -> Value {
    let named = |names: &[&'static str]| names.iter().copied().find(|n| tool.properties.iter().any(|p| p == n));
    let mut arguments = Map::new();
    if let (Some(path), Some(content)) = (named(&PATHS), named(&CONTENTS)) {
        arguments.insert(path.to_owned(), wish.path.clone().into());
        arguments.insert(content.to_owned(), wish.content.clone().into());
        if named(&["command"]).is_some() {
            arguments.insert("command".to_owned(), "create".into());
        }
    } else if let Some(command) = named(&COMMANDS) {
        let line = shell_line(wish);
        let list = match tool.schema["properties"][command]["type"].as_str() {
            Some(kind) => kind == "array",
            None => matches!(tool.short_name().as_str(), "shell" | "localshell") && command == "command",
        };
        let value = if list { json!(["bash", "-lc", line]) } else { line.into() };
        arguments.insert(command.to_owned(), value);
        if named(&["description"]).is_some() {
            arguments.insert("description".to_owned(), "Write the file".into());
        }
    } else if tool.short_name() == "exec" && named(&["input"]).is_some() {
        // Codex in code mode: the input is a script that calls its own command tool.
        let command = json!({"cmd": shell_line(wish)});
        let script = format!("const r = await tools.exec_command({command}); text(r);");
        arguments.insert("input".to_owned(), script.into());
    } else if let Some(input) = named(&["input", "patch"]) {
        let added: String = wish.content.lines().map(|line| format!("+{line}\n")).collect();
        let patch = format!("*** Begin Patch\n*** Add File: {}\n{added}*** End Patch\n", wish.path);
        arguments.insert(input.to_owned(), patch.into());
    }
    Value::Object(arguments)
}

fn shell_line(wish: &Wish) -> String {
    let quote = |text: &str| text.replace('\'', r"'\''");
    format!("printf %s '{}' > '{}'", quote(&wish.content), quote(&wish.path))
}

fn after_results(body: &Value, outcomes: &[(String, bool)]) -> Reply {
    if let Some((text, _)) = outcomes.iter().find(|(_, failed)| *failed) {
        let first: String = text.chars().take(200).collect();
        return Reply::text(format!("The tool failed, so I stop here (simulated answer). It said: {first}"));
    }
    // A follow-up may stand beside the results: some clients repeat the instructions there.
    let told = std::iter::once(current(body)).chain(earlier_users(body));
    let asked = told.map(words).find_map(|said| {
        wish(&said).map(Asked::File).or_else(|| query(&said).map(|_| Asked::Search(last_words(&said))))
    });
    Reply::text(match asked {
        Some(Asked::File(Wish { last_words: Some(words), .. }) | Asked::Search(Some(words))) => words,
        Some(Asked::File(wish)) => format!("Done: {} is written. (Simulated answer.)", wish.path),
        Some(Asked::Search(None)) => {
            let found: String = outcomes.iter().flat_map(|(text, _)| text.chars()).take(200).collect();
            format!("The search found this (simulated answer): {found}")
        }
        None => "The tool has answered and I am done. (Simulated answer.)".to_owned(),
    })
}

fn small_talk(said: &str, offered: &[Tool]) -> String {
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let heard: String = last.chars().take(160).collect();
    let tip = if offered.iter().any(|tool| rank(tool).is_some()) {
        "I can write a file: try \"create hello.txt with this content: hi\"."
    } else {
        "Start a message with \"SAY: \" and I repeat the rest word for word."
    };
    format!(
        "This is a simulated answer: no model was asked and nothing left this computer. You said: \"{heard}\". {tip}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(content: &str, tool: Option<(&str, &[&str])>) -> Reply {
        let mut user = json!({"content": content});
        if let Some((name, properties)) = tool {
            let properties: Map<String, Value> = properties.iter().map(|p| ((*p).to_owned(), json!({}))).collect();
            user["userInputMessageContext"] = json!({"tools": [{"toolSpecification": {"name": name, "inputSchema": {"json": {"properties": properties}}}}]});
        }
        reply(&json!({"conversationState": {"currentMessage": {"userInputMessage": user}}}))
    }

    const WRITE: Option<(&str, &[&str])> = Some(("Write", &["file_path", "content"]));

    #[test]
    fn natural_wordings_are_understood() {
        let cases = [
            ("create hello.txt with this content: hi", "hello.txt", "hi"),
            ("Please create a file called notes.md with the content \"one, two.\"", "notes.md", "one, two."),
            (
                "write a new file ./src/a.rs containing:\n```rust\nfn main() {}\n```\nThanks",
                "./src/a.rs",
                "fn main() {}",
            ),
            ("Make the file `x-y.json` with exactly this content: {\"a\": 1} then stop", "x-y.json", "{\"a\": 1}"),
            ("Create hello.txt with this content: hello from kiro", "hello.txt", "hello from kiro"),
            ("create hello.txt with content 'hi there'", "hello.txt", "hi there"),
            ("创建文件 hello.txt，内容为：你好", "hello.txt", "你好"),
            ("create a file named out.txt that says: good morning. Use your tool.", "out.txt", "good morning"),
        ];
        for (asked, path, content) in cases {
            let call = ask(asked, WRITE).call;
            assert_eq!(call, Some(("Write".to_owned(), json!({"file_path": path, "content": content}))), "{asked}");
        }
    }

    #[test]
    fn arguments_follow_the_schema_of_the_tool() {
        let prompt = "Create the file /tmp/a with exactly this content: it's. Use your tool for it. When it is written answer only: OK";
        let shell = r"printf %s 'it'\''s' > '/tmp/a'";
        let cases: [(&str, &[&str], Value); 8] = [
            ("write_file", &["file_path", "content"], json!({"file_path": "/tmp/a", "content": "it's"})),
            ("write", &["filePath", "content"], json!({"filePath": "/tmp/a", "content": "it's"})),
            ("mcp__fs__write_file", &["path", "content"], json!({"path": "/tmp/a", "content": "it's"})),
            ("exec_command", &["cmd", "workdir"], json!({"cmd": shell})),
            ("bash", &["command", "description"], json!({"command": shell, "description": "Write the file"})),
            (
                "exec",
                &["input"],
                json!({"input": format!("const r = await tools.exec_command({}); text(r);", json!({"cmd": shell}))}),
            ),
            ("shell", &["command"], json!({"command": ["bash", "-lc", shell]})),
            (
                "apply_patch",
                &["input"],
                json!({"input": "*** Begin Patch\n*** Add File: /tmp/a\n+it's\n*** End Patch\n"}),
            ),
        ];
        for (name, properties, expected) in cases {
            assert_eq!(ask(prompt, Some((name, properties))).call, Some((name.to_owned(), expected)), "{name}");
        }
    }

    #[test]
    fn a_search_is_made_with_whatever_the_client_calls_its_tool() {
        for name in ["web_search", "WebSearch", "google_web_search"] {
            for said in ["Search the web for rust 1.95. Then answer.", "Perform a web search for the query: rust 1"] {
                let (called, input) = ask(said, Some((name, &["query"]))).call.expect("a call");
                assert_eq!(called, name);
                assert!(input["query"].as_str().is_some_and(|q| q.starts_with("rust 1")), "{input}");
            }
        }
        assert_eq!(ask("Search the web for rust", None).call, None);
        let bare = ask("rust release notes", Some(("web_search", &["query"]))).call;
        assert_eq!(ask("You search well.\n\nrust release notes", Some(("web_search", &["query"]))).call, bare);
        assert_eq!(bare, Some(("web_search".to_owned(), json!({"query": "rust release notes"}))));
    }

    #[test]
    fn a_patch_goes_before_a_command_and_names_may_have_a_namespace() {
        let prompt = "Create the file /tmp/a with exactly this content: x. Use it. answer only: OK";
        let tool = |name: &str, property: &str| json!({"toolSpecification": {"name": name, "inputSchema": {"json": {"properties": {property: {"type": "string"}}}}}});
        let call = |tools: Value| {
            let user = json!({"content": prompt, "userInputMessageContext": {"tools": tools}});
            reply(&json!({"conversationState": {"currentMessage": {"userInputMessage": user}}})).call.expect("a call")
        };
        assert_eq!(call(json!([tool("exec_command", "cmd"), tool("apply_patch", "input")])).0, "apply_patch");
        let (name, input) = call(json!([tool("functions__exec", "input")]));
        assert_eq!(name, "functions__exec");
        assert!(input["input"].as_str().is_some_and(|code| code.contains("tools.exec_command(")), "{input}");
    }

    #[test]
    fn say_is_repeated_word_for_word_and_questions_never_call_tools() {
        assert_eq!(ask("system text\n\nSAY: a  b\nc", None), Reply::text("a  b\nc"));
        assert_eq!(ask("What is the capital of France?", WRITE).call, None);
        assert_eq!(ask("How would you create a file in Rust?", WRITE).call, None);
        assert_eq!(ask("create hello.txt with this content: hi", None).call, None);
        assert!(ask("hello", None).text.contains("simulated"));
    }
}
