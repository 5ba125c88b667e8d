use super::*;
use crate::account::test_account;
use crate::clock::ManualClock;
use tokio::sync::broadcast::Receiver;

struct House {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl House {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix_seconds(1_765_000_000)));
        Self { folder: tempfile::tempdir().expect("a folder"), clock }
    }

    /// A run of the program; dropping what it answers ends it.
    fn open(&self) -> (Arc<Notifier>, Receiver<AdminEvent>) {
        let dir = Arc::new(DataDir::open(Some(self.folder.path().join("data"))).expect("opens"));
        let announcer = Announcer::new();
        let events = announcer.subscribe();
        (Arc::new(Notifier::open(dir, Arc::clone(&self.clock) as Arc<dyn Clock>, announcer)), events)
    }
}

fn told(events: &mut Receiver<AdminEvent>) -> Vec<(NotificationKind, Option<u8>)> {
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let AdminEvent::Notification { kind, percent, .. } = event {
            told.push((kind, percent));
        }
    }
    told
}

#[tokio::test(start_paused = true)]
async fn an_occasion_is_told_once_also_over_a_restart_and_again_once_it_was_over() {
    let house = House::new();
    let account = test_account("a");
    let (notifier, mut events) = house.open();
    tokio::time::advance(GRACE).await;
    notifier.tell(NotificationKind::NeedsLogin, Some(&account), "refused");
    notifier.tell(NotificationKind::NeedsLogin, Some(&account), "refused again");
    assert_eq!(told(&mut events), [(NotificationKind::NeedsLogin, None)]);
    drop(notifier);

    let (notifier, mut events) = house.open();
    tokio::time::advance(GRACE).await;
    notifier.tell(NotificationKind::NeedsLogin, Some(&account), "still");
    assert_eq!(told(&mut events), []);
    notifier.over(NotificationKind::NeedsLogin, Some(&account.id));
    notifier.tell(NotificationKind::NeedsLogin, Some(&account), "again");
    assert_eq!(told(&mut events), [(NotificationKind::NeedsLogin, None)]);
}

#[tokio::test(start_paused = true)]
async fn a_threshold_is_told_once_for_each_account_and_period() {
    let house = House::new();
    let (one, other) = (test_account("one"), test_account("other"));
    let (notifier, mut events) = house.open();
    tokio::time::advance(GRACE).await;
    for percent in [80, 81, 90] {
        notifier.tell_quota(NotificationKind::QuotaWarning, &one, percent, "december");
    }
    notifier.tell_quota(NotificationKind::QuotaWarning, &other, 85, "december");
    notifier.tell_quota(NotificationKind::QuotaWarning, &one, 82, "january");
    notifier.skip_quota(NotificationKind::QuotaWarning, &other, "january");
    notifier.tell_quota(NotificationKind::QuotaWarning, &other, 99, "january");
    let percents: Vec<Option<u8>> = told(&mut events).into_iter().map(|(_, percent)| percent).collect();
    assert_eq!(percents, [Some(80), Some(85), Some(82)]);
}

#[tokio::test(start_paused = true)]
async fn news_of_the_first_seconds_waits_and_is_dropped_when_it_is_over_by_then() {
    let house = House::new();
    let (gone, stays) = (test_account("gone"), test_account("stays"));
    let (notifier, mut events) = house.open();
    let running = Arc::clone(&notifier).run(CancellationToken::new());
    notifier.tell(NotificationKind::NeedsLogin, Some(&gone), "for a moment");
    notifier.tell(NotificationKind::Suspended, Some(&stays), "for good");
    notifier.tell(NotificationKind::Suspended, Some(&stays), "for good");
    assert_eq!(told(&mut events), []);
    notifier.over(NotificationKind::NeedsLogin, Some(&gone.id));
    running.await;
    assert_eq!(told(&mut events), [(NotificationKind::Suspended, None)]);
}
