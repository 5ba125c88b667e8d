//! Model names: the default, and rules that a person wrote.

use super::check::FieldErrors;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use utoipa::ToSchema;

/// Most rules in one list.
const MOST_RULES: usize = 200;
/// Most targets of one rule.
const MOST_TARGETS: usize = 16;

/// Model names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelSettings {
    /// The model of the test question, and of requests that name none.
    #[schema(default = "auto")]
    pub default: String,
    /// Rules for names that clients send, for all keys. The first that matches decides; rules of a key come before them.
    #[schema(max_items = 200)]
    pub rules: Vec<ModelRule>,
    /// Which other names for offered models the lists of models show.
    #[schema(default = "short")]
    pub list_aliases: AliasListing,
    /// Mark where the beginning of a conversation may be cached, for models that take such marks: where the client put
    /// them, and by itself for clients whose protocol has none. Repeated beginnings then cost fewer credits.
    #[schema(default = true)]
    pub prompt_caching: bool,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self { default: "auto".to_owned(), rules: Vec::new(), list_aliases: AliasListing::Short, prompt_caching: true }
    }
}

/// Which other names for offered models the lists of models show. Names that are not listed work all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum AliasListing {
    /// Only what the accounts are offered.
    None,
    /// Also the few names that the pickers of clients look for.
    #[default]
    Short,
    /// Also every name that the gateway knows.
    All,
}

/// A person's rule: which names mean which model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelRule {
    /// What a name is compared with. Upper and lower case are the same.
    #[serde(rename = "match")]
    #[schema(min_length = 1, max_length = 128)]
    pub pattern: String,
    /// How it is compared.
    #[serde(default)]
    #[schema(default = "exact")]
    pub kind: MatchKind,
    /// The model that is meant; of several the first that the accounts are offered. Names that the gateway knows may be used,
    /// with an effort (`claude-opus-4.8-high`); rules are not applied to them again.
    #[schema(min_items = 1, max_items = 16)]
    pub targets: Vec<String>,
    /// A rule that is off is kept and does nothing.
    #[serde(default = "on")]
    #[schema(default = true)]
    pub enabled: bool,
}

fn on() -> bool {
    true
}

/// How a rule compares names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum MatchKind {
    /// The whole name.
    #[default]
    Exact,
    /// How the name begins.
    Prefix,
    /// The whole name, where `*` stands for any text, also none.
    Wildcard,
}

impl ModelSettings {
    pub(super) fn check(&self, errors: &mut FieldErrors) {
        if !is_name(&self.default) {
            errors.refuse("models.default", "invalid_value", NAME.into());
        }
        check_rules("models.rules", &self.rules, errors);
    }
}

const NAME: &str = "a model name has 1 to 128 visible ASCII characters";

fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic())
}

/// Refuses rules that could never work, each at its own path.
pub(crate) fn check_rules(path: &str, rules: &[ModelRule], errors: &mut FieldErrors) {
    if rules.len() > MOST_RULES {
        errors.refuse(path, "out_of_range", format!("at most {MOST_RULES} rules are kept, these are {}", rules.len()));
        return;
    }
    let mut seen = HashSet::new();
    for (at, rule) in rules.iter().enumerate() {
        check_rule(&format!("{path}.{at}"), rule, errors);
        if !seen.insert((rule.kind as u8, rule.pattern.to_ascii_lowercase())) {
            errors.refuse(
                &format!("{path}.{at}.match"),
                "duplicate",
                format!("an earlier rule has {:?} already: this one would never be used", rule.pattern),
            );
        }
    }
}

fn check_rule(path: &str, rule: &ModelRule, errors: &mut FieldErrors) {
    let pattern = format!("{path}.match");
    if !is_name(&rule.pattern) {
        errors.refuse(&pattern, "invalid_value", NAME.into());
    } else {
        let starred = rule.pattern.contains('*');
        match rule.kind {
            MatchKind::Exact | MatchKind::Prefix if starred => {
                errors.refuse(
                    &pattern,
                    "invalid_value",
                    "`*` has a meaning only in a rule of the kind wildcard".into(),
                );
            }
            MatchKind::Wildcard if !starred => {
                errors.refuse(&pattern, "invalid_value", "a rule of the kind wildcard needs a `*`".into());
            }
            MatchKind::Exact | MatchKind::Prefix | MatchKind::Wildcard => {}
        }
    }
    let targets = format!("{path}.targets");
    if !(1..=MOST_TARGETS).contains(&rule.targets.len()) {
        errors.refuse(&targets, "out_of_range", format!("a rule has 1 to {MOST_TARGETS} targets"));
    } else if !rule.targets.iter().all(|target| is_name(target) && !target.contains('*')) {
        errors.refuse(&targets, "invalid_value", format!("{NAME}, and no `*`"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(pattern: &str, kind: MatchKind, targets: &[&str]) -> ModelRule {
        let targets = targets.iter().map(|target| (*target).to_owned()).collect();
        ModelRule { pattern: pattern.to_owned(), kind, targets, enabled: true }
    }

    fn refused(rules: Vec<ModelRule>) -> Vec<String> {
        let mut errors = FieldErrors::default();
        ModelSettings { rules, ..ModelSettings::default() }.check(&mut errors);
        errors.fields.into_keys().collect()
    }

    #[test]
    fn rules_that_could_never_work_are_refused_at_their_own_place() {
        use MatchKind::{Exact, Prefix, Wildcard};
        assert!(
            refused(vec![rule("gpt-*", Wildcard, &["auto", "claude-opus-4.8-high"]), rule("gpt-", Prefix, &["auto"])])
                .is_empty()
        );
        for (wrong, place) in [
            (rule("", Exact, &["auto"]), "models.rules.0.match"),
            (rule("a b", Exact, &["auto"]), "models.rules.0.match"),
            (rule("gpt-*", Exact, &["auto"]), "models.rules.0.match"),
            (rule("gpt-*", Prefix, &["auto"]), "models.rules.0.match"),
            (rule("gpt-4", Wildcard, &["auto"]), "models.rules.0.match"),
            (rule("gpt-4", Exact, &[]), "models.rules.0.targets"),
            (rule("gpt-4", Exact, &["auto"; 17]), "models.rules.0.targets"),
            (rule("gpt-4", Exact, &["claude-*"]), "models.rules.0.targets"),
            (rule("gpt-4", Exact, &["auto", ""]), "models.rules.0.targets"),
        ] {
            assert_eq!(refused(vec![wrong]), [place]);
        }
        let twice = vec![rule("gpt-4", Exact, &["auto"]), rule("GPT-4", Exact, &["glm-5"])];
        assert_eq!(refused(twice), ["models.rules.1.match"]);
        let many = (0..=MOST_RULES).map(|at| rule(&format!("m{at}"), Exact, &["auto"])).collect();
        assert_eq!(refused(many), ["models.rules"]);
    }

    #[test]
    fn a_rule_in_short_form_is_an_exact_one_that_is_on() {
        let rule: ModelRule = serde_json::from_str(r#"{"match": "fast", "targets": ["auto"]}"#).expect("short form");
        assert_eq!((rule.kind, rule.enabled), (MatchKind::Exact, true));
    }
}
