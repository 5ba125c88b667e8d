//! What is known of every account now, in the order of the roster. The choice reads `candidates`, which is kept in step with
//! the rows by every change; nothing here waits, and whoever calls holds the lock.

use super::model_pause::ModelPauses;
use super::pace::Pace;
use super::row::{Row, believed, initial, resting};
use super::sets::Sets;
use crate::account::selection::{
    Candidate, Lanes, LeaseRequest, NoAccount, Question, QuotaGlance, SelectionRules, Standing, Strategy, UNKNOWN,
    choose, pace_lets, single, why_none,
};
use crate::account::{Account, AccountId, AccountState, Signal};
use crate::clock::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A clock that goes back by more than this was set back; less is the noise of keeping it right.
const CLOCK_SET_BACK: Duration = Duration::from_secs(2);

/// All accounts.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// The roster's list that the rows mirror.
    seen: Arc<Vec<Arc<Account>>>,
    rows: Vec<Row>,
    candidates: Vec<Candidate>,
    /// The candidates as the choice scans them.
    lanes: Lanes,
    index: HashMap<AccountId, usize>,
    /// Accounts that left the list and may come back: their conditions go on.
    away: HashMap<AccountId, (Row, Candidate)>,
    pub(super) rules: SelectionRules,
    /// The pace of all accounts together, and until when it lets nobody begin.
    pace: (Pace, i64),
    /// The latest moment that was asked about, to notice a clock that is set back.
    latest: Timestamp,
    /// Running number of choices.
    turn: u64,
    /// Sum and number of the known quotas, for what an unknown one counts as.
    left: (u64, u64),
    sets: Sets,
    scratch: Vec<usize>,
}

impl Table {
    pub(super) fn new(rules: SelectionRules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Follows the roster.
    pub(super) fn sync(&mut self, list: &Arc<Vec<Arc<Account>>>, now: Timestamp) {
        if Arc::ptr_eq(&self.seen, list) {
            return;
        }
        self.seen = Arc::clone(list);
        self.sets.clear();
        let mut before: HashMap<AccountId, (Row, Candidate)> = self
            .rows
            .drain(..)
            .zip(self.candidates.drain(..))
            .map(|(row, at)| (row.account.id.clone(), (row, at)))
            .collect();
        // An account that joins is not made to catch up with those that have served for long.
        let joins_with = before.values().map(|(_, candidate)| candidate.served).min().unwrap_or(0);
        let any_real = list.iter().any(|account| !account.is_demo());
        self.index.clear();
        for (at, account) in list.iter().enumerate() {
            let known = before.remove(&account.id).or_else(|| {
                let (row, candidate) = self.away.remove(&account.id)?;
                Some((row, Candidate { served: candidate.served.max(joins_with), ..candidate }))
            });
            let (row, candidate) = match known {
                Some((mut row, candidate)) => {
                    let switch = if account.enabled { Signal::Enable } else { Signal::Disable };
                    row.state = row.state.next(switch, now);
                    row.account = Arc::clone(account);
                    (row, candidate)
                }
                None => {
                    let row = Row {
                        account: Arc::clone(account),
                        state: initial(account),
                        pauses: ModelPauses::default(),
                        quota: None,
                        pace: Pace::default(),
                        requests: 0,
                        errors: 0,
                        last_success: None,
                        last_failure: None,
                    };
                    let candidate = Candidate {
                        open_at: 0,
                        paced_until: 0,
                        turn: 0,
                        served: joins_with,
                        priority: 0,
                        left: UNKNOWN,
                        in_flight: 0,
                        resets: UNKNOWN,
                        weight: 1,
                        limit: 1,
                        pooled: true,
                        probing: false,
                        paused_models: false,
                    };
                    (row, candidate)
                }
            };
            self.index.insert(account.id.clone(), at);
            self.candidates.push(Candidate { pooled: account.is_demo() != any_real, ..candidate });
            self.rows.push(row);
        }
        self.away.extend(before);
        self.retell(now);
    }

    /// Drops what is known of an account that left the list and does not come back.
    pub(super) fn drop_away(&mut self, id: &AccountId) {
        self.away.remove(id);
    }

    /// Changes the row of an account that left the list and may come back.
    pub(super) fn change_away(&mut self, id: &AccountId, change: impl FnOnce(&mut Row)) {
        if let Some((row, _)) = self.away.get_mut(id) {
            change(row);
        }
    }

    /// The rules changed, or the accounts: every candidate is told anew.
    pub(super) fn retell(&mut self, now: Timestamp) {
        // Counted anew: candidates may have left.
        self.left = (0, 0);
        self.lanes.reset(self.rows.len());
        for at in 0..self.rows.len() {
            self.candidates[at].left = UNKNOWN;
            self.tell(at, now);
        }
    }

    pub(super) fn at(&self, id: &AccountId) -> Option<usize> {
        self.index.get(id).copied()
    }

    pub(super) fn row(&self, at: usize) -> &Row {
        &self.rows[at]
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(super) fn in_flight(&self, at: usize) -> u32 {
        self.candidates[at].in_flight
    }

    /// Changes a row; the candidate follows.
    pub(super) fn change<T>(&mut self, at: usize, now: Timestamp, change: impl FnOnce(&mut Row) -> T) -> T {
        let result = change(&mut self.rows[at]);
        self.tell(at, now);
        result
    }

    /// The condition now: what only time changes is caught up with.
    pub(super) fn state(&mut self, at: usize, now: Timestamp) -> AccountState {
        self.change(at, now, |row| {
            row.state = row.state.clone().next(Signal::Tick, now);
            row.state.clone()
        })
    }

    pub(super) fn set_quota(&mut self, at: usize, quota: Option<QuotaGlance>, now: Timestamp) {
        self.change(at, now, |row| row.quota = quota);
    }

    /// The best account for a request, by position; it counts as chosen.
    pub(super) fn take(
        &mut self,
        request: &LeaseRequest,
        preferred: Option<&AccountId>,
        now: Timestamp,
    ) -> Result<usize, NoAccount> {
        self.notice_clock(now);
        let found = self.look(request, now, |table, question, pausing| {
            let usable = |at: usize| question.is_served_by(at, &table.candidates[at], pausing);
            let kept = preferred.and_then(|id| table.at(id)).filter(|at| usable(*at));
            kept.or_else(|| choose(&table.lanes, &table.candidates, question, pausing)).ok_or(())
        });
        let at = match found {
            Some(Ok(at)) if self.lets_begin(at, now) => at,
            Some(Ok(_)) => return Err(NoAccount::Busy),
            Some(Err(())) => return Err(self.why(request, now)),
            None => return Err(NoAccount::Unknown),
        };
        self.occupy(at, now);
        Ok(at)
    }

    /// Takes one more request at this position if it may serve the request.
    pub(super) fn take_at(&mut self, at: usize, request: &LeaseRequest, now: Timestamp) -> bool {
        let fits = self.look(request, now, |table, question, pausing| {
            let only_one = question.strategy == Strategy::Single && question.only.is_none();
            question.is_served_by(at, &table.candidates[at], pausing)
                && (!only_one || single(&table.candidates, question) == Some(at))
        });
        let fits = fits == Some(true) && self.lets_begin(at, now);
        if fits {
            self.occupy(at, now);
        }
        fits
    }

    /// Gives a place back.
    pub(super) fn give_back(&mut self, id: &AccountId) -> Option<usize> {
        let Some(at) = self.at(id) else {
            if let Some((_, candidate)) = self.away.get_mut(id) {
                candidate.in_flight = candidate.in_flight.saturating_sub(1);
            }
            return None;
        };
        let candidate = &mut self.candidates[at];
        candidate.in_flight = candidate.in_flight.saturating_sub(1);
        self.follow(at);
        Some(at)
    }

    /// True when the binding of a session to this account is over: it cannot serve for now, for another reason than being
    /// busy.
    pub(super) fn is_out(&self, id: &AccountId, now: Timestamp) -> bool {
        self.at(id).is_none_or(|at| self.candidates[at].open_at > now.unix_ms())
    }

    /// True when no account at all could take a request now.
    pub(super) fn is_full(&self, now: Timestamp) -> bool {
        let paced = !pace_lets(self.pace.1, now.unix_ms()) && self.rows.iter().any(|row| !row.account.is_demo());
        paced || !self.lanes.is_any_open(now.unix_ms())
    }

    /// With a clock that was set back, what waits for a moment would wait too long: all is told anew.
    fn notice_clock(&mut self, now: Timestamp) {
        if self.latest.since(now) > CLOCK_SET_BACK {
            for at in 0..self.rows.len() {
                self.state(at, now);
            }
        }
        self.latest = now;
    }

    /// The choice follows a candidate that changed.
    fn follow(&mut self, at: usize) {
        self.lanes.follow(at, &self.candidates[at], self.rules.strategy);
    }

    /// Whether the pace of all accounts together lets a request begin on this one. Demo answers cost nobody anything.
    fn lets_begin(&self, at: usize, now: Timestamp) -> bool {
        pace_lets(self.pace.1, now.unix_ms()) || self.rows[at].account.is_demo()
    }

    /// When the next account that is not usable now becomes so by itself.
    pub(super) fn next_opening(&self, now: Timestamp) -> Option<Timestamp> {
        let now = now.unix_ms();
        let together = if pace_lets(self.pace.1, now) { 0 } else { self.pace.1 };
        let opens = |candidate: &Candidate| {
            let paced = if pace_lets(candidate.paced_until, now) { 0 } else { candidate.paced_until };
            candidate.open_at.max(paced)
        };
        let alone = self.candidates.iter().map(opens).filter(|at| *at > now && *at < i64::MAX).min();
        alone.into_iter().chain((together > now).then_some(together)).min().map(Timestamp)
    }

    fn occupy(&mut self, at: usize, now: Timestamp) {
        // The first request after a pause finds out whether the account works again.
        if self.candidates[at].probing || self.rows[at].quota.is_some() {
            self.state(at, now);
        }
        self.turn += 1;
        let candidate = &mut self.candidates[at];
        candidate.in_flight += 1;
        candidate.served += 1;
        candidate.turn = self.turn;
        let row = &mut self.rows[at];
        row.requests += 1;
        if !row.account.is_demo() {
            candidate.paced_until = self.rules.pace.account(&mut row.pace, now);
            self.pace.1 = self.rules.pace.total(&mut self.pace.0, now);
        }
        self.follow(at);
    }

    /// Runs `work` with the question that a request asks. `None` when it names an account that is not there.
    fn look<T>(
        &mut self,
        request: &LeaseRequest,
        now: Timestamp,
        work: impl FnOnce(&Self, &Question<'_>, &dyn Fn(usize) -> bool) -> T,
    ) -> Option<T> {
        let chosen = request.only.as_ref().or(self.rules.only.as_ref());
        let only = match chosen {
            Some(id) => Some(self.at(id)?),
            None => None,
        };
        if !request.tags.is_empty() {
            self.sets.learn_tags(&request.tags, &self.rows);
        }
        if let Some(among) = &request.among {
            self.sets.learn_among(among, &self.rows);
        }
        let mut excluded = std::mem::take(&mut self.scratch);
        excluded.clear();
        excluded.extend(request.exclude.iter().filter_map(|id| self.at(id)));
        let question = Question {
            now: now.unix_ms(),
            strategy: self.rules.strategy,
            neutral: self.neutral(),
            only,
            excluded: &excluded,
            among: request.among.as_ref().and_then(|among| self.sets.among(among)),
            tagged: if request.tags.is_empty() { None } else { self.sets.tagged(&request.tags) },
        };
        let pausing =
            |at: usize| request.model.as_deref().is_some_and(|model| self.rows[at].pauses.until(model, now).is_some());
        let result = work(self, &question, &pausing);
        self.scratch = excluded;
        Some(result)
    }

    /// Why nobody can serve the request.
    pub(super) fn why(&mut self, request: &LeaseRequest, now: Timestamp) -> NoAccount {
        for at in 0..self.rows.len() {
            self.state(at, now);
        }
        let floor = self.rules.floor_percent;
        let reason = self.look(request, now, |table, question, _| {
            let standings = table.candidates.iter().zip(&table.rows).map(|(candidate, row)| Standing {
                candidate,
                state: &row.state,
                resting: resting(row, floor, now),
                model_until: request.model.as_deref().and_then(|model| row.pauses.until(model, now)),
            });
            // The reason is that of the one account that this strategy uses.
            let only_one = question.strategy == Strategy::Single && question.only.is_none();
            let only = if only_one { single(&table.candidates, question) } else { question.only };
            why_none(&Question { only, ..*question }, standings)
        });
        reason.unwrap_or(NoAccount::Unknown)
    }

    /// What a row means for the choice.
    fn tell(&mut self, at: usize, now: Timestamp) {
        let row = &mut self.rows[at];
        row.pauses.prune(now);
        let state_opens = match &row.state {
            AccountState::Ready { .. } | AccountState::Probing { .. } => 0,
            AccountState::CoolingDown { until, .. } | AccountState::Exhausted { until, .. } => until.unix_ms(),
            AccountState::NeedsLogin { .. }
            | AccountState::Suspended { .. }
            | AccountState::OwnerSwitched { .. }
            | AccountState::Disabled { .. } => i64::MAX,
        };
        let rest_ends = match resting(row, self.rules.floor_percent, now) {
            None => 0,
            Some(until) => until.map_or(i64::MAX, Timestamp::unix_ms),
        };
        let candidate = &mut self.candidates[at];
        if pace_lets(candidate.paced_until, now.unix_ms()) {
            candidate.paced_until = 0;
        }
        candidate.open_at = state_opens.max(rest_ends);
        candidate.probing = match &row.state {
            AccountState::Probing { .. } | AccountState::CoolingDown { .. } => true,
            AccountState::Ready { .. }
            | AccountState::Exhausted { .. }
            | AccountState::NeedsLogin { .. }
            | AccountState::Suspended { .. }
            | AccountState::OwnerSwitched { .. }
            | AccountState::Disabled { .. } => false,
        };
        candidate.paused_models = !row.pauses.is_empty();
        candidate.priority = row.account.wishes.priority;
        candidate.limit = row.account.wishes.concurrency(self.rules.concurrency);
        let weight = row.account.wishes.weight();
        if weight != candidate.weight {
            // A new share counts from now on: nobody catches up with what another share would have been.
            candidate.served = candidate.served.saturating_mul(weight.into()) / u64::from(candidate.weight);
            candidate.weight = weight;
        }
        let resets = row.quota.and_then(|quota| quota.resets_at).filter(|reset| now < *reset);
        candidate.resets =
            resets.map_or(UNKNOWN, |reset| u32::try_from(reset.unix_seconds() / 60).unwrap_or(UNKNOWN - 1));
        let left = row.quota.filter(|quota| believed(quota, now)).map_or(UNKNOWN, |quota| whole(quota.left));
        let before = std::mem::replace(&mut candidate.left, left);
        if before != UNKNOWN {
            self.left = (self.left.0.saturating_sub(before.into()), self.left.1.saturating_sub(1));
        }
        if left != UNKNOWN {
            self.left = (self.left.0 + u64::from(left), self.left.1 + 1);
        }
        self.follow(at);
    }

    /// What is left on average where it is known.
    fn neutral(&self) -> u32 {
        let (sum, count) = self.left;
        sum.checked_div(count).and_then(|average| u32::try_from(average).ok()).unwrap_or(0)
    }
}

/// Whole credits, rounded down; never the mark for "unknown".
fn whole(credits: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range just before")]
    let whole = credits.clamp(0.0, f64::from(UNKNOWN - 1)) as u32;
    whole
}
