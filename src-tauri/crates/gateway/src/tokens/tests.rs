use super::*;
use kiro_protocol::conversation::{Block, Conversation, Message, Role};
use kiro_protocol::kiro::request::{BuildContext, build};

fn request(text: &str) -> Built {
    let content = vec![Block::Text { text: text.to_owned(), cache: false }];
    let messages = vec![Message { role: Role::User, content }];
    build(&Conversation { messages, ..Conversation::default() }, &BuildContext::default())
}

#[test]
fn counts_follow_what_answers_taught() {
    let calibration = Arc::new(Calibration::default());
    let yardstick = Yardstick::new(Arc::clone(&calibration), Arc::default(), "m", None);
    let built = request(&"fn main() { println!(\"hello\"); }\n".repeat(2000));
    let before = yardstick.count(&built);
    let truth = before * 3 / 2;
    for _ in 0..20 {
        yardstick.learn(built.estimate_tokens(), truth);
        yardstick.count(&built);
    }
    let after = yardstick.count(&built);
    assert!(after.abs_diff(truth) * 20 < truth, "{before} before, {after} after, {truth} is true");
}

/// The only recorded answer with both figures: its counts and its percentage agree on a window of 200,000.
#[test]
fn the_samples_percentage_and_counts_agree() {
    let samples = include_str!("../../../../../tests/fixtures/upstream/stream-scenarios.json");
    let samples: serde_json::Value = serde_json::from_str(samples).expect("JSON");
    let mut compared = 0;
    for message in
        samples["scenarios"].as_array().expect("a list").iter().flat_map(|s| s["messages"].as_array()).flatten()
    {
        let usage = &message["payload"]["tokenUsage"];
        let (Some(total), Some(percent)) = (usage["totalTokens"].as_f64(), usage["contextUsagePercentage"].as_f64())
        else {
            continue;
        };
        let derived = percent / 100.0 * 200_000.0;
        let error = (derived - total).abs() / total;
        println!("{total} tokens counted, {derived} by percentage: {:.2} % off", error * 100.0);
        assert!(error < 0.01);
        compared += 1;
    }
    assert!(compared > 0, "no sample has both");
}
