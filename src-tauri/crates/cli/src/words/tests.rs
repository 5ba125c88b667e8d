use std::collections::BTreeSet;
use std::path::Path;

use clap::CommandFactory as _;

use super::*;
use crate::args::Cli;

/// Literals that nobody reads.
const NOT_SAID: [&str; 3] = ["", "SQLite format 3\\0", "the last try is answered either way"];
/// Names, which are the same in both languages.
const NAMES: [&str; 3] = ["AWS Builder ID", "Id", "id"];

/// A literal of the program, with what stands before it.
struct Literal {
    file: String,
    before: String,
    text: String,
}

impl Literal {
    /// Whether a person reads it: it is given to one of the words' own functions, or it is more than one word.
    fn is_said(&self) -> bool {
        let before = self.before.trim_end();
        before.ends_with("say!(") || before.ends_with("words::of(") || self.has_words()
    }

    fn has_words(&self) -> bool {
        let plain: Vec<&str> = self.text.split(' ').collect();
        let is_word = |text: &str| {
            text.trim_matches(|c: char| !c.is_alphanumeric()).chars().filter(|c| c.is_alphabetic()).count() > 1
        };
        let plain: Vec<&str> = plain.into_iter().filter(|text| !text.contains(['{', '}'])).collect();
        !self.text.starts_with("/api") && plain.windows(2).any(|two| two.iter().all(|text| is_word(text)))
    }
}

/// The literals of a file as they are written, without its tests, comments and reasons of lints.
fn literals(file: &str, source: &str, found: &mut Vec<Literal>) {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let code: Vec<&str> = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//") && !line.trim_start().starts_with("#[expect("))
        .collect();
    let code = code.join("\n");
    let mut rest = code.as_str();
    let mut before = String::new();
    while let Some(at) = rest.find(['"', '\'']) {
        before.push_str(&rest[..at]);
        let quote = rest.as_bytes()[at];
        rest = &rest[at + 1..];
        if quote == b'\'' {
            // A character, or a lifetime, which has no end.
            let escaped = rest.starts_with('\\');
            let end = rest.char_indices().skip(if escaped { 2 } else { 1 }).find(|(_, c)| *c == '\'');
            if let Some((end, _)) = end.filter(|(end, _)| escaped || rest[..*end].chars().count() == 1) {
                rest = &rest[end + 1..];
            }
            continue;
        }
        let mut text = String::new();
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next() {
                Some((_, '\\')) => match characters.next() {
                    Some((_, '\n')) => {}
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, c @ ('"' | '\\'))) => text.push(c),
                    Some((_, c)) => text.extend(['\\', c]),
                    None => break rest.len(),
                },
                Some((at, '"')) => break at,
                Some((_, c)) => text.push(c),
                None => break rest.len(),
            }
        };
        found.push(Literal { file: file.to_owned(), before: std::mem::take(&mut before), text });
        rest = &rest[(end + 1).min(rest.len())..];
    }
}

fn program() -> Vec<Literal> {
    fn walk(folder: &Path, found: &mut Vec<Literal>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            // What can be typed is looked at through the help; this is about the words themselves.
            if name.starts_with("args") || name.starts_with("words") {
                continue;
            }
            if path.is_dir() {
                walk(&path, found);
            } else {
                literals(&path.to_string_lossy(), &std::fs::read_to_string(&path).expect("source"), found);
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

/// Every text of the help.
fn help(command: &clap::Command, found: &mut BTreeSet<String>) {
    let texts = [command.get_about(), command.get_after_help()];
    found.extend(texts.into_iter().flatten().map(ToString::to_string));
    for argument in command.get_arguments() {
        found.extend(argument.get_help().map(ToString::to_string));
        for value in argument.get_possible_values() {
            found.extend(value.get_help().map(ToString::to_string));
        }
    }
    command.get_subcommands().for_each(|command| help(command, found));
}

fn help_texts() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    help(&Cli::command(), &mut found);
    found
}

#[test]
fn every_text_of_the_program_is_there_in_chinese() {
    let literals = program();
    assert!(literals.len() > 500, "{} literals", literals.len());
    let missing: Vec<String> = literals
        .iter()
        .filter(|literal| literal.is_said() && !NOT_SAID.contains(&literal.text.as_str()))
        .filter(|literal| chinese(&literal.text).is_none())
        .map(|literal| format!("{}: {:?}", literal.file, literal.text))
        .chain(help_texts().into_iter().filter(|text| chinese(text).is_none()).map(|text| format!("help: {text:?}")))
        .collect();
    assert!(missing.is_empty(), "not in words/zh.json:\n{}", missing.join("\n"));
}

#[test]
fn no_chinese_text_is_left_over() {
    let mut said: BTreeSet<String> = program().into_iter().map(|literal| literal.text).collect();
    said.extend(help_texts());
    // Actions of the gateway, a word of a choice, and what the words say themselves.
    let others = [
        include_str!("../../../gateway/src/error.rs"),
        include_str!("../args/account_checks.rs"),
        include_str!("../words.rs"),
    ];
    let over: Vec<&String> = CHINESE
        .keys()
        .filter(|english| !said.contains(*english) && !others.iter().any(|source| source.contains(english.as_str())))
        .collect();
    assert!(over.is_empty(), "nobody says: {over:?}");
}

#[test]
fn a_translation_is_chinese_and_has_the_places_of_the_english_text() {
    for (english, text) in CHINESE.iter() {
        let has_chinese = text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        let has_words = english.replace("{}", "").chars().any(char::is_alphabetic);
        let is_choice = english.starts_with("error, warn") || english.starts_with("social, idc");
        assert!(
            has_chinese || !has_words || is_choice || NAMES.contains(&english.as_str()) || english == "{} of {}",
            "{english:?}: {text:?}"
        );
        assert_eq!(english.matches("{}").count(), text.matches("{}").count(), "{english:?}: {text:?}");
    }
}

#[test]
fn values_are_filled_in_by_order_or_number_and_never_looked_at() {
    assert_eq!(fill("{}：{}", &[&"{}", &2]), "{}：2");
    assert_eq!(fill("{1}的{0}", &[&"a", &"b"]), "b的a");
    assert_eq!(fill("无", &[]), "无");
}

#[test]
fn chinese_is_spoken_where_the_locale_is_chinese() {
    for locale in ["zh-CN", "zh_CN.UTF-8", "zh", "ZH-Hans"] {
        assert_eq!(Language::of(Some(locale)), Language::Chinese, "{locale}");
    }
    for locale in [None, Some("C"), Some("en-US"), Some("de")] {
        assert_eq!(Language::of(locale), Language::English, "{locale:?}");
    }
}

#[test]
fn a_text_of_the_window_needs_all_its_values() {
    let problem = |params: Value| window("problem.data_dir_locked.what", Some(&params));
    let text = problem(serde_json::json!({"holder": 7, "path": "/x"})).expect("filled");
    assert!(text.contains('7') && text.contains("/x"), "{text}");
    assert_eq!(problem(serde_json::json!({"path": "/x"})), None);
    assert_eq!(problem(serde_json::json!({"holder": null, "path": "/x"})), None, "nobody knows which process it is");
    assert_eq!(window("problem.unheard_of.what", None), None);
}
