use super::*;

#[tokio::test]
async fn what_was_kept_is_there_after_a_restart_in_its_order() {
    let house = House::new();
    let open = house.open();
    for n in 1..=30 {
        answered(&open.flows, &format!("f{n}"));
    }
    let before = open.flows.newest(50);
    open.end().await;
    let open = house.open();
    assert_eq!(open.flows.newest(50), before);
    answered(&open.flows, "f31");
    open.end().await;
    assert_eq!(house.found().await, names(1, 31));
    assert_eq!(house.segments().len(), 1, "the newest file is continued");
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_their_owner_only_and_a_link_in_their_place_is_not_followed() {
    use std::os::unix::fs::PermissionsExt as _;
    let house = House::new();
    let open = house.open();
    answered(&open.flows, "f1");
    open.flows.mark("f1", &MarkChange { bookmarked: Some(true), ..MarkChange::default() }).await.expect("marked");
    open.end().await;
    let mode = |path: &std::path::Path| path.metadata().expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&house.files()), 0o700);
    assert_eq!(mode(&house.segments()[0]), 0o600);
    assert_eq!(mode(&house.files().join("marked.json")), 0o600);

    let victim = house.folder.path().join("victim");
    std::fs::rename(&house.segments()[0], &victim).expect("moved");
    let lines = std::fs::read(&victim).expect("read");
    std::os::unix::fs::symlink(&victim, house.files().join("0000000001.jsonl")).expect("a link");
    let open = house.open();
    answered(&open.flows, "f2");
    open.end().await;
    assert_eq!(std::fs::read(&victim).expect("read"), lines, "nothing was written through the link");
    assert_eq!(house.found().await, ["f2", "f1"], "the marked one has its own file, the new one another");
}

#[tokio::test]
async fn a_line_cut_at_any_byte_costs_that_line_and_no_other() {
    let house = House::new();
    let open = house.open();
    for n in 1..=3 {
        answered(&open.flows, &format!("f{n}"));
    }
    open.end().await;
    let path = house.segments().remove(0);
    let whole = std::fs::read(&path).expect("read");
    let second = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).expect("three lines").0 + 1;
    for cut in (second..whole.len()).step_by(7).chain([second, whole.len() - 1]) {
        std::fs::write(&path, &whole[..cut]).expect("cut");
        let open = house.open();
        let complete = cut == whole.len() - 1;
        assert_eq!(open.ids(), if complete { names(1, 3) } else { names(1, 2) }, "cut at {cut}");
        answered(&open.flows, "new");
        open.end().await;
        let ids = house.found().await;
        assert_eq!(ids[0], "new", "a new line never joins a cut one");
        assert_eq!(ids[1..], if complete { names(1, 3) } else { names(1, 2) }, "cut at {cut}");
    }
}

#[tokio::test]
async fn what_is_no_line_of_ours_is_passed_over() {
    let house = House::new();
    let open = house.open();
    answered(&open.flows, "f1");
    answered(&open.flows, "f2");
    open.end().await;
    let path = house.segments().remove(0);
    let text = String::from_utf8(std::fs::read(&path).expect("read")).expect("text");
    let (first, second) = text.split_once('\n').expect("two lines");
    let mixed = format!("{first}\n\u{0}\u{0}garbage\n{{\"seq\":9}}\n[]\n{second}");
    std::fs::write(&path, mixed).expect("damaged");
    std::fs::write(house.files().join("notes.txt"), "a stranger's").expect("planted");
    std::fs::write(house.files().join("x.jsonl"), "a stranger's").expect("planted");
    assert_eq!(house.found().await, names(1, 2));
    assert!(house.files().join("notes.txt").exists() && house.files().join("x.jsonl").exists());
}

#[tokio::test]
async fn number_and_bytes_are_bounded_in_memory_and_on_disk() {
    let mut house = House::new();
    house.settings.max_entries = 40;
    let open = house.open();
    for n in 1..=1000 {
        answered(&open.flows, &format!("f{n}"));
        if n % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(open.ids(), names(961, 1000));
    open.end().await;
    let lines: usize = house.segments().iter().map(|path| std::fs::read_to_string(path).unwrap().lines().count()).sum();
    assert!((40..=45).contains(&lines), "{lines}");
    assert_eq!(house.found().await, names(961, 1000));

    house.settings = FlowSettings { max_entries: 20_000, max_mebibytes: 1, ..FlowSettings::default() };
    let open = house.open();
    let mut most = 0;
    for n in 1001..=6000 {
        answered(&open.flows, &format!("f{n}"));
        if n % 500 == 0 {
            open.idle().await;
            most = most.max(house.bytes());
        }
    }
    assert!(open.ids().len() > 1000 && open.ids().len() < 4000, "{}", open.ids().len());
    open.end().await;
    assert!(most.max(house.bytes()) <= 1024 * 1024, "{most}");
    assert!(house.bytes() > 700 * 1024, "room is used: {}", house.bytes());
}

#[tokio::test]
async fn what_is_too_old_goes_from_memory_and_disk() {
    let mut house = House::new();
    house.settings.max_days = 2;
    let open = house.open();
    answered(&open.flows, "f1");
    house.clock.advance(Duration::from_secs(3 * 24 * 3600));
    answered(&open.flows, "f2");
    assert_eq!(open.ids(), ["f2"]);
    open.end().await;
    house.clock.advance(Duration::from_secs(3 * 24 * 3600));
    assert!(house.found().await.is_empty());
    assert!(house.segments().is_empty());
}

#[tokio::test]
async fn memory_means_no_file_and_off_means_nothing_but_what_is_marked() {
    let mut house = House::new();
    let open = house.open();
    answered(&open.flows, "f1");
    answered(&open.flows, "f2");
    open.flows.mark("f1", &MarkChange { note: Some("mine".into()), ..MarkChange::default() }).await.expect("marked");

    let memory = FlowSettings { store: FlowStore::Memory, ..FlowSettings::default() };
    open.flows.follow(&memory).await;
    answered(&open.flows, "f3");
    assert_eq!(open.ids(), names(1, 3));
    open.flows.follow(&FlowSettings::default()).await;
    answered(&open.flows, "f4");
    open.end().await;
    house.settings = FlowSettings::default();
    let open = house.open();
    assert_eq!(open.ids(), names(1, 4), "what was in memory is written once files are wanted again");

    open.flows.follow(&memory).await;
    open.end().await;
    assert!(house.segments().is_empty());
    house.settings = memory;
    let open = house.open();
    assert_eq!(open.ids(), ["f1"], "marked ones are always kept on disk");

    answered(&open.flows, "f5");
    open.flows.follow(&FlowSettings { store: FlowStore::Off, ..FlowSettings::default() }).await;
    answered(&open.flows, "f6");
    assert_eq!(open.ids(), ["f1"]);
    assert_eq!(open.flows.totals().complete, 2, "totals are counts, not records");
    open.end().await;
}

#[tokio::test]
async fn deleting_all_leaves_nothing_in_memory_or_on_disk() {
    let house = House::new();
    let open = house.open();
    for n in 1..=5 {
        answered(&open.flows, &format!("f{n}"));
    }
    open.flows.mark("f2", &MarkChange { note: Some("a private word".into()), ..MarkChange::default() }).await.unwrap();
    assert_eq!(open.flows.clear(false).await, Ok(4));
    assert_eq!(open.ids(), ["f2"]);
    assert!(house.segments().is_empty());
    assert_eq!(open.flows.clear(true).await, Ok(1));
    assert!(open.ids().is_empty());
    for entry in std::fs::read_dir(house.files()).expect("a folder") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("text");
        assert!(!text.contains("f2") && !text.contains("private"), "{text}");
    }
    answered(&open.flows, "f6");
    open.end().await;
    assert_eq!(house.found().await, ["f6"]);
}

#[tokio::test]
async fn a_disk_that_fails_costs_the_keeping_and_is_counted() {
    let house = House::new();
    let open = house.open();
    std::fs::remove_dir_all(house.files()).expect("removed");
    std::fs::write(house.files(), "in the way").expect("planted");
    answered(&open.flows, "f1");
    let refused = open.flows.mark("f1", &MarkChange { bookmarked: Some(true), ..MarkChange::default() }).await;
    assert!(matches!(refused, Err(MarkError::Storage(_))), "{refused:?}");
    assert!(!open.flows.find("f1").expect("kept").marks.bookmarked, "what is not saved is not shown");
    let flows = Arc::clone(&open.flows);
    open.end().await;
    assert_eq!(flows.unsaved(), 1);
    assert_eq!(flows.newest(1)[0].id, "f1");
}

#[tokio::test]
async fn a_writer_that_does_not_keep_up_holds_nobody_and_is_counted() {
    let house = House::new();
    let dir = Arc::new(DataDir::open(Some(house.folder.path().join("data"))).expect("opens"));
    let clock = Arc::clone(&house.clock) as Arc<dyn Clock>;
    let flows = Arc::new(Flows::load(Some(dir), clock, Announcer::new(), &house.settings));
    for n in 0..writer::QUEUE + 10 {
        answered(&flows, &format!("f{n}"));
    }
    assert_eq!(flows.unsaved(), 10);
}
