//! Who keeps books of what answers cost.

use crate::health::Health;
use crate::pipeline::charges::{Charge, Charges};
use crate::quota::Quotas;
use crate::usage::{Ledger, Sums};
use std::sync::Arc;

/// The demo account's answers are made up: they cost nothing and are not counted.
pub(super) fn bookkeepers(ledger: &Arc<Ledger>, quotas: &Arc<Quotas>, health: &Arc<Health>) -> Charges {
    let (ledger, quotas, health) = (Arc::clone(ledger), Arc::clone(quotas), Arc::clone(health));
    Charges::new(vec![Box::new(move |charge: &Charge<'_>| {
        let Charge { account, model, key, request, usage } = charge;
        if account.is_demo() {
            return;
        }
        let Some(usage) = usage else {
            health.used(&account.id);
            if *request {
                ledger.add(&account.id, model, key, &Sums { requests: 1, ..Sums::default() });
            }
            return;
        };
        let credits = usage.credits.unwrap_or(0.0);
        let sums = Sums {
            requests: 0,
            credits,
            input_tokens: usage.input_tokens.unwrap_or(0),
            output_tokens: usage.output_tokens.unwrap_or(0),
        };
        ledger.add(&account.id, model, key, &sums);
        quotas.spent(account, credits);
    })])
}
