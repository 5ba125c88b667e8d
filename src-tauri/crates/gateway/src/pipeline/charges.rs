//! What answers cost, told to whoever keeps books: once when an account has accepted a request, and once when its answer is over,
//! whole or not. Answers that nobody saw because the request was tried again are told like all others: they were paid for.

use crate::account::Account;
use kiro_protocol::event::Usage;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What an account was asked for, or what its answer cost.
pub(crate) struct Charge<'a> {
    /// Who answered.
    pub(crate) account: &'a Account,
    /// The upstream's id of the model.
    pub(crate) model: &'a str,
    /// The client key that the request came with; empty for a person's own question.
    pub(crate) key: &'a str,
    /// True once for each request of a client: when the first account has accepted it.
    pub(crate) request: bool,
    /// What the answer cost; `None` while it has only begun.
    pub(crate) usage: Option<&'a Usage>,
}

type Listener = Box<dyn Fn(&Charge<'_>) + Send + Sync>;

/// Those who keep books. Called on the way of an answer: they must be quick and never wait.
#[derive(Clone, Default)]
pub(crate) struct Charges(Arc<Vec<Listener>>);

impl Charges {
    pub(crate) fn new(listeners: Vec<Listener>) -> Self {
        Self(Arc::new(listeners))
    }

    /// The till of one request.
    pub(super) fn till(&self, key: &str) -> Till {
        Till { charges: self.clone(), key: key.into(), counted: Arc::default() }
    }
}

/// Where the answers to one request are paid.
#[derive(Clone)]
pub(super) struct Till {
    charges: Charges,
    key: Arc<str>,
    counted: Arc<AtomicBool>,
}

impl Till {
    /// An account has accepted the request.
    pub(super) fn accepted(&self, account: &Account, model: &str) {
        let request = !self.counted.swap(true, Ordering::Relaxed);
        self.tell(&Charge { account, model, key: &self.key, request, usage: None });
    }

    /// An answer is over.
    pub(super) fn paid(&self, account: &Account, model: &str, usage: &Usage) {
        self.tell(&Charge { account, model, key: &self.key, request: false, usage: Some(usage) });
    }

    fn tell(&self, charge: &Charge<'_>) {
        for listener in self.charges.0.iter() {
            listener(charge);
        }
    }
}
