use super::*;
use crate::clock::ManualClock;
use proptest::prelude::*;

struct House {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    zone: TimeZone,
}

impl House {
    fn new(zone: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let zone = TimeZone::get(zone).expect("a known zone");
        Self { folder, clock: Arc::new(ManualClock::new(Timestamp(0))), zone }
    }

    fn open(&self) -> Ledger {
        let dir = Arc::new(DataDir::open(Some(self.folder.path().join("data"))).expect("opens"));
        Ledger::open(dir, Arc::clone(&self.clock) as Arc<dyn Clock>, Some(self.zone.clone()))
    }

    fn at(&self, text: &str) {
        self.clock.set(Timestamp::parse_rfc3339(text).expect("a moment"));
    }
}

fn account(name: &str) -> AccountId {
    AccountId::from_text(name)
}

fn credits(credits: f64) -> Sums {
    Sums { requests: 1, credits, input_tokens: 10, output_tokens: 1 }
}

fn total(rows: &[(String, Sums)]) -> f64 {
    rows.iter().map(|(_, sums)| sums.credits).sum()
}

#[test]
fn every_half_hour_around_every_switch_belongs_to_one_day_and_none_is_lost() {
    // Half an hour of switch, none at all, a quarter of an hour off UTC, switches at midnight, and a day that never was.
    for (zone, from, days) in [
        ("Australia/Lord_Howe", "2026-04-01T00:00:00Z", 10),
        ("Australia/Lord_Howe", "2026-09-30T00:00:00Z", 10),
        ("Asia/Kathmandu", "2026-03-25T00:00:00Z", 10),
        ("America/Sao_Paulo", "2018-11-01T00:00:00Z", 10),
        ("America/Sao_Paulo", "2019-02-13T00:00:00Z", 10),
        ("Pacific/Apia", "2011-12-26T00:00:00Z", 10),
        ("Europe/Berlin", "2026-10-22T00:00:00Z", 10),
        ("UTC", "2028-02-25T00:00:00Z", 10),
    ] {
        let house = House::new(zone);
        let ledger = house.open();
        house.at(from);
        let steps = days * 48;
        for _ in 0..steps {
            ledger.add(&account("a"), "m", "k", &credits(1.0));
            house.clock.advance(Duration::from_secs(1800));
        }
        let rows = ledger.rows(UsageBy::Day, 40);
        assert_eq!(total(&rows), f64::from(steps), "{zone}");
        let dates: Vec<Date> = rows.iter().map(|(day, _)| day.parse().expect("a day")).collect();
        for pair in dates.windows(2) {
            let step = pair[0].until(pair[1]).expect("close").get_days();
            let skipped = zone == "Pacific/Apia" && pair[0].to_string() == "2011-12-29";
            assert_eq!(step, if skipped { 2 } else { 1 }, "{zone}: {pair:?}");
        }
        // Whole days have as many half hours as the zone says: 23 to 25 hours.
        for (day, sums) in &rows[1..rows.len() - 1] {
            let date: Date = day.parse().expect("a day");
            let begin = house.zone.to_timestamp(date.at(0, 0, 0, 0)).expect("a day");
            let next = date.tomorrow().expect("a day").at(0, 0, 0, 0);
            let next = house.zone.to_timestamp(next).expect("a day");
            let minutes = (next.as_second() - begin.as_second()) / 60;
            assert!((sums.credits - minutes as f64 / 30.0).abs() <= 1.0, "{zone} {day}: {} of {minutes}", sums.credits);
        }
    }
}

#[test]
fn what_was_saved_survives_a_kill_and_what_was_not_is_all_that_is_lost() {
    let house = House::new("Europe/Berlin");
    house.at("2026-11-27T12:00:00Z");
    let ledger = house.open();
    ledger.add(&account("a"), "opus", "one", &credits(1.5));
    ledger.save().expect("saved");
    ledger.add(&account("a"), "opus", "one", &credits(2.0));
    // A kill: nothing is saved on the way out.
    drop(ledger);
    let ledger = house.open();
    assert_eq!(total(&ledger.rows(UsageBy::Account, 1)), 1.5);
    assert_eq!(ledger.credits_today(&account("a")), 1.5);
    ledger.add(&account("a"), "opus", "one", &credits(0.25));
    assert_eq!(ledger.credits_today(&account("a")), 1.75);
    ledger.save().expect("saved");
    drop(ledger);

    // A file that was torn or spoiled: the one before it counts.
    let file = house.folder.path().join("data/usage/2026-11.json");
    crate::data_dir::write_synced(&file, b"{\"schema\":1,\"cel").expect("spoiled");
    assert_eq!(total(&house.open().rows(UsageBy::Account, 1)), 1.5);
    let previous = house.folder.path().join("data/usage/2026-11.json.prev");
    crate::data_dir::write_synced(&previous, b"").expect("spoiled");
    let ledger = house.open();
    assert_eq!(ledger.rows(UsageBy::Account, 1), []);
    assert!(house.folder.path().join("data/usage/2026-11.json.damaged").exists(), "nothing is thrown away");
}

#[test]
fn rows_are_of_the_days_asked_for_and_sorted_by_what_they_cost() {
    let house = House::new("UTC");
    let ledger = house.open();
    for (day, who, model, key, cost) in [
        ("2026-10-29T10:00:00Z", "old", "opus", "one", 9.0),
        ("2026-11-26T10:00:00Z", "a", "haiku", "one", 1.0),
        ("2026-11-27T10:00:00Z", "b", "opus", "two", 3.0),
        ("2026-11-27T11:00:00Z", "a", "opus", "one", 1.0),
    ] {
        house.at(day);
        ledger.add(&account(who), model, key, &credits(cost));
    }
    let names = |by, days| -> Vec<(String, f64)> {
        ledger.rows(by, days).into_iter().map(|(name, sums)| (name, sums.credits)).collect()
    };
    let named = |rows: &[(&str, f64)]| rows.iter().map(|(name, cost)| ((*name).to_owned(), *cost)).collect::<Vec<_>>();
    assert_eq!(names(UsageBy::Account, 2), named(&[("b", 3.0), ("a", 2.0)]));
    assert_eq!(names(UsageBy::Account, 30), named(&[("old", 9.0), ("b", 3.0), ("a", 2.0)]));
    assert_eq!(names(UsageBy::Account, 29), named(&[("b", 3.0), ("a", 2.0)]));
    assert_eq!(names(UsageBy::Model, 2), named(&[("opus", 4.0), ("haiku", 1.0)]));
    assert_eq!(names(UsageBy::Key, 1), named(&[("two", 3.0), ("one", 1.0)]));
    assert_eq!(names(UsageBy::Day, 2), named(&[("2026-11-26", 1.0), ("2026-11-27", 4.0)]));
}

#[test]
fn old_months_are_removed_and_too_many_cells_are_counted_without_their_names() {
    let house = House::new("UTC");
    let ledger = house.open();
    for month in 0..30 {
        house.at(&format!("{}-{:02}-15T00:00:00Z", 2024 + month / 12, month % 12 + 1));
        ledger.add(&account("a"), "m", "k", &credits(1.0));
    }
    for n in 0..60_000 {
        ledger.add(&account("a"), &format!("model-{n}"), "k", &credits(1.0));
    }
    ledger.save().expect("saved");
    drop(ledger);
    let ledger = house.open();
    assert_eq!(total(&ledger.rows(UsageBy::Account, 10_000)), 60_025.0);
    assert!(ledger.rows(UsageBy::Model, 10_000).len() <= 40_002);
}

proptest! {
    // Every restart syncs files.
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn sums_are_the_same_whatever_they_are_grouped_by_and_however_often_saved(
        entries in prop::collection::vec((0..5_u8, 0..4_u8, 0..3_u8, 0..200_i64, 0.0..50.0_f64, any::<bool>()), 1..24)
    ) {
        let house = House::new("America/New_York");
        let mut ledger = house.open();
        let mut all = 0.0;
        let start = Timestamp::parse_rfc3339("2026-06-01T00:00:00Z").expect("a moment");
        for (who, model, key, hours, cost, restart) in entries {
            house.clock.set(start.plus(Duration::from_secs(hours.unsigned_abs() * 3600)));
            ledger.add(&account(&who.to_string()), &model.to_string(), &key.to_string(), &credits(cost));
            all += cost;
            if restart {
                ledger.save().expect("saved");
                drop(ledger);
                ledger = house.open();
            }
        }
        house.clock.set(start.plus(Duration::from_secs(200 * 3600)));
        for by in [UsageBy::Account, UsageBy::Model, UsageBy::Key, UsageBy::Day] {
            prop_assert!((total(&ledger.rows(by, 30)) - all).abs() < 1e-6);
        }
    }
}
