//! Requests in line: order, deadline, and what a request that stops waiting leaves behind.

use super::*;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use std::sync::atomic::{AtomicUsize, Ordering};

impl House {
    fn waiting(&self) -> usize {
        self.leases.state.lock().expect("not poisoned").queue.len()
    }

    fn in_flight(&self) -> u32 {
        let list = self.roster.list();
        list.iter().filter_map(|account| self.leases.record(&account.id)).map(|record| record.in_flight).sum()
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_request_gets_the_place_that_becomes_free() {
    let house = house(&["one"]);
    let first = house.lease().expect("free");
    let _second = house.lease().expect("free");
    let leases = Arc::clone(&house.leases);
    let request = LeaseRequest::default();
    let (got, ()) = tokio::join!(leases.lease_in_turn(&request), async move {
        tokio::task::yield_now().await;
        drop(first);
    });
    let got = got.expect("a place");
    let since = tokio::time::Instant::now();
    assert_eq!(house.leases.lease_in_turn(&request).await.expect_err("full"), NoAccount::Busy);
    assert_eq!(since.elapsed(), SelectionRules::default().patience);
    assert_eq!(house.waiting(), 0);
    drop(got);
}

#[tokio::test(start_paused = true)]
async fn places_are_given_in_the_order_of_arrival_and_nobody_overtakes() {
    let house = house(&["one"]);
    let mut held = vec![house.lease().expect("free"), house.lease().expect("free")];
    let order = Arc::new(Mutex::new(Vec::new()));
    let waiters: Vec<_> = (0..20)
        .map(|number| {
            let (leases, order) = (Arc::clone(&house.leases), Arc::clone(&order));
            async move {
                let lease = leases.lease_in_turn(&LeaseRequest::default()).await.expect("a place");
                order.lock().expect("not poisoned").push(number);
                tokio::time::sleep(Duration::from_millis(100)).await;
                drop(lease);
            }
        })
        .collect();
    let newcomer = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        held.clear();
        // While anybody waits, a place that became free is spoken for.
        assert_eq!(house.lease().expect_err("others came first"), NoAccount::Busy);
    };
    tokio::join!(join_all(waiters), newcomer);
    assert_eq!(*order.lock().expect("not poisoned"), (0..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn who_cannot_use_the_free_place_does_not_block_those_behind() {
    let house = house(&["one", "two"]);
    let only = |label: &str| LeaseRequest { only: Some(house.id(label)), ..LeaseRequest::default() };
    let (one, two) = (only("one"), only("two"));
    let a: Vec<Lease> = (0..2).map(|_| house.leases.lease(&one).expect("free")).collect();
    let b: Vec<Lease> = (0..2).map(|_| house.leases.lease(&two).expect("free")).collect();
    let mut first = std::pin::pin!(house.leases.lease_in_turn(&one));
    let mut second = std::pin::pin!(house.leases.lease_in_turn(&two));
    assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
    drop(b);
    assert_eq!(second.await.expect("a place").account.label, "two");
    assert!(first.as_mut().now_or_never().is_none());
    drop(a);
    assert_eq!(first.await.expect("a place").account.label, "one");
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_ends_serves_those_who_wait() {
    let house = house(&["one", "two"]);
    let one = LeaseRequest { only: Some(house.id("one")), ..LeaseRequest::default() };
    house.leases.lease(&one).expect("free").settle(Outcome::Throttled { retry_after: Some(Duration::from_secs(20)) });
    let _busy = (house.lease().expect("free"), house.lease().expect("free"));
    let clock = Arc::clone(&house.clock);
    let request = LeaseRequest::default();
    let passing = async {
        tokio::time::sleep(Duration::from_secs(19)).await;
        clock.set(Timestamp(1_000_000).plus(Duration::from_secs(20)));
    };
    let (got, ()) = tokio::join!(house.leases.lease_in_turn(&request), passing);
    assert_eq!(got.expect("a place").account.label, "one");
}

#[tokio::test(start_paused = true)]
async fn a_raised_limit_serves_those_who_wait() {
    let house = house(&["one"]);
    let _held = (house.lease().expect("free"), house.lease().expect("free"));
    let request = LeaseRequest::default();
    let mut waiting = std::pin::pin!(house.leases.lease_in_turn(&request));
    assert!(waiting.as_mut().now_or_never().is_none());
    house.leases.follow(SelectionRules { concurrency: 3, ..SelectionRules::default() });
    waiting.await.expect("a place");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_stops_waiting_leaves_nothing_behind_at_any_point() {
    let house = house(&["one"]);
    for release_before_drop in [false, true] {
        let held = vec![house.lease().expect("free"), house.lease().expect("free")];
        let request = LeaseRequest::default();
        let mut leaving = Box::pin(house.leases.lease_in_turn(&request));
        let mut staying = Box::pin(house.leases.lease_in_turn(&request));
        assert!(leaving.as_mut().now_or_never().is_none() && staying.as_mut().now_or_never().is_none());
        assert_eq!(house.waiting(), 2);
        if release_before_drop {
            // The place is handed over already, and nobody takes it out of the letter box.
            drop(held);
            drop(leaving);
        } else {
            drop(leaving);
            drop(held);
        }
        drop(staying.await.expect("a place"));
        assert_eq!((house.waiting(), house.in_flight()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_requests_at_once_never_exceed_the_limit_and_all_are_served() {
    let labels: Vec<String> = (0..10).map(|n| format!("a{n}")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let house = house(&labels).with(SelectionRules { patience: Duration::from_secs(600), ..SelectionRules::default() });
    let now: Arc<Mutex<HashMap<AccountId, usize>>> = Arc::default();
    let served = Arc::new(AtomicUsize::new(0));
    let requests = (0..1000_u64).map(|number| {
        let (leases, now, served) = (Arc::clone(&house.leases), Arc::clone(&now), Arc::clone(&served));
        async move {
            let request = LeaseRequest::default();
            let waiting = leases.lease_in_turn(&request);
            // Every fifth client gives up after a while, wherever it is.
            let lease = if number % 5 == 0 {
                match tokio::time::timeout(Duration::from_millis(number * 3), waiting).await {
                    Ok(lease) => lease.expect("a place"),
                    Err(_) => return,
                }
            } else {
                waiting.await.expect("a place")
            };
            let id = lease.account.id.clone();
            {
                let mut now = now.lock().expect("not poisoned");
                let count = now.entry(id.clone()).or_default();
                *count += 1;
                assert!(*count <= 2, "{count} requests at once on one account");
            }
            tokio::time::sleep(Duration::from_millis(100 + number % 7)).await;
            *now.lock().expect("not poisoned").get_mut(&id).expect("counted") -= 1;
            served.fetch_add(1, Ordering::Relaxed);
            lease.settle(Outcome::Succeeded);
        }
    });
    join_all(requests).await;
    assert!(served.load(Ordering::Relaxed) >= 800, "everybody who waited was served");
    assert_eq!((house.waiting(), house.in_flight()), (0, 0));
}

#[test]
fn leases_from_many_threads_never_exceed_the_limit() {
    let house = house(&["a", "b", "c"]);
    let most = AtomicUsize::new(0);
    let now = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    if let Ok(lease) = house.lease() {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        now.fetch_sub(1, Ordering::SeqCst);
                        lease.settle(Outcome::NoVerdict);
                    }
                }
            });
        }
    });
    assert!(most.load(Ordering::SeqCst) <= 6);
    assert_eq!(house.in_flight(), 0);
}
