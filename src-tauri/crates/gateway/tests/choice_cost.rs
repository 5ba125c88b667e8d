//! What choosing an account may cost at most, counted and not timed: `benches/choose.rs` has the times.

use std::sync::Arc;

use kiro_gateway::account::{AccountId, LeaseRequest, Leases, Roster, SelectionRules, Strategy};
use kiro_gateway::clock::{SystemClock, Timestamp};
use kiro_gateway::data_dir::DataDir;
use serde_json::json;

const STRATEGIES: [Strategy; 8] = [
    Strategy::MostQuota,
    Strategy::RoundRobin,
    Strategy::FewestRequests,
    Strategy::Priority,
    Strategy::Single,
    Strategy::Weighted,
    Strategy::SoonestReset,
    Strategy::FillFirst,
];

fn leases(accounts: usize) -> (tempfile::TempDir, Arc<Leases>) {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = Arc::new(DataDir::open(Some(folder.path().join("state"))).expect("opens"));
    let account = |n: usize| {
        json!({
            "id": AccountId::random(), "label": format!("a{n}"), "method": "social", "origin": "imported",
            "machineId": "a".repeat(64), "enabled": true, "addedAt": Timestamp(0),
        })
    };
    let list: Vec<_> = (0..accounts).map(account).collect();
    dir.replace("accounts.json", json!({"schema": 1, "accounts": list}).to_string().as_bytes()).expect("written");
    let roster = Arc::new(Roster::open(dir).expect("opens"));
    (folder, Arc::new(Leases::new(roster, Arc::new(SystemClock), 2)))
}

/// Allocations of one lease, taken and given back.
fn allocations(leases: &Arc<Leases>, strategy: Strategy) -> u64 {
    leases.follow(SelectionRules { strategy, ..SelectionRules::default() });
    let request = LeaseRequest::default();
    // What is made once and kept is not the choice's.
    drop(leases.lease(&request).expect("free"));
    allocation_counter::measure(|| drop(leases.lease(&request).expect("free"))).count_total
}

#[test]
fn choosing_among_a_thousand_accounts_allocates_no_more_than_choosing_among_one() {
    let (_one, one) = leases(1);
    let (_thousand, thousand) = leases(1_000);
    for strategy in STRATEGIES {
        let (among_one, among_many) = (allocations(&one, strategy), allocations(&thousand, strategy));
        assert!(among_many <= among_one, "{strategy:?}: {among_many} among a thousand, {among_one} among one");
    }
}
