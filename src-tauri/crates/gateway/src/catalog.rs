//! Model names: what the upstream offers each account, and which of it a client means.
//!
//! The upstream's list is the truth where it is known; a small table stands in until then. A name that nobody knows is
//! refused with the nearest known one when the list is known, and passed through when it is not.

mod name;
mod table;

use crate::account::{Account, AccountId};
use crate::upstream::UpstreamModel;
use kiro_protocol::codec::ModelCard;
use kiro_protocol::failure::{Failure, FailureClass};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a list is taken for true.
const FRESH: Duration = Duration::from_secs(15 * 60);
/// How long after a failure nobody asks again.
const PAUSE: Duration = Duration::from_secs(30);

/// The model a request is sent to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Resolved {
    /// Exact id.
    pub(crate) id: String,
    /// The real window in tokens, when known.
    pub(crate) window: Option<u64>,
    /// Whether images may be sent.
    pub(crate) images: bool,
    /// What additional fields it takes.
    pub(crate) fields_schema: Option<serde_json::Value>,
}

/// The model lists of all accounts.
#[derive(Default)]
pub(crate) struct Catalog {
    table: table::Table,
    lists: Mutex<HashMap<AccountId, List>>,
    /// Models that refused additional fields although their schema offers some.
    plain: Mutex<HashSet<String>>,
}

#[derive(Clone)]
struct List {
    models: Option<Arc<Vec<UpstreamModel>>>,
    asked: Instant,
}

impl Catalog {
    /// Keeps what the upstream listed.
    pub(crate) fn learned(&self, account: &AccountId, models: Vec<UpstreamModel>) {
        let list = List { models: Some(Arc::new(models)), asked: Instant::now() };
        self.lists().insert(account.clone(), list);
    }

    /// Remembers that asking failed; the last good list stays.
    pub(crate) fn missed(&self, account: &AccountId) {
        let mut lists = self.lists();
        let models = lists.get(account).and_then(|list| list.models.clone());
        lists.insert(account.clone(), List { models, asked: Instant::now() });
    }

    /// True when it is time to ask for this account's list.
    pub(crate) fn wants(&self, account: &AccountId) -> bool {
        match self.lists().get(account) {
            None => true,
            Some(list) => list.asked.elapsed() > if list.models.is_some() { FRESH } else { PAUSE },
        }
    }

    /// True when a list of one of these accounts is known.
    pub(crate) fn knows_any(&self, pool: &[Arc<Account>]) -> bool {
        let lists = self.lists();
        pool.iter().any(|account| lists.get(&account.id).is_some_and(|list| list.models.is_some()))
    }

    /// Forgets an account.
    pub(crate) fn forget(&self, account: &AccountId) {
        self.lists().remove(account);
    }

    /// Remembers that this model takes no additional fields, whatever its schema says.
    pub(crate) fn takes_no_fields(&self, model: &str) {
        self.plain.lock().unwrap_or_else(PoisonError::into_inner).insert(model.to_owned());
    }

    /// The model that `wish` means for these accounts.
    pub(crate) fn resolve(&self, wish: &str, default: &str, pool: &[Arc<Account>]) -> Result<Resolved, Failure> {
        let wish = if wish.trim().is_empty() { default } else { wish.trim() };
        let known = self.union(pool);
        let models: &[UpstreamModel] = if known.is_empty() { &self.table.0 } else { &known };
        for candidate in name::candidates(wish) {
            if let Some(model) = models.iter().find(|model| model.id.eq_ignore_ascii_case(&candidate)) {
                return Ok(self.resolved(model));
            }
        }
        if known.is_empty() {
            // Nobody told us yet what there is: the upstream decides.
            let id = name::candidates(wish).pop().unwrap_or_else(|| wish.to_owned());
            return Ok(Resolved { id, window: None, images: true, fields_schema: None });
        }
        let shown: String = wish.chars().filter(|c| !c.is_control()).take(100).collect();
        let mut message = format!("model: {shown} is not offered by the signed-in accounts.");
        if let Some(near) = name::nearest(wish, known.iter().map(|model| model.id.as_str())) {
            message.push_str(&format!(" Did you mean {near}?"));
        }
        message.push_str(" GET /v1/models lists what there is.");
        Err(Failure::new(FailureClass::NotFound, "unknown_model", message))
    }

    /// What a model list shows.
    pub(crate) fn cards(&self, pool: &[Arc<Account>], created: u64) -> Vec<ModelCard> {
        let known = self.union(pool);
        let models: &[UpstreamModel] = if known.is_empty() { &self.table.0 } else { &known };
        models.iter().map(|model| card(model, created)).collect()
    }

    /// One model as a list shows it.
    pub(crate) fn card(&self, wish: &str, pool: &[Arc<Account>], created: u64) -> Option<ModelCard> {
        let cards = self.cards(pool, created);
        name::candidates(wish)
            .into_iter()
            .find_map(|candidate| cards.iter().find(|card| card.id.eq_ignore_ascii_case(&candidate)).cloned())
    }

    fn resolved(&self, model: &UpstreamModel) -> Resolved {
        let plain = self.plain.lock().unwrap_or_else(PoisonError::into_inner).contains(&model.id);
        Resolved {
            id: model.id.clone(),
            window: model.window,
            images: model.images,
            fields_schema: model.fields_schema.clone().filter(|_| !plain),
        }
    }

    /// Everything that any of these accounts is offered, in the order of the lists.
    fn union(&self, pool: &[Arc<Account>]) -> Vec<UpstreamModel> {
        let lists: Vec<_> = {
            let lists = self.lists();
            pool.iter().filter_map(|account| lists.get(&account.id)?.models.clone()).collect()
        };
        let mut seen = HashSet::new();
        lists
            .iter()
            .flat_map(|list| list.iter())
            .filter(|model| seen.insert(model.id.to_ascii_lowercase()))
            .cloned()
            .collect()
    }

    fn lists(&self) -> MutexGuard<'_, HashMap<AccountId, List>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn card(model: &UpstreamModel, created: u64) -> ModelCard {
    ModelCard {
        id: model.id.clone(),
        name: model.name.clone(),
        created,
        context_window: model.window,
        max_output: model.max_output,
        images: model.images,
        efforts: efforts(model.fields_schema.as_ref()),
        credit_multiplier: model.multiplier,
        documents: false,
        description: None,
        alias_of: None,
    }
}

/// The effort levels in a model's schema of additional fields: Claude's place first, then GPT's.
fn efforts(schema: Option<&serde_json::Value>) -> Vec<String> {
    let at = |group: &str| {
        schema?.pointer(&format!("/properties/{group}/properties/effort/enum")).and_then(serde_json::Value::as_array)
    };
    at("output_config")
        .or_else(|| at("reasoning"))
        .into_iter()
        .flatten()
        .filter_map(|level| level.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests;
