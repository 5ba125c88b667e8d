//! Names the upstream refuses: renamed on the way there, restored on the way back (kiro-upstream §2.3 V9, V10, V14).
//!
//! A name that is fine stays as it is, whatever else is declared; only the others move out of the way.

use crate::conversation::JsonObject;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};

/// Longest tool name the service is known to accept. 64 is refused.
pub const MAX_NAME: usize = 63;
/// Longest property name in a tool schema.
const MAX_PROPERTY: usize = 64;
/// Hex characters of SHA-256 that keep two shortened names apart.
const HASH: usize = 8;

/// Both directions of every rename in one request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolNames {
    upstream: HashMap<String, String>,
    client: HashMap<String, String>,
    taken: HashSet<String>,
    properties: HashMap<String, PropertyNames>,
}

/// Property renames of one tool: upstream name to the client's name.
pub type PropertyNames = HashMap<String, String>;

impl ToolNames {
    /// Reserves names for the tools of one request. Names that are acceptable as they are come first.
    pub(crate) fn assign<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut this = Self::default();
        for name in names.clone().filter(|name| is_tool_name(name)) {
            if !this.upstream.contains_key(name) && !this.taken.contains(&name.to_ascii_lowercase()) {
                this.insert(name, name.to_owned());
            }
        }
        for name in names {
            if !this.upstream.contains_key(name) {
                let candidate = this.candidate(name);
                this.insert(name, candidate);
            }
        }
        this
    }

    /// The name the upstream knows a tool of the client by; the same when it needed no change.
    pub fn upstream<'a>(&'a self, client_name: &'a str) -> &'a str {
        self.upstream.get(client_name).map_or(client_name, String::as_str)
    }

    /// The client's own name of a tool the upstream called; the same when it was not renamed.
    pub fn restore<'a>(&'a self, upstream_name: &'a str) -> &'a str {
        self.client.get(upstream_name).map_or(upstream_name, String::as_str)
    }

    /// Property renames of a tool, by its upstream name; `None` when its input needs no restoring.
    pub fn properties(&self, upstream_name: &str) -> Option<&PropertyNames> {
        self.properties.get(upstream_name)
    }

    pub(crate) fn set_properties(&mut self, upstream_name: &str, renames: PropertyNames) {
        if !renames.is_empty() {
            self.properties.insert(upstream_name.to_owned(), renames);
        }
    }

    fn insert(&mut self, client: &str, upstream: String) {
        self.taken.insert(upstream.to_ascii_lowercase());
        self.client.insert(upstream.clone(), client.to_owned());
        self.upstream.insert(client.to_owned(), upstream);
    }

    fn candidate(&self, name: &str) -> String {
        let mut clean: String = name.chars().map(|c| if is_name_char(c) { c } else { '_' }).collect();
        if !clean.starts_with(|c: char| c.is_ascii_alphabetic()) {
            clean.insert_str(0, "t_");
        }
        if clean.len() <= MAX_NAME && !self.taken.contains(&clean.to_ascii_lowercase()) {
            return clean;
        }
        let mut salt = 0_u32;
        loop {
            let seed = if salt == 0 { name.to_owned() } else { format!("{name}#{salt}") };
            let shortened = with_hash(&clean, &seed, MAX_NAME);
            if !self.taken.contains(&shortened.to_ascii_lowercase()) {
                return shortened;
            }
            salt += 1;
        }
    }
}

/// True when the service takes this tool name as it is.
pub fn is_tool_name(name: &str) -> bool {
    name.len() <= MAX_NAME && name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(is_name_char)
}

/// True when the service takes this property name as it is.
pub(crate) fn is_property_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_PROPERTY && name.chars().all(|c| is_name_char(c) || c == '.')
}

/// A property name the service takes. The hash makes it improbable that free-form keys of an input look the same.
pub(crate) fn property_name(name: &str) -> String {
    let clean: String = name.chars().map(|c| if is_name_char(c) || c == '.' { c } else { '_' }).collect();
    with_hash(&clean, name, MAX_PROPERTY)
}

/// Gives the keys of an input, at any depth, the names that `rename` knows for them.
pub(crate) fn rename_keys(object: &mut JsonObject, rename: &HashMap<String, String>) {
    let entries = std::mem::take(object);
    for (key, mut value) in entries {
        rename_in(&mut value, rename);
        let key = rename.get(&key).cloned().unwrap_or(key);
        object.insert(key, value);
    }
}

fn rename_in(value: &mut Value, rename: &HashMap<String, String>) {
    match value {
        Value::Object(object) => rename_keys(object, rename),
        Value::Array(items) => items.iter_mut().for_each(|item| rename_in(item, rename)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// `clean` is ASCII here, so that cutting at a byte is cutting at a character.
fn with_hash(clean: &str, seed: &str, limit: usize) -> String {
    let digest = Sha256::digest(seed.as_bytes());
    let hex: String = digest.iter().take(HASH / 2).map(|byte| format!("{byte:02x}")).collect();
    format!("{}_{hex}", &clean[..clean.len().min(limit - HASH - 1)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str) -> String {
        ToolNames::assign(std::iter::once(name)).upstream(name).to_owned()
    }

    #[test]
    fn a_long_name_keeps_its_head_and_gets_a_hash() {
        let name = "mcp__a_really_long_server_name_for_testing__a_really_long_tool_name";
        let short = one(name);
        assert_eq!(short, "mcp__a_really_long_server_name_for_testing__a_really_l_b7a29ad9");
        assert_eq!(short.len(), MAX_NAME);
    }

    #[test]
    fn refused_characters_are_replaced_and_a_letter_comes_first() {
        assert_eq!(one("files.read all"), "files_read_all");
        assert_eq!(one("3d_view"), "t_3d_view");
        assert_eq!(one(""), "t_");
        assert_eq!(one("搜索"), "t___");
    }

    #[test]
    fn every_name_comes_back_exactly_and_good_names_never_change() {
        let names = ["a.b", "a_b", "A_B", "a b", "搜索", "检索", "Read"];
        let map = ToolNames::assign(names.into_iter());
        let mut seen = HashSet::new();
        for name in names {
            let upstream = map.upstream(name);
            assert!(is_tool_name(upstream), "{upstream}");
            assert!(seen.insert(upstream.to_ascii_lowercase()), "{upstream} twice");
            assert_eq!(map.restore(upstream), name);
        }
        assert_eq!(map.upstream("a_b"), "a_b");
        assert_eq!(map.upstream("Read"), "Read");
    }

    #[test]
    fn property_names_are_restored_at_any_depth() {
        let upstream = property_name("$filter");
        assert!(is_property_name(&upstream));
        let rename = HashMap::from([(upstream.clone(), "$filter".to_owned())]);
        let mut input = serde_json::json!({ "q": [{ upstream: 1 }], "x": 2 });
        rename_in(&mut input, &rename);
        assert_eq!(input, serde_json::json!({ "q": [{ "$filter": 1 }], "x": 2 }));
    }
}
