use super::*;

fn note(text: &str) -> MarkChange {
    MarkChange { note: Some(text.to_owned()), ..MarkChange::default() }
}

fn tags(tags: &[&str]) -> MarkChange {
    MarkChange { tags: Some(tags.iter().map(|tag| (*tag).to_owned()).collect()), ..MarkChange::default() }
}

#[tokio::test]
async fn a_marked_request_outlives_the_others_and_restarts() {
    let mut house = House::new();
    house.settings.max_entries = 10;
    let open = house.open();
    answered(&open.flows, "f1");
    let marked = open.flows.mark("f1", &note(" look at this\n ")).await.expect("marked");
    assert_eq!(marked.marks.note.as_deref(), Some("look at this"));
    for n in 2..=100 {
        answered(&open.flows, &format!("f{n}"));
    }
    let mut expected = names(91, 100);
    expected.push("f1".to_owned());
    assert_eq!(open.ids(), expected);
    open.end().await;
    let open = house.open();
    assert_eq!(open.ids(), expected);
    assert_eq!(open.flows.find("f1").expect("kept").marks, marked.marks);
    open.end().await;
}

#[tokio::test]
async fn a_request_whose_marks_are_gone_is_an_ordinary_one_again() {
    let mut house = House::new();
    house.settings.max_entries = 10;
    let open = house.open();
    for n in 1..=5 {
        answered(&open.flows, &format!("f{n}"));
    }
    open.flows.mark("f3", &tags(&["slow"])).await.expect("marked");
    assert_eq!(open.ids(), names(1, 5), "marks move nothing in the list");
    open.flows.mark("f3", &tags(&[])).await.expect("unmarked");
    assert_eq!(open.ids(), names(1, 5));
    open.end().await;
    let open = house.open();
    assert_eq!(open.ids(), names(1, 5));
    for n in 6..=20 {
        answered(&open.flows, &format!("f{n}"));
    }
    assert_eq!(open.ids(), names(11, 20));
    open.end().await;
}

#[tokio::test]
async fn what_is_left_out_of_a_change_stays() {
    let flows = Arc::new(Flows::new(Arc::new(ManualClock::new(START)), Announcer::new()));
    answered(&flows, "f1");
    flows.mark("f1", &MarkChange { bookmarked: Some(true), ..note("n") }).await.expect("marked");
    let marks = flows.mark("f1", &tags(&[" a ", "", "A", "b"])).await.expect("marked").marks;
    let expected = FlowMarks { bookmarked: true, note: Some("n".into()), tags: vec!["a".into(), "b".into()] };
    assert_eq!(*marks, expected);
    let marks = flows.mark("f1", &note("")).await.expect("marked").marks;
    assert_eq!(*marks, FlowMarks { note: None, ..expected });
}

#[tokio::test]
async fn marks_are_bounded_and_a_refused_change_changes_nothing() {
    let flows = Arc::new(Flows::new(Arc::new(ManualClock::new(START)), Announcer::new()));
    for n in 0..=marks::MOST_MARKED {
        answered(&flows, &format!("f{n}"));
    }
    let long = "字".repeat(marks::MOST_NOTE);
    assert!(flows.mark("f0", &note(&long)).await.is_ok());
    let many: Vec<String> = (0..=marks::MOST_TAGS).map(|n| n.to_string()).collect();
    let many = MarkChange { tags: Some(many), ..MarkChange::default() };
    for (wrong, field) in [
        (note(&(long + "x")), "note"),
        (many, "tags"),
        (tags(&[&"x".repeat(marks::MOST_TAG + 1)]), "tags"),
        (tags(&["two\nlines"]), "tags"),
    ] {
        let refused = flows.mark("f1", &MarkChange { bookmarked: Some(true), ..wrong }).await.expect_err("refused");
        assert!(matches!(&refused, MarkError::Invalid { field: named, .. } if *named == field), "{refused:?}");
    }
    assert!(!flows.find("f1").expect("kept").marks.bookmarked);
    assert_eq!(flows.mark("nobody", &note("x")).await.expect_err("unknown"), MarkError::Unknown);
    let running = flows.open("running".into(), "anthropic", None);
    assert_eq!(flows.mark("running", &note("x")).await.expect_err("too early"), MarkError::Running);
    drop(running);
    for n in 1..marks::MOST_MARKED {
        flows.mark(&format!("f{n}"), &tags(&["t"])).await.expect("room");
    }
    let last = format!("f{}", marks::MOST_MARKED);
    assert_eq!(flows.mark(&last, &note("x")).await.expect_err("full"), MarkError::Full);
    flows.mark("f1", &note("also")).await.expect("one that is marked already can be changed");
}

#[tokio::test]
async fn a_damaged_file_of_marks_is_put_aside_and_the_state_before_counts() {
    let house = House::new();
    let open = house.open();
    answered(&open.flows, "f1");
    open.flows.mark("f1", &note("first")).await.expect("marked");
    open.flows.mark("f1", &note("second")).await.expect("marked");
    open.end().await;
    let file = house.files().join("marked.json");
    let whole = std::fs::read(&file).expect("read");
    std::fs::write(&file, &whole[..whole.len() / 2]).expect("damaged");
    let open = house.open();
    assert_eq!(open.flows.find("f1").expect("kept").marks.note.as_deref(), Some("first"));
    assert!(house.files().join("marked.json.damaged").exists());
    open.end().await;
}
