//! Names that are not the upstream's: what they mean among the models that are offered.
//!
//! - A Claude name with a version that is not offered means the nearest newer offered version of its family: version 3 and
//!   the first 4s went that way. A newer one than all offered means nothing here: that would be a lesser model.
//! - A Claude name without a version means the newest offered one of its family.
//! - A name of OpenAI's or Google's means a class of model; each class is an order of families.
//! - `auto-kiro` is `auto` for editors that keep `auto` for themselves; `claude-3.7-sonnet` has an id that no list shows.
//!
//! Same list, same answer: nothing here depends on time or order of accounts but the list itself.

use super::spelling::{Claude, Marks};
use crate::upstream::UpstreamModel;

/// The id of a model that the upstream serves without listing it.
const HIDDEN_SONNET: &str = "CLAUDE_3_7_SONNET_20250219_V1_0";

/// What a foreign name asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Thinks longest.
    Deep,
    /// For most work.
    Usual,
    /// Quick and cheap.
    Quick,
    /// A GPT of the fifth generation or later, by its tier's name.
    Gpt(&'static str),
    /// The same, quick and cheap.
    SmallGpt,
}

/// Ids that a bare name may mean, best first. The first that is offered is it; ids that no list shows are passed on.
pub(super) fn meanings(name: &str, marks: Marks, models: &[&UpstreamModel]) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "auto-kiro" | "kiro-auto" => return vec!["auto".to_owned()],
        "claude" => return in_order(Class::Usual, models),
        _ => {}
    }
    if let Some(claude) = Claude::read(&name) {
        return claude_meanings(&claude, models);
    }
    if let Some(class) = foreign(&name, marks) {
        return in_order(class, models);
    }
    newest_of_word(&name, models).into_iter().collect()
}

/// True for a name that is passed on under another id than its own because no list shows that id.
pub(super) fn is_hidden(id: &str) -> bool {
    id == HIDDEN_SONNET
}

fn claude_meanings(claude: &Claude, models: &[&UpstreamModel]) -> Vec<String> {
    // Version words, trial marks and the like do not choose another model; any other word might.
    let harmless = |word: &String| matches!(word.as_str(), "v1" | "v2" | "preview" | "exp" | "beta" | "1m");
    if !claude.rest.iter().all(harmless) {
        return Vec::new();
    }
    if claude.family == "instant" {
        return in_order(Class::Quick, models);
    }
    if claude.family == "sonnet" && claude.version == Some((3, 7)) {
        return vec![HIDDEN_SONNET.to_owned()];
    }
    let mut members = members(&claude.family, models);
    match claude.version {
        Some(version) => {
            members.retain(|(offered, _)| *offered >= version);
            members.into_iter().take(1).map(|(_, id)| id.to_owned()).collect()
        }
        None => members.last().map(|(_, id)| (*id).to_owned()).into_iter().collect(),
    }
}

/// Offered models of a family with their versions, oldest first.
fn members<'a>(family: &str, models: &[&'a UpstreamModel]) -> Vec<((u16, u16), &'a str)> {
    let mut members: Vec<_> = models
        .iter()
        .filter_map(|model| {
            let read = Claude::read(&model.id).filter(|read| read.family == family && read.rest.is_empty())?;
            Some((read.version?, model.id.as_str()))
        })
        .collect();
    members.sort_unstable();
    members
}

fn newest<'a>(family: &str, models: &[&'a UpstreamModel]) -> Option<&'a str> {
    members(family, models).last().map(|(_, id)| *id)
}

/// The class of a name that belongs to another maker.
fn foreign(name: &str, marks: Marks) -> Option<Class> {
    let has = |words: &[&str]| name.split(['-', '.']).any(|token| words.contains(&token));
    if name.starts_with("gemini") {
        return Some(match () {
            () if marks.thinking || has(&["thinking"]) => Class::Deep,
            () if has(&["lite", "8b", "nano"]) => Class::Quick,
            () => Class::Usual,
        });
    }
    if is_o_series(name) {
        return Some(if has(&["mini"]) { Class::Usual } else { Class::Deep });
    }
    let small = has(&["mini", "nano"]);
    let gpt = name.strip_prefix("chatgpt-").or_else(|| name.strip_prefix("gpt-"));
    if gpt.is_none() && !matches!(name, "gpt" | "codex") && !name.starts_with("codex-") {
        return None;
    }
    Some(match gpt.and_then(generation) {
        Some(..=3) => Class::Quick,
        Some(4) => {
            if small {
                Class::Quick
            } else {
                Class::Usual
            }
        }
        Some(5..) | None => match ["sol", "terra", "luna"].into_iter().find(|tier| has(&[*tier])) {
            Some(tier) => Class::Gpt(tier),
            None if small => Class::SmallGpt,
            None => Class::Gpt("sol"),
        },
    })
}

/// `4` of `4o-mini`.
fn generation(tail: &str) -> Option<u32> {
    tail.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// `o1`, `o3-mini`, `o4-mini-high`.
fn is_o_series(name: &str) -> bool {
    let Some(tail) = name.strip_prefix('o') else { return false };
    let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && (tail.len() == digits || tail.as_bytes().get(digits) == Some(&b'-'))
}

/// The offered models of a class, best first: a member of another family only when the first has none.
fn in_order(class: Class, models: &[&UpstreamModel]) -> Vec<String> {
    let mut ids: Vec<&str> = Vec::new();
    let families: &[&str] = match class {
        Class::Deep => &["opus", "sonnet"],
        Class::Usual => &["sonnet"],
        Class::Quick => &["haiku"],
        Class::Gpt(tier) => {
            ids.extend(gpt(models, Some(tier)).last());
            ids.extend(gpt(models, None).last());
            &["sonnet"]
        }
        Class::SmallGpt => {
            ids.extend(gpt(models, None).first());
            &["haiku"]
        }
    };
    ids.extend(families.iter().filter_map(|family| newest(family, models)));
    ids.extend(models.iter().map(|model| model.id.as_str()).find(|id| *id == "auto"));
    ids.extend(["sonnet", "haiku"].iter().filter_map(|family| newest(family, models)));
    let mut known = Vec::new();
    ids.retain(|id| {
        !known.contains(id) && {
            known.push(*id);
            true
        }
    });
    ids.into_iter().map(str::to_owned).collect()
}

/// Offered GPT models, the cheapest of the oldest version first.
fn gpt<'a>(models: &[&'a UpstreamModel], tier: Option<&str>) -> Vec<&'a str> {
    let mut found: Vec<&UpstreamModel> = models
        .iter()
        .filter(|model| model.id.starts_with("gpt-") && tier.is_none_or(|tier| model.id.ends_with(&format!("-{tier}"))))
        .copied()
        .collect();
    found.sort_by(|a, b| {
        let price = |model: &UpstreamModel| model.multiplier.unwrap_or(1.0);
        numbers(&a.id).cmp(&numbers(&b.id)).then(price(a).total_cmp(&price(b))).then_with(|| b.id.cmp(&a.id))
    });
    found.into_iter().map(|model| model.id.as_str()).collect()
}

/// A maker's word alone, such as `deepseek`: its newest offered model.
fn newest_of_word(name: &str, models: &[&UpstreamModel]) -> Option<String> {
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase()) {
        return None;
    }
    let word = |id: &str| id.bytes().take_while(u8::is_ascii_alphabetic).count();
    models
        .iter()
        .filter(|model| model.id.len() > name.len() && model.id[..word(&model.id)].eq_ignore_ascii_case(name))
        .max_by(|a, b| numbers(&a.id).cmp(&numbers(&b.id)).then_with(|| b.id.cmp(&a.id)))
        .map(|model| model.id.clone())
}

fn numbers(id: &str) -> Vec<u32> {
    id.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// Names that the pickers of clients look for.
pub(super) const SHORT: [&str; 9] = [
    "claude-opus-latest",
    "claude-sonnet-latest",
    "claude-haiku-latest",
    "auto-kiro",
    "gpt-4o",
    "gpt-4o-mini",
    "o3",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
];

/// Names that are known beyond [`SHORT`]. Any other name of the same makers works as well.
pub(super) const MORE: [&str; 32] = [
    "opus",
    "sonnet",
    "haiku",
    "claude-3-5-sonnet",
    "claude-3-5-sonnet-latest",
    "claude-3-sonnet",
    "claude-4-sonnet",
    "claude-3-5-haiku",
    "claude-3-5-haiku-latest",
    "claude-3-haiku",
    "claude-3-opus",
    "claude-4-opus",
    "claude-opus-4-1",
    "gpt-4",
    "gpt-4-turbo",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-3.5-turbo",
    "gpt-5",
    "gpt-5-mini",
    "gpt-5.5",
    "o1",
    "o1-preview",
    "o1-mini",
    "o3-mini",
    "o4-mini",
    "gemini-1.5-flash",
    "gemini-1.5-pro",
    "gemini-2.0-flash",
    "gemini-2.0-flash-thinking",
    "gemini-3.5-flash-lite",
    "gemini-3.1-pro-preview",
];
