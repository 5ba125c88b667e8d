//! From a client's name to the model that is asked for.

use super::spelling::{Marks, spellings, upstream_form};
use super::trace::{Decider, ModelTrace, TracedCandidate, TracedRule};
use super::{Catalog, Offer, alias, rules};
use crate::account::Account;
use crate::client_key::KeyOptions;
use crate::settings::{ModelRule, Settings};
use crate::upstream::{Caching, UpstreamModel};
use kiro_protocol::conversation::{Conversation, Effort, Thinking};
use kiro_protocol::failure::Failure;
use std::sync::Arc;

/// Most candidates that a trace names.
const TRACED: usize = 24;

/// What holds for the names of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    /// The model of a request that names none.
    pub(crate) default: &'a str,
    /// Rules of the client's key.
    pub(crate) key_rules: &'a [ModelRule],
    /// Rules for all keys.
    pub(crate) rules: &'a [ModelRule],
}

impl<'a> Names<'a> {
    /// What the settings and a key say.
    pub(crate) fn new(settings: &'a Settings, options: &'a KeyOptions) -> Self {
        let models = &settings.models;
        Self { default: &models.default, key_rules: &options.model_rules, rules: &models.rules }
    }
}

/// The model a request is sent to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Resolved {
    /// Exact id.
    pub(crate) id: String,
    /// The real window in tokens, when known.
    pub(crate) window: Option<u64>,
    /// Output limit in tokens, when known.
    pub(crate) max_output: Option<u64>,
    /// Whether images may be sent.
    pub(crate) images: bool,
    /// Whether documents may be sent.
    pub(crate) documents: bool,
    /// How it takes marks for its prompt cache.
    pub(crate) caching: Caching,
    /// What additional fields it takes.
    pub(crate) fields_schema: Option<serde_json::Value>,
    /// True when the name asks for thinking.
    pub(crate) thinking: bool,
    /// The effort that the name asks for.
    pub(crate) effort: Option<Effort>,
    /// How the name became this model.
    pub(crate) trace: ModelTrace,
}

impl Resolved {
    /// Puts the wishes of the name into the conversation. An effort in the name counts more than one in the request: a person
    /// chose it. Thinking in the name counts where the request says nothing. Both are sent only as the model's schema allows.
    pub(crate) fn apply(&self, conversation: &mut Conversation) {
        conversation.sampling.effort = self.effort.or(conversation.sampling.effort);
        if self.thinking && conversation.thinking == Thinking::Unspecified {
            conversation.thinking = Thinking::Adaptive;
        }
    }
}

/// What one name means without rules.
struct Meaning<'a> {
    by: Decider,
    candidates: Vec<TracedCandidate>,
    model: Option<&'a UpstreamModel>,
    /// What is asked for when no model was found.
    pass: String,
    marks: Marks,
}

impl Catalog {
    /// The model that `wish` means for these accounts. Fails only for text that can be no model's name.
    pub(crate) fn resolve(&self, wish: &str, names: &Names<'_>, pool: &[Arc<Account>]) -> Result<Resolved, Failure> {
        let wish = wish.trim();
        let defaulted = wish.is_empty();
        let asked = if defaulted { names.default } else { wish };
        if asked.len() > 256 || asked.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(self.unknown(asked, pool));
        }
        let offer = self.offer(pool);
        let models = offer.models();
        let spellings = spellings(asked);
        let met = rules::first(names.key_rules, &spellings)
            .map(|met| (Decider::KeyRule, met))
            .or_else(|| rules::first(names.rules, &spellings).map(|met| (Decider::Rule, met)));
        let (meaning, rule) = match met {
            Some((by, met)) => {
                let rule =
                    TracedRule { at: u32::try_from(met.at).unwrap_or(u32::MAX), pattern: met.rule.pattern.clone() };
                (Meaning { by, ..by_rule(&met, &models) }, Some(rule))
            }
            None => (by_name(asked, &models), None),
        };
        let Meaning { by, mut candidates, model, pass, marks } = meaning;
        candidates.truncate(TRACED);
        let trace = ModelTrace {
            asked: asked.to_owned(),
            defaulted,
            by,
            rule,
            candidates,
            model: model.map_or_else(|| pass.clone(), |model| model.id.clone()),
            offered: model.is_some(),
            list_known: offer.is_known(),
            thinking: marks.thinking,
            effort: marks.effort.map(|effort| effort_word(effort).to_owned()),
        };
        Ok(self.resolved(model, pass, marks, trace))
    }

    fn resolved(&self, model: Option<&UpstreamModel>, pass: String, marks: Marks, trace: ModelTrace) -> Resolved {
        let (thinking, effort) = (marks.thinking, marks.effort);
        match model {
            Some(model) => Resolved {
                id: model.id.clone(),
                window: model.window,
                max_output: model.max_output,
                images: model.images,
                documents: model.documents,
                caching: model.caching,
                fields_schema: model.fields_schema.clone().filter(|_| !self.is_plain(&model.id)),
                thinking,
                effort,
                trace,
            },
            // Nothing is known of it: pictures are tried rather than dropped, and no field is risked.
            None => Resolved {
                id: pass,
                window: None,
                max_output: None,
                images: true,
                documents: false,
                caching: Caching::default(),
                fields_schema: None,
                thinking,
                effort,
                trace,
            },
        }
    }
}

/// The first target that is offered; else the first one, for the upstream to decide about.
fn by_rule<'a>(met: &rules::Met<'_>, models: &[&'a UpstreamModel]) -> Meaning<'a> {
    let mut tried = Vec::new();
    let mut first: Option<Meaning<'a>> = None;
    for target in &met.rule.targets {
        let meaning = by_name(target, models);
        tried.extend(meaning.candidates.iter().cloned());
        let found = meaning.model.is_some();
        if found || first.is_none() {
            first = Some(meaning);
        }
        if found {
            break;
        }
    }
    let mut meaning = first.unwrap_or_else(|| by_name(&met.rule.pattern, models));
    meaning.candidates = tried;
    // What the target says itself counts more than what the name said.
    meaning.marks.thinking |= met.marks.thinking;
    meaning.marks.effort = meaning.marks.effort.or(met.marks.effort);
    meaning
}

/// What a name means by itself: a model in some spelling, else a name the gateway knows, else itself.
fn by_name<'a>(name: &str, models: &[&'a UpstreamModel]) -> Meaning<'a> {
    let offered = |id: &str| models.iter().find(|model| model.id.eq_ignore_ascii_case(id)).copied();
    let spellings = spellings(name);
    let mut candidates: Vec<TracedCandidate> = Vec::new();
    for spelling in &spellings {
        for id in spelling.ids() {
            let model = offered(&id);
            if !candidates.iter().any(|known| known.id.eq_ignore_ascii_case(&id)) {
                candidates.push(TracedCandidate { id, offered: model.is_some() });
            }
            if model.is_some() {
                return Meaning { by: Decider::Name, candidates, model, pass: String::new(), marks: spelling.marks };
            }
        }
    }
    let (bare, marks) = spellings.last().map_or((name, Marks::default()), |bare| (bare.name.as_str(), bare.marks));
    let mut hidden = None;
    for id in alias::meanings(bare, marks, models) {
        let model = offered(&id);
        candidates.push(TracedCandidate { id: id.clone(), offered: model.is_some() });
        if model.is_some() {
            return Meaning { by: Decider::Alias, candidates, model, pass: String::new(), marks };
        }
        if alias::is_hidden(&id) {
            hidden = Some(id);
        }
    }
    match hidden {
        Some(id) => Meaning { by: Decider::Alias, candidates, model: None, pass: id, marks },
        None => Meaning { by: Decider::PassedOn, candidates, model: None, pass: passed_on(name, bare), marks },
    }
}

/// The form in which an unknown name goes to the upstream: a Claude name as the upstream writes such names, any other as it
/// came, because what looks like a suffix of ours may be a part of it.
fn passed_on(name: &str, bare: &str) -> String {
    let form = upstream_form(bare);
    if form.starts_with("claude-") { form } else { name.to_owned() }
}

pub(super) fn effort_word(effort: Effort) -> &'static str {
    match effort {
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::XHigh => "xhigh",
        Effort::Max => "max",
    }
}

impl Offer {
    /// What a name known to the gateway means here; `None` when nothing of it is offered, or when it is a model's own name.
    pub(super) fn alias(&self, name: &str) -> Option<&UpstreamModel> {
        let models = self.models();
        let meaning = by_name(name, &models);
        let own = models.iter().any(|model| model.id.eq_ignore_ascii_case(name));
        meaning.model.filter(|_| !own)
    }
}
