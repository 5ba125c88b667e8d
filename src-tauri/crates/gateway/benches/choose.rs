//! What choosing one of a thousand accounts costs, from request to lease and back.
//!
//! `cargo bench -p kiro-gateway --bench choose`. At the end two ratios, measured by turns in one run: the choice against what it
//! was before (a copy of every candidate behind one lock), and among a thousand accounts against among one.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(clippy::print_stdout, reason = "a measurement prints its figures")]

use divan::{AllocProfiler, Bencher, black_box};
use kiro_gateway::account::{Account, AccountId, AccountState, LeaseRequest, Leases, Roster, SelectionRules, Strategy};
use kiro_gateway::clock::{Clock, SystemClock, Timestamp};
use kiro_gateway::data_dir::DataDir;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const MANY: usize = 1000;
const AIM: Duration = Duration::from_micros(5);

fn main() {
    divan::main();
    figures();
}

struct House {
    leases: Arc<Leases>,
    roster: Arc<Roster>,
    _folder: tempfile::TempDir,
}

fn house(accounts: usize, strategy: Strategy) -> House {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    std::fs::create_dir(&state).expect("made");
    let account = |n: usize| {
        json!({
            "id": AccountId::random(), "label": format!("a{n}"), "method": "social", "origin": "imported",
            "machineId": "a".repeat(64), "enabled": true, "addedAt": Timestamp(0),
        })
    };
    let list: Vec<_> = (0..accounts).map(account).collect();
    std::fs::write(state.join("accounts.json"), json!({"schema": 1, "accounts": list}).to_string()).expect("written");
    let dir = Arc::new(DataDir::open(Some(state)).expect("opens"));
    let roster = Arc::new(Roster::open(dir).expect("opens"));
    let leases = Arc::new(Leases::new(Arc::clone(&roster), Arc::new(SystemClock), 2));
    leases.follow(SelectionRules { strategy, ..SelectionRules::default() });
    House { leases, roster, _folder: folder }
}

#[divan::bench(args = [1, 10, 100, MANY])]
fn most_quota(bencher: Bencher<'_, '_>, accounts: usize) {
    let house = house(accounts, Strategy::MostQuota);
    let request = LeaseRequest::default();
    bencher.bench_local(|| drop(black_box(house.leases.lease(&request).expect("free"))));
}

#[divan::bench(args = [Strategy::RoundRobin, Strategy::FewestRequests, Strategy::Priority, Strategy::Single])]
fn of_a_thousand(bencher: Bencher<'_, '_>, strategy: &Strategy) {
    let house = house(MANY, *strategy);
    let request = LeaseRequest::default();
    bencher.bench_local(|| drop(black_box(house.leases.lease(&request).expect("free"))));
}

/// With everything that narrows a choice: who offers the model, the key's groups, and accounts that were tried.
#[divan::bench]
fn of_a_thousand_narrowed(bencher: Bencher<'_, '_>) {
    let house = house(MANY, Strategy::MostQuota);
    let request = narrowed(&house);
    bencher.bench_local(|| drop(black_box(house.leases.lease(&request).expect("free"))));
}

fn narrowed(house: &House) -> LeaseRequest {
    let list = house.roster.list();
    let half: HashSet<AccountId> = list.iter().step_by(2).map(|account| account.id.clone()).collect();
    LeaseRequest {
        among: Some(Arc::new(half)),
        exclude: list.iter().take(3).map(|account| account.id.clone()).collect(),
        model: Some("m".into()),
        ..LeaseRequest::default()
    }
}

type Condition = (AccountState, usize, Option<Timestamp>);
type Work<'a> = (&'static str, Box<dyn FnMut() + 'a>);

/// The choice as it was: every account's condition is looked up by its id and copied, then the best copy is looked for.
struct Before {
    cells: Mutex<HashMap<AccountId, Condition>>,
}

impl Before {
    fn choose(&self, roster: &Roster, now: Timestamp) -> Arc<Account> {
        let accounts = roster.list();
        let mut cells = self.cells.lock().expect("not poisoned");
        let candidates: Vec<(Arc<Account>, AccountState, usize, Option<Timestamp>)> = accounts
            .iter()
            .map(|account| {
                let cell = cells.entry(account.id.clone()).or_insert((AccountState::READY, 0, None));
                cell.0 = cell.0.clone().next(kiro_gateway::account::Signal::Tick, now);
                (Arc::clone(account), cell.0.clone(), cell.1, cell.2)
            })
            .collect();
        let pool: Vec<usize> = (0..candidates.len()).filter(|at| !candidates[*at].0.is_demo()).collect();
        let usable =
            pool.iter().copied().filter(|at| candidates[*at].2 < 2 && candidates[*at].1.admits(candidates[*at].2));
        let best =
            usable.min_by_key(|at| (candidates[*at].2, std::cmp::Reverse(candidates[*at].3), *at)).expect("free");
        Arc::clone(&candidates[best].0)
    }
}

fn figures() {
    let thousand = house(MANY, Strategy::MostQuota);
    let one = house(1, Strategy::MostQuota);
    let before = Before { cells: Mutex::default() };
    let request = LeaseRequest::default();
    let narrow = narrowed(&thousand);
    let mut works: [Work<'_>; 4] = [
        ("before, of 1,000", Box::new(|| drop(black_box(before.choose(&thousand.roster, SystemClock.now()))))),
        ("now, of 1,000", Box::new(|| drop(black_box(thousand.leases.lease(&request))))),
        ("now, of 1,000, narrowed", Box::new(|| drop(black_box(thousand.leases.lease(&narrow))))),
        ("now, of 1", Box::new(|| drop(black_box(one.leases.lease(&request))))),
    ];
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); works.len()];
    for _ in 0..2000 {
        for (at, (_, work)) in works.iter_mut().enumerate() {
            let since = Instant::now();
            work();
            times[at].push(since.elapsed());
        }
    }
    println!();
    let mut medians = Vec::new();
    for ((name, _), times) in works.iter().zip(&mut times) {
        times.sort_unstable();
        let median = times[times.len() / 2];
        println!(
            "{name:<26} median {:>8.2} µs, 99 % {:>8.2} µs",
            micros(median),
            micros(times[times.len() * 99 / 100])
        );
        medians.push(median);
    }
    println!("before / now, of 1,000: {:.1}×", micros(medians[0]) / micros(medians[1]));
    println!("aim {:.0} µs: {}", micros(AIM), if medians[1] <= AIM && medians[2] <= AIM { "met" } else { "NOT met" });
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
