use super::*;

/// Ids of those that the filter means.
fn found(flows: &Flows, filter: &Value) -> Vec<String> {
    let filter: FlowFilter = serde_json::from_value(filter.clone()).expect("a filter");
    let label = |id: &str| (id == "acc-1").then(|| "Anna's Builder ID".to_owned());
    flows.chosen(&Sieve::new(&filter, &label)).iter().map(|row| row.flow.id.clone()).collect()
}

async fn some() -> (Arc<Flows>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(START));
    let flows = Arc::new(Flows::new(Arc::clone(&clock) as Arc<dyn Clock>, Announcer::new()));
    answered(&flows, "a");
    clock.advance(Duration::from_secs(60));
    failed(&flows, "b", "no_account");
    clock.advance(Duration::from_secs(60));
    {
        let flow = flows.open("c".into(), "gemini", Some("Gemini CLI".into()));
        flow.asked("Fast", Delivery::Stream, &[Notice::new("ignored", "generationConfig.seed", "not supported")]);
        flow.resolved("claude-haiku-4.5", &[]);
        flow.trail().attempt(FlowAttempt {
            operation: FlowOperation::Answer,
            reason: AttemptReason::First,
            account: "acc-1".into(),
            host: "q.us-east-1.amazonaws.com".into(),
            status: Some(429),
            code: Some("ThrottlingException".into()),
            ms: 12,
            credits: None,
        });
    }
    let change =
        MarkChange { bookmarked: Some(true), note: Some("Why so slow?".into()), tags: Some(vec!["Bug".into()]) };
    flows.mark("b", &change).await.expect("marked");
    (flows, clock)
}

#[tokio::test]
async fn every_filter_finds_what_it_says_and_all_must_fit() {
    let (flows, _clock) = some().await;
    let minute = |n: i64| START.unix_ms() + n * 60_000;
    for (filter, ids) in [
        (json!({}), vec!["c", "b", "a"]),
        (json!({"protocol": "gemini"}), vec!["c"]),
        (json!({"protocol": ""}), vec!["c", "b", "a"]),
        (json!({"model": "fast"}), vec!["c"]),
        (json!({"model": "claude-haiku-4.5"}), vec!["c"]),
        (json!({"model": "claude"}), vec![]),
        (json!({"account": "acc-1"}), vec!["c"]),
        (json!({"outcome": "complete"}), vec!["a"]),
        (json!({"outcome": "failed"}), vec!["b"]),
        (json!({"outcome": "clientLeft"}), vec!["c"]),
        (json!({"outcome": "running"}), vec![]),
        (json!({"code": "no_account"}), vec!["b"]),
        (json!({"code": "throttlingexception"}), vec!["c"]),
        (json!({"bookmarked": true}), vec!["b"]),
        (json!({"bookmarked": false}), vec!["c", "a"]),
        (json!({"tag": "bug"}), vec!["b"]),
        (json!({"since": minute(1)}), vec!["c", "b"]),
        (json!({"until": minute(1)}), vec!["a"]),
        (json!({"since": minute(1), "until": minute(2)}), vec!["b"]),
        (json!({"outcome": "failed", "protocol": "gemini"}), vec![]),
        (json!({"search": "SLOW"}), vec!["b"]),
        (json!({"search": "bug"}), vec!["b"]),
        (json!({"search": "gemini seed"}), vec!["c"]),
        (json!({"search": "gemini bug"}), vec![]),
        (json!({"search": "anna"}), vec!["c"]),
        (json!({"search": "us-east-1"}), vec!["c"]),
        (json!({"search": "claude-cli"}), vec!["a"]),
        (json!({"search": " "}), vec!["c", "b", "a"]),
    ] {
        assert_eq!(found(&flows, &filter), ids, "{filter}");
    }
}

#[tokio::test]
async fn pages_join_without_gap_or_repetition_while_requests_arrive() {
    let flows = Arc::new(Flows::new(Arc::new(ManualClock::new(START)), Announcer::new()));
    let everything = FlowFilter::default();
    let sieve = Sieve::new(&everything, &|_| None);
    for n in 1..=25 {
        answered(&flows, &format!("f{n}"));
    }
    flows.mark("f7", &MarkChange { bookmarked: Some(true), ..MarkChange::default() }).await.expect("marked");
    let (mut seen, mut before, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = flows.page(&sieve, before, 10);
        seen.extend(page.rows.iter().map(|row| row.flow.id.clone()));
        pages += 1;
        answered(&flows, &format!("new{pages}"));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!((seen, pages), (names(1, 25), 3));
    assert_eq!(flows.page(&sieve, None, 10).matched, 28);
}

#[tokio::test(start_paused = true)]
async fn statistics_count_outcomes_and_groups_and_take_percentiles_by_rank() {
    let clock = Arc::new(ManualClock::new(START));
    let flows = Arc::new(Flows::new(clock, Announcer::new()));
    for n in 1..=100_u64 {
        let flow = flows.open(format!("f{n}"), "anthropic", None);
        flow.asked("auto", Delivery::Stream, &[]);
        tokio::time::advance(Duration::from_millis(n)).await;
        flow.first_event();
        tokio::time::advance(Duration::from_millis(n)).await;
        flow.complete(&Usage { credits: Some(0.5), input_tokens: Some(10), ..Usage::default() }, &[]);
    }
    failed(&flows, "x", "no_account");
    failed(&flows, "y", "no_account");
    drop(flows.open("z".into(), "gemini", None));
    let everything = FlowFilter::default();
    let stats = serde_json::to_value(flows.stats(&Sieve::new(&everything, &|_| None))).expect("JSON");
    assert_eq!(stats["requests"], 103);
    assert_eq!(stats["outcomes"], json!({"complete": 100, "failed": 2, "clientLeft": 1}));
    assert_eq!(stats["duration"], json!({"measured": 100, "p50Ms": 100, "p90Ms": 180, "p99Ms": 198, "maxMs": 200}));
    assert_eq!(stats["firstEvent"], json!({"measured": 100, "p50Ms": 50, "p90Ms": 90, "p99Ms": 99, "maxMs": 100}));
    assert_eq!((&stats["credits"], &stats["inputTokens"]), (&json!(50.0), &json!(1000)));
    let group = |key: &str, requests: u64, failed: u64, credits: f64| json!({"key": key, "requests": requests, "failed": failed, "credits": credits});
    let protocols = [group("anthropic", 100, 0, 50.0), group("openai-chat", 2, 2, 0.0), group("gemini", 1, 0, 0.0)];
    assert_eq!(stats["protocols"], json!(protocols));
    assert_eq!(stats["codes"], json!([group("no_account", 2, 2, 0.0)]));
    let none = FlowFilter { protocol: Some("nobody".into()), ..FlowFilter::default() };
    let none = serde_json::to_value(flows.stats(&Sieve::new(&none, &|_| None))).expect("JSON");
    let nothing = json!({"measured": 0, "p50Ms": null, "p90Ms": null, "p99Ms": null, "maxMs": null});
    assert_eq!((&none["requests"], &none["duration"], &none["oldest"]), (&json!(0), &nothing, &Value::Null));
}
