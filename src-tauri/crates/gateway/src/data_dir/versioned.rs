//! A JSON file of ours that names the version of its form in a field `schema`, read with its previous generation to fall back to.
//!
//! Promises: a file of a newer program is never taken for a damaged one; a damaged file is set aside before its previous
//! generation counts, so that no later save makes it that generation; where there is nothing to fall back to, nothing is touched.
//! Leaves out: what a missing file means, and whether a person is told.

use std::io;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::DataDir;

/// Why a file says nothing to this program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// A newer program wrote it; the schema that it names.
    #[error("schema {0} is newer than this program")]
    Newer(u32),
    /// It is no JSON of this form.
    #[error("{0}")]
    Damaged(String),
    /// The disk said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Unreadable> for io::Error {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Io(error) => error,
            other @ (Unreadable::Newer(_) | Unreadable::Damaged(_)) => Self::other(other),
        }
    }
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Found<T> {
    pub(crate) value: T,
    /// Why this is the previous generation; `None` when it is the current one.
    pub(crate) fallback: Option<Fallback>,
}

/// Why the previous generation counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fallback {
    /// The file vanished.
    #[error("it is missing")]
    Missing,
    /// What is wrong with it. It was set aside.
    #[error("{0}")]
    Damaged(String),
}

/// The value in a file's text, when it is of the schema `known` or an earlier one.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8], known: u32) -> Result<T, Unreadable> {
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    let damaged = |error: serde_json::Error| Unreadable::Damaged(error.to_string());
    // First and by itself: the rest of a newer form may well look damaged.
    let Version { schema } = serde_json::from_slice(text).map_err(damaged)?;
    if schema > known {
        return Err(Unreadable::Newer(schema));
    }
    serde_json::from_slice(text).map_err(damaged)
}

/// The value in the file `name`, or in its previous generation when the file is damaged or gone; `None` when there is neither.
pub(crate) fn read<T: DeserializeOwned>(dir: &DataDir, name: &str, known: u32) -> Result<Option<Found<T>>, Unreadable> {
    let damage = match dir.read(name)?.map(|text| parse(&text, known)) {
        Some(Ok(value)) => return Ok(Some(Found { value, fallback: None })),
        Some(Err(Unreadable::Damaged(detail))) => Some(detail),
        Some(Err(error @ (Unreadable::Newer(_) | Unreadable::Io(_)))) => return Err(error),
        None => None,
    };
    match (damage, dir.read_previous(name)?.map(|text| parse(&text, known))) {
        (None, None) => Ok(None),
        (damage, Some(Ok(value))) => {
            if damage.is_some() {
                dir.set_aside(name)?;
            }
            let fallback = damage.map_or(Fallback::Missing, Fallback::Damaged);
            Ok(Some(Found { value, fallback: Some(fallback) }))
        }
        (Some(damage), None | Some(Err(Unreadable::Damaged(_)))) => Err(Unreadable::Damaged(damage)),
        (_, Some(Err(error))) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Stored {
        name: String,
    }

    const GOOD: &str = r#"{"schema":2,"name":"now"}"#;
    const EARLIER: &str = r#"{"schema":1,"name":"before"}"#;
    const NEWER: &str = r#"{"schema":3,"names":["later"]}"#;

    /// The folder with a current file, a previous one, or both.
    fn house(current: Option<&str>, previous: Option<&str>) -> (tempfile::TempDir, DataDir) {
        let root = tempfile::tempdir().expect("a folder");
        let dir = DataDir::open(Some(root.path().join("state"))).expect("opens");
        for (name, text) in [("a.json", current), ("a.json.prev", previous)] {
            if let Some(text) = text {
                super::super::write_synced(&dir.file(name), text.as_bytes()).expect("planted");
            }
        }
        (root, dir)
    }

    fn names(dir: &DataDir) -> Vec<String> {
        let entries = std::fs::read_dir(dir.path()).expect("listed");
        let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| name.starts_with("a.json")).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn the_current_file_counts_whatever_its_previous_generation_is() {
        for previous in [None, Some(EARLIER), Some("{"), Some(NEWER)] {
            let (_root, dir) = house(Some(GOOD), previous);
            let found = read::<Stored>(&dir, "a.json", 2).expect("reads").expect("there");
            assert_eq!((found.value.name.as_str(), found.fallback), ("now", None));
        }
    }

    #[test]
    fn a_damaged_or_vanished_file_gives_way_to_its_previous_generation() {
        let (_root, dir) = house(Some("{\"schema\":2,"), Some(EARLIER));
        let found = read::<Stored>(&dir, "a.json", 2).expect("reads").expect("there");
        assert_eq!(found.value.name, "before");
        assert!(matches!(found.fallback, Some(Fallback::Damaged(_))), "{:?}", found.fallback);
        assert_eq!(names(&dir), ["a.json.damaged", "a.json.prev"]);
        let (_root, dir) = house(None, Some(EARLIER));
        let found = read::<Stored>(&dir, "a.json", 2).expect("reads").expect("there");
        assert_eq!((found.value.name.as_str(), found.fallback), ("before", Some(Fallback::Missing)));
    }

    #[test]
    fn without_a_generation_to_fall_back_to_nothing_is_touched() {
        for content in ["", "{", "[]", "{\"name\":\"no schema\"}", "{\"schema\":2}", "\0\0"] {
            for previous in [None, Some("{"), Some("{\"schema\":1}")] {
                let (_root, dir) = house(Some(content), previous);
                let before = names(&dir);
                let error = read::<Stored>(&dir, "a.json", 2).expect_err("refused");
                assert!(matches!(error, Unreadable::Damaged(_)), "{content:?}: {error}");
                assert_eq!(names(&dir), before);
                assert_eq!(dir.read("a.json").expect("reads").as_deref(), Some(content.as_bytes()));
            }
        }
        let (_root, dir) = house(None, None);
        assert!(read::<Stored>(&dir, "a.json", 2).expect("reads").is_none());
    }

    #[test]
    fn a_file_of_a_newer_program_is_refused_in_either_place() {
        for (current, previous) in [(Some(NEWER), Some(EARLIER)), (Some("{"), Some(NEWER)), (None, Some(NEWER))] {
            let (_root, dir) = house(current, previous);
            let before = names(&dir);
            let error = read::<Stored>(&dir, "a.json", 2).expect_err("refused");
            assert!(matches!(error, Unreadable::Newer(3)), "{error}");
            assert_eq!(names(&dir), before);
        }
    }
}
