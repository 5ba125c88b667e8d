//! Model names: what the upstream offers each account, and which of it a client means.
//!
//! The upstream's list is the truth where it is known; a small table stands in until then. A name is read by the rules of
//! the key, then by the rules for all keys, then by the names the gateway knows ([`alias`]); a name that nobody knows is
//! passed on as it is, and when the upstream refuses it, the client is told the nearest offered one. A name never means a
//! lesser model than it says without a rule that says so.

mod alias;
mod cards;
mod nearest;
mod resolve;
mod rules;
mod spelling;
mod table;
mod trace;

pub(crate) use cards::{OfferedModel, OtherName};
pub(crate) use resolve::{Names, Resolved};
pub use trace::{Decider, ModelTrace, TracedCandidate, TracedRule};

use crate::account::{Account, AccountId};
use crate::upstream::UpstreamModel;
use kiro_protocol::failure::{Failure, FailureClass};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a list is taken for true.
const FRESH: Duration = Duration::from_secs(15 * 60);
/// How long after a failure nobody asks again.
const PAUSE: Duration = Duration::from_secs(30);

/// The model lists of all accounts.
#[derive(Default)]
pub(crate) struct Catalog {
    table: table::Table,
    lists: Mutex<HashMap<AccountId, List>>,
    /// Models that refused additional fields although their schema offers some.
    plain: Mutex<HashSet<String>>,
    /// Goes up with every change of the lists.
    version: AtomicU64,
    /// Who is offered which model, kept until the lists or the accounts change.
    offers: Mutex<HashMap<Arc<str>, KeptOffer>>,
}

struct KeptOffer {
    version: u64,
    pool: Arc<Vec<Arc<Account>>>,
    among: Option<Arc<HashSet<AccountId>>>,
}

/// Models whose offers are kept.
const OFFERS: usize = 256;

#[derive(Clone)]
struct List {
    models: Option<Arc<Vec<UpstreamModel>>>,
    asked: Instant,
    /// True when the upstream contradicted the list since.
    doubted: bool,
}

/// What some accounts are offered, taken at one moment.
struct Offer {
    lists: Vec<(AccountId, Arc<Vec<UpstreamModel>>)>,
    table: Arc<Vec<UpstreamModel>>,
}

impl Offer {
    /// True when the upstream said what there is.
    fn is_known(&self) -> bool {
        !self.lists.is_empty()
    }

    /// Everything that any of the accounts is offered, in the order of the lists.
    fn models(&self) -> Vec<&UpstreamModel> {
        if !self.is_known() {
            return self.table.iter().collect();
        }
        let mut seen = HashSet::new();
        self.lists
            .iter()
            .flat_map(|(_, list)| list.iter())
            .filter(|model| seen.insert(model.id.to_ascii_lowercase()))
            .collect()
    }

    /// The accounts whose list has the model.
    fn accounts(&self, model: &str) -> Vec<AccountId> {
        let has = |list: &[UpstreamModel]| list.iter().any(|known| known.id.eq_ignore_ascii_case(model));
        self.lists.iter().filter(|(_, list)| has(list)).map(|(account, _)| account.clone()).collect()
    }
}

impl Catalog {
    /// Keeps what the upstream listed.
    pub(crate) fn learned(&self, account: &AccountId, models: Vec<UpstreamModel>) {
        let list = List { models: Some(Arc::new(models)), asked: Instant::now(), doubted: false };
        self.lists().insert(account.clone(), list);
        self.changed();
    }

    /// Remembers that asking failed; the last good list stays.
    pub(crate) fn missed(&self, account: &AccountId) {
        let mut lists = self.lists();
        let models = lists.get(account).and_then(|list| list.models.clone());
        lists.insert(account.clone(), List { models, asked: Instant::now(), doubted: false });
        drop(lists);
        self.changed();
    }

    /// True when it is time to ask for this account's list.
    pub(crate) fn wants(&self, account: &AccountId) -> bool {
        match self.lists().get(account) {
            None => true,
            Some(list) => {
                let settled = list.models.is_some() && !list.doubted;
                list.asked.elapsed() > if settled { FRESH } else { PAUSE }
            }
        }
    }

    /// True when this account's list is known.
    pub(crate) fn knows(&self, account: &AccountId) -> bool {
        self.lists().get(account).is_some_and(|list| list.models.is_some())
    }

    /// The account was refused a model that its list has, so the list is asked for again soon.
    pub(crate) fn doubt(&self, account: &AccountId) {
        if let Some(list) = self.lists().get_mut(account) {
            list.doubted = true;
        }
    }

    /// Lets every list be asked for again now.
    pub(crate) fn distrust_all(&self) {
        // What is known stays in use until the upstream has answered.
        for list in self.lists().values_mut() {
            list.doubted = true;
            list.asked = list.asked.checked_sub(PAUSE * 2).unwrap_or(list.asked);
        }
    }

    /// Forgets an account.
    pub(crate) fn forget(&self, account: &AccountId) {
        self.lists().remove(account);
        self.changed();
    }

    /// Remembers that this model takes no additional fields, whatever its schema says.
    pub(crate) fn takes_no_fields(&self, model: &str) {
        self.plain.lock().unwrap_or_else(PoisonError::into_inner).insert(model.to_owned());
    }

    /// Who may be asked for a model: the accounts whose list has it; when no list has it, those whose list is not known yet.
    /// `None`: everybody, because nobody is more likely than another.
    pub(crate) fn among(&self, model: &str, pool: &[Arc<Account>]) -> Option<Vec<AccountId>> {
        let offer = self.offer(pool);
        let offering = offer.accounts(model);
        if !offering.is_empty() {
            return Some(offering);
        }
        let unlisted: Vec<AccountId> = pool
            .iter()
            .filter(|account| account.stopped.is_none() && !offer.lists.iter().any(|(id, _)| *id == account.id))
            .map(|account| account.id.clone())
            .collect();
        (!unlisted.is_empty()).then_some(unlisted)
    }

    /// The same as [`Self::among`], worked out once for every model until the lists or the accounts change.
    pub(crate) fn offering(&self, model: &Arc<str>, pool: &Arc<Vec<Arc<Account>>>) -> Option<Arc<HashSet<AccountId>>> {
        let version = self.version.load(Ordering::Acquire);
        let mut offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = offers.get(model)
            && kept.version == version
            && Arc::ptr_eq(&kept.pool, pool)
        {
            return kept.among.clone();
        }
        let among = self.among(model, pool).map(|among| Arc::new(among.into_iter().collect::<HashSet<_>>()));
        if offers.len() >= OFFERS {
            offers.clear();
        }
        let kept = KeptOffer { version, pool: Arc::clone(pool), among: among.clone() };
        offers.insert(Arc::clone(model), kept);
        among
    }

    /// What a client is told when the upstream does not know the model either.
    pub(crate) fn unknown(&self, wish: &str, pool: &[Arc<Account>]) -> Failure {
        let shown: String = wish.trim().chars().filter(|c| !c.is_control()).take(100).collect();
        let mut message = format!("model: {shown} is not offered by the signed-in accounts.");
        if let Some(near) = self.nearest(wish, pool) {
            message.push_str(&format!(" Did you mean {near}?"));
        }
        message.push_str(" GET /v1/models lists what there is; a rule for model names can give this name a meaning.");
        Failure::new(FailureClass::NotFound, "unknown_model", message)
    }

    /// The offered model that a name looks like, when the upstream has said what it offers.
    pub(crate) fn nearest(&self, wish: &str, pool: &[Arc<Account>]) -> Option<String> {
        let offer = self.offer(pool);
        if !offer.is_known() {
            return None;
        }
        nearest::nearest(wish, offer.models().iter().map(|model| model.id.as_str())).map(str::to_owned)
    }

    fn changed(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    fn is_plain(&self, model: &str) -> bool {
        self.plain.lock().unwrap_or_else(PoisonError::into_inner).contains(model)
    }

    fn offer(&self, pool: &[Arc<Account>]) -> Offer {
        let lists = self.lists();
        let known = |account: &Arc<Account>| Some((account.id.clone(), lists.get(&account.id)?.models.clone()?));
        Offer { lists: pool.iter().filter_map(known).collect(), table: Arc::clone(&self.table.0) }
    }

    fn lists(&self) -> MutexGuard<'_, HashMap<AccountId, List>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
