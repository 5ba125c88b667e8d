//! What an account's plan gives and in which order it is used up (kiro-upstream §8): trial first, then bonuses, then the plan
//! itself, then, where it is switched on, what is paid for. The order is this stand-in's own; the service's is not known.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::state::AccountState;

/// Credits on top of the plan, for a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Allowance {
    /// Its name.
    pub name: String,
    /// How much it gives.
    pub limit: f64,
    /// Used so far.
    pub used: f64,
    /// When it ends, Unix seconds.
    pub expires_s: f64,
}

impl Allowance {
    fn left(&self, now_ms: i64) -> f64 {
        if self.is_over(now_ms) { 0.0 } else { (self.limit - self.used).max(0.0) }
    }

    fn is_over(&self, now_ms: i64) -> bool {
        self.expires_s * 1000.0 <= now_ms as f64
    }

    /// Takes what it can of `credits`; the rest comes back.
    fn take(&mut self, credits: f64, now_ms: i64) -> f64 {
        let taken = credits.min(self.left(now_ms));
        self.used += taken;
        credits - taken
    }
}

/// Charges an answer.
pub(crate) fn charge(account: &mut AccountState, credits: f64, now_ms: i64) {
    account.credits_charged += credits;
    let extras = account.seed.trial.iter_mut().chain(&mut account.seed.bonuses);
    let rest = extras.fold(credits, |rest, extra| extra.take(rest, now_ms));
    account.credits_used += rest;
}

/// Whether another answer may be charged.
pub(crate) fn is_used_up(account: &AccountState, now_ms: i64) -> bool {
    let seed = &account.seed;
    let extras: f64 = seed.trial.iter().chain(&seed.bonuses).map(|extra| extra.left(now_ms)).sum();
    let over = account.credits_used - seed.credit_limit;
    extras <= 0.0 && over >= 0.0 && !(account.overage && over < seed.overage_cap)
}

/// The answer of getUsageLimits without the person.
pub(crate) fn usage(account: &AccountState, now_ms: i64) -> Value {
    let seed = &account.seed;
    let used = account.credits_used.min(seed.credit_limit);
    let over = (account.credits_used - seed.credit_limit).max(0.0);
    let mut credit = json!({
        "resourceType": "CREDIT",
        "displayName": "Credit",
        "displayNamePlural": "Credits",
        "unit": "INVOCATIONS",
        "currency": "USD",
        "overageRate": 0.04,
        "currentOverages": over.trunc(),
        "currentOveragesWithPrecision": over,
        "overageCap": seed.overage_cap.trunc(),
        "overageCapWithPrecision": seed.overage_cap,
        "overageCharges": over * 0.04,
        "nextDateReset": seed.next_reset_s,
        "currentUsage": used.trunc(),
        "currentUsageWithPrecision": used,
        "usageLimit": seed.credit_limit.trunc(),
        "usageLimitWithPrecision": seed.credit_limit,
    });
    if let Some(trial) = &seed.trial {
        credit["freeTrialInfo"] = json!({
            "freeTrialStatus": if trial.is_over(now_ms) { "EXPIRED" } else { "ACTIVE" },
            "freeTrialExpiry": trial.expires_s,
            "currentUsage": trial.used.trunc(),
            "currentUsageWithPrecision": trial.used,
            "usageLimit": trial.limit.trunc(),
            "usageLimitWithPrecision": trial.limit,
        });
    }
    if !seed.bonuses.is_empty() {
        let bonus = |bonus: &Allowance| {
            let status = if bonus.is_over(now_ms) {
                "EXPIRED"
            } else if bonus.left(now_ms) <= 0.0 {
                "EXHAUSTED"
            } else {
                "ACTIVE"
            };
            json!({
                "bonusCode": bonus.name.to_uppercase(),
                "displayName": bonus.name,
                "description": bonus.name,
                "status": status,
                "expiresAt": bonus.expires_s,
                "currentUsage": bonus.used,
                "usageLimit": bonus.limit,
            })
        };
        credit["bonuses"] = seed.bonuses.iter().map(bonus).collect();
    }
    json!({
        "daysUntilReset": 0,
        "limits": [],
        "nextDateReset": seed.next_reset_s,
        "overageConfiguration": {"overageStatus": if account.overage { "ENABLED" } else { "DISABLED" }},
        "subscriptionInfo": {
            "type": "Q_DEVELOPER_STANDALONE_PRO",
            "subscriptionTitle": seed.plan,
            "upgradeCapability": "UPGRADE_CAPABLE",
            "overageCapability": "OVERAGE_CAPABLE",
            "subscriptionManagementTarget": "MANAGE",
        },
        "usageBreakdownList": [credit],
    })
}
