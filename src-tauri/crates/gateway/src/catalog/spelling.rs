//! The spellings that clients use for one and the same model, and the wishes that people write into a name.

use kiro_protocol::conversation::Effort;

/// Longer names are not taken apart.
const LONGEST: usize = 128;

/// What a name asks for besides a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks {
    /// `-thinking`.
    pub(super) thinking: bool,
    /// `-high`, `(high)`.
    pub(super) effort: Option<Effort>,
    /// `[1m]`: the variant with the long window, where there are two.
    pub(super) long: bool,
}

/// One reading of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spelling {
    /// What is left of the name.
    pub(super) name: String,
    /// What was taken off it.
    pub(super) marks: Marks,
}

impl Spelling {
    /// Ids that this reading may be, most literal first.
    pub(super) fn ids(&self) -> Vec<String> {
        let mut ids = Vec::new();
        for id in [self.name.clone(), upstream_form(&self.name)] {
            if self.marks.long {
                ids.push(format!("{id}-1m"));
            }
            ids.push(id);
        }
        ids.dedup();
        ids
    }
}

/// All readings of a name, from the literal one to the barest. Never empty; every one is shorter than the one before.
pub(super) fn spellings(wish: &str) -> Vec<Spelling> {
    let mut all = vec![Spelling { name: wish.to_owned(), marks: Marks::default() }];
    if wish.len() > LONGEST || !wish.is_ascii() {
        return all;
    }
    let mut rest = wish;
    let mut marks = Marks::default();
    while let Some((shorter, mark)) = shorten(rest) {
        rest = shorter;
        mark(&mut marks);
        all.push(Spelling { name: rest.to_owned(), marks });
    }
    all
}

type Mark = fn(&mut Marks);

/// Takes one mark off a name.
fn shorten(name: &str) -> Option<(&str, Mark)> {
    let lower = name.to_ascii_lowercase();
    let keep: Mark = |_| {};
    // `kiro/`, `anthropic/`, `models/`, `openrouter/anthropic/`: who is asked, not for what.
    if let Some((_, rest)) = name.split_once('/').filter(|(_, rest)| !rest.is_empty()) {
        return Some((rest, keep));
    }
    for prefix in ["us.anthropic.", "eu.anthropic.", "apac.anthropic.", "global.anthropic.", "anthropic."] {
        if lower.starts_with(prefix) && lower.len() > prefix.len() {
            return Some((&name[prefix.len()..], keep));
        }
    }
    let long: Mark = |marks| marks.long = true;
    let thinking: Mark = |marks| marks.thinking = true;
    for (suffix, mark) in [("[1m]", long), ("-latest", keep), ("-thinking", thinking), ("-v1:0", keep), ("-v2:0", keep)]
    {
        if lower.ends_with(suffix) && lower.len() > suffix.len() {
            return Some((&name[..name.len() - suffix.len()], mark));
        }
    }
    if let Some((rest, mark)) = without_effort(name, &lower) {
        return Some((rest, mark));
    }
    without_date(name).map(|rest| (rest, keep))
}

/// `claude-opus-5-high` and `claude-opus-5(high)`. The outermost level counts.
fn without_effort<'a>(name: &'a str, lower: &str) -> Option<(&'a str, Mark)> {
    let levels: [(&str, Mark); 6] = [
        ("minimal", |marks| marks.effort = marks.effort.or(Some(Effort::Minimal))),
        ("low", |marks| marks.effort = marks.effort.or(Some(Effort::Low))),
        ("medium", |marks| marks.effort = marks.effort.or(Some(Effort::Medium))),
        ("high", |marks| marks.effort = marks.effort.or(Some(Effort::High))),
        ("xhigh", |marks| marks.effort = marks.effort.or(Some(Effort::XHigh))),
        ("max", |marks| marks.effort = marks.effort.or(Some(Effort::Max))),
    ];
    levels.into_iter().find_map(|(level, mark)| {
        let rest = [format!("({level})"), format!("-{level}")].iter().find_map(|suffix| {
            // A model of OpenAI's is called so.
            let named = suffix == "-max" && lower.ends_with("-codex-max");
            (lower.ends_with(suffix) && lower.len() > suffix.len() && !named)
                .then(|| &name[..name.len() - suffix.len()])
        })?;
        Some((rest, mark))
    })
}

/// `claude-sonnet-4-5-20250929`, `…@20250929` and `gpt-4o-2024-08-06` without the date.
fn without_date(name: &str) -> Option<&str> {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let (rest, last) = name.rsplit_once(['-', '@'])?;
    if digits(last, 8) && last.starts_with("20") {
        return (!rest.is_empty()).then_some(rest);
    }
    let (rest, month) = rest.rsplit_once('-')?;
    let (rest, year) = rest.rsplit_once('-')?;
    let dated = digits(last, 2) && digits(month, 2) && digits(year, 4) && year.starts_with("20");
    (dated && !rest.is_empty()).then_some(rest)
}

/// The form in which the upstream writes such a name: `opus-4-6` and `claude-4.6-opus` are `claude-opus-4.6`. Names of other
/// makers stay as they are.
pub(super) fn upstream_form(name: &str) -> String {
    match Claude::read(name) {
        Some(claude) => claude.to_string(),
        None => name.to_owned(),
    }
}

/// A Claude model's name taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claude {
    /// `opus`, `sonnet`.
    pub(super) family: String,
    /// Major and minor, when named.
    pub(super) version: Option<(u16, u16)>,
    /// What else is in the name and may choose another model, such as `1m`.
    pub(super) rest: Vec<String>,
    /// True when the minor was written.
    minor: bool,
}

/// Families whose names people write without `claude-`.
const FAMILIES: [&str; 4] = ["opus", "sonnet", "haiku", "fable"];

impl Claude {
    /// Reads `claude-<family>-<version>` and `claude-<version>-<family>`, with dots or dashes in the version, and bare
    /// family names with or without a version.
    pub(super) fn read(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        let tail = match lower.strip_prefix("claude-") {
            Some(tail) => tail,
            None if FAMILIES.iter().any(|family| lower.split('-').next() == Some(family)) => &lower,
            None => return None,
        };
        let mut claude = Self { family: String::new(), version: None, rest: Vec::new(), minor: false };
        // A version's parts stand together: after another word, a number is no part of it.
        let mut in_version = false;
        for token in tail.split('-') {
            match (number(token), &mut claude.version) {
                (Some((major, minor)), version @ None) => {
                    *version = Some((major, minor.unwrap_or(0)));
                    claude.minor = minor.is_some();
                    in_version = true;
                }
                (Some((part, None)), Some((_, minor))) if in_version && !claude.minor => {
                    *minor = part;
                    claude.minor = true;
                }
                (Some(_), Some(_)) => claude.rest.push(token.to_owned()),
                (None, _) => {
                    in_version = false;
                    if claude.family.is_empty() && !token.is_empty() && token.bytes().all(|b| b.is_ascii_lowercase()) {
                        token.clone_into(&mut claude.family);
                    } else {
                        claude.rest.push(token.to_owned());
                    }
                }
            }
        }
        (!claude.family.is_empty()).then_some(claude)
    }
}

impl std::fmt::Display for Claude {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "claude-{}", self.family)?;
        match self.version {
            Some((major, minor)) if self.minor => write!(f, "-{major}.{minor}")?,
            Some((major, _)) => write!(f, "-{major}")?,
            None => {}
        }
        self.rest.iter().try_for_each(|word| write!(f, "-{word}"))
    }
}

/// One or two digits, with one or two more after a dot.
fn number(token: &str) -> Option<(u16, Option<u16>)> {
    let part = |text: &str| {
        ((1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
    };
    match token.split_once('.') {
        Some((major, minor)) => Some((part(major)?, Some(part(minor)?))),
        None => Some((part(token)?, None)),
    }
}
