//! Reads getUsageLimits. Numbers may be integers, floats, written with an exponent, or text; unknown members are ignored.

use super::{Overage, PartKind, Quota, QuotaPart, UpstreamError, UsageAnswer};
use crate::clock::Timestamp;
use crate::upstream::classify::Kind;
use serde_json::Value;

/// Which kind of resource is the plan, when an answer has several (kiro-upstream §8).
const PREFERRED: [&str; 3] = ["CREDIT", "AGENTIC_REQUEST", "VIBE"];
/// Larger numbers of a date are milliseconds: as seconds they would lie beyond the year 5000.
const MILLISECONDS: f64 = 1.0e11;
/// Later moments are mistakes.
const LAST_MOMENT_MS: f64 = 4.0e15;

/// Reads an answer. Only what is no JSON object is an error.
pub(crate) fn read(body: &[u8]) -> Result<UsageAnswer, UpstreamError> {
    let answer: Value = serde_json::from_slice(body)
        .map_err(|error| UpstreamError::local(Kind::Corrupt, format!("the usage cannot be read: {error}")))?;
    if !answer.is_object() {
        return Err(UpstreamError::local(Kind::Corrupt, "the usage is no JSON object"));
    }
    let subscription = &answer["subscriptionInfo"];
    let breakdowns = breakdowns(&answer);
    let main = PREFERRED
        .iter()
        .find_map(|wanted| breakdowns.iter().position(|item| resource(item).eq_ignore_ascii_case(wanted)))
        .unwrap_or(0);
    let base = breakdowns.get(main);
    let mut parts = Vec::new();
    if let Some(base) = base {
        parts.extend(part(base, PartKind::Base, base_used(base)));
        parts.extend(trial(&base["freeTrialInfo"]));
        parts.extend(base["bonuses"].as_array().into_iter().flatten().filter_map(bonus));
    }
    let others = breakdowns.iter().enumerate().filter(|(at, _)| *at != main).map(|(_, item)| item);
    parts.extend(others.filter_map(|item| part(item, PartKind::Other, precise(item, "currentUsage"))));
    if parts.is_empty() {
        parts.extend(legacy(&answer["limits"]));
    }
    let reset = base.and_then(|base| moment(&base["nextDateReset"])).or_else(|| moment(&answer["nextDateReset"]));
    let quota = Quota {
        plan: text(&subscription["subscriptionTitle"]).or_else(|| text(&subscription["type"])),
        unit: base.and_then(|base| text(&base["displayNamePlural"]).or_else(|| text(&base["unit"]))),
        parts,
        overage: overage(&answer, base),
        resets_at: reset,
    };
    Ok(UsageAnswer { quota, user_id: text(&answer["userInfo"]["userId"]), email: text(&answer["userInfo"]["email"]) })
}

fn breakdowns(answer: &Value) -> Vec<Value> {
    for name in ["usageBreakdownList", "usageBreakdown"] {
        match &answer[name] {
            Value::Array(items) if !items.is_empty() => return items.clone(),
            item @ Value::Object(_) => return vec![item.clone()],
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {}
        }
    }
    Vec::new()
}

fn resource(item: &Value) -> &str {
    item["resourceType"].as_str().unwrap_or_default()
}

fn name(item: &Value) -> Option<String> {
    text(&item["displayName"]).or_else(|| text(&item["resourceType"])).or_else(|| text(&item["type"]))
}

/// Whether `currentUsage` goes beyond the limit by the overage or stops at it is not known; the overage is counted apart.
fn base_used(item: &Value) -> Option<f64> {
    let used = precise(item, "currentUsage")?;
    let over = precise(item, "currentOverages").unwrap_or(0.0);
    let limit = precise(item, "usageLimit").unwrap_or(f64::INFINITY);
    Some(if over > 0.0 { used.min(limit) } else { used })
}

fn part(item: &Value, kind: PartKind, used: Option<f64>) -> Option<QuotaPart> {
    let limit = precise(item, "usageLimit")?;
    Some(QuotaPart { kind, name: name(item), used: used.unwrap_or(0.0), limit, expires_at: None, active: true })
}

fn trial(item: &Value) -> Option<QuotaPart> {
    let expires_at = moment(&item["freeTrialExpiry"]);
    Some(QuotaPart {
        kind: PartKind::Trial,
        name: name(item),
        used: precise(item, "currentUsage").unwrap_or(0.0),
        limit: precise(item, "usageLimit")?,
        expires_at,
        active: active(&item["freeTrialStatus"], expires_at),
    })
}

fn bonus(item: &Value) -> Option<QuotaPart> {
    let expires_at = moment(&item["expiresAt"]);
    Some(QuotaPart {
        kind: PartKind::Bonus,
        name: name(item).or_else(|| text(&item["bonusCode"])),
        used: precise(item, "currentUsage").unwrap_or(0.0),
        limit: precise(item, "usageLimit")?,
        expires_at,
        active: active(&item["status"], expires_at),
    })
}

/// Without a word on it, what has an end counts until then.
fn active(status: &Value, expires_at: Option<Timestamp>) -> bool {
    match status.as_str() {
        Some(status) => status.eq_ignore_ascii_case("ACTIVE"),
        None => expires_at.is_some(),
    }
}

fn legacy(limits: &Value) -> Vec<QuotaPart> {
    let items: Vec<&Value> = limits.as_array().into_iter().flatten().collect();
    let main = PREFERRED
        .iter()
        .find_map(|wanted| {
            items.iter().position(|item| item["type"].as_str().is_some_and(|t| t.eq_ignore_ascii_case(wanted)))
        })
        .unwrap_or(0);
    let read = |(at, item): (usize, &Value)| {
        Some(QuotaPart {
            kind: if at == main { PartKind::Base } else { PartKind::Other },
            name: name(item),
            used: number(&item["currentUsage"]).unwrap_or(0.0),
            limit: number(&item["totalUsageLimit"])?,
            expires_at: None,
            active: true,
        })
    };
    items.into_iter().enumerate().filter_map(read).collect()
}

fn overage(answer: &Value, base: Option<&Value>) -> Option<Overage> {
    let status = answer["overageConfiguration"]["overageStatus"].as_str();
    let used = base.and_then(|base| precise(base, "currentOverages"));
    if status.is_none() && used.is_none() {
        return None;
    }
    let incapable = answer["subscriptionInfo"]["overageCapability"]
        .as_str()
        .is_some_and(|capability| capability.eq_ignore_ascii_case("OVERAGE_INCAPABLE"));
    Some(Overage {
        enabled: status.is_some_and(|status| status.eq_ignore_ascii_case("ENABLED")) && !incapable,
        used: used.unwrap_or(0.0),
        cap: base.and_then(|base| precise(base, "overageCap")),
        charges: base.and_then(|base| number(&base["overageCharges"])),
        currency: base.and_then(|base| text(&base["currency"])),
    })
}

/// The member with precision where there is one.
fn precise(item: &Value, name: &str) -> Option<f64> {
    number(&item[format!("{name}WithPrecision")]).or_else(|| number(&item[name]))
}

/// A finite number that is not negative.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.filter(|number| number.is_finite() && *number >= 0.0)
}

/// Seconds since the epoch, as the upstream writes dates; milliseconds and RFC 3339 are understood, too. Zero is no date.
fn moment(value: &Value) -> Option<Timestamp> {
    if let Some(moment) = value.as_str().and_then(Timestamp::parse_rfc3339) {
        return Some(moment);
    }
    let number = number(value)?;
    let ms = if number >= MILLISECONDS { number } else { number * 1000.0 };
    #[expect(clippy::cast_possible_truncation, reason = "bounded one line above the cast")]
    (0.0 < ms && ms < LAST_MOMENT_MS).then(|| Timestamp(ms.round() as i64))
}

fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    let line: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    (!line.is_empty()).then_some(line)
}
