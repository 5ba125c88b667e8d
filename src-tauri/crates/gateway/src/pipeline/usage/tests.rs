use super::*;
use crate::tokens::calibration::Calibration;
use std::sync::Arc;

fn meter(request: u64, window: Option<u64>) -> (Meter, Arc<Calibration>) {
    let calibration = Arc::new(Calibration::default());
    (Meter::new(request, Yardstick::new(Arc::clone(&calibration), Arc::default(), "m", window)), calibration)
}

fn percentage(percent: f64) -> Event {
    Event::Usage(Usage { context_percentage: Some(percent), ..Usage::default() })
}

fn counted(input: u64, output: u64) -> Usage {
    Usage {
        input_tokens: Some(input),
        output_tokens: Some(output),
        input_source: UsageSource::Upstream,
        output_source: UsageSource::Upstream,
        ..Usage::default()
    }
}

#[test]
fn the_upstreams_own_counts_win() {
    let (mut meter, _) = meter(1000, Some(200_000));
    meter.note(&Event::Text("hello".into()));
    meter.note(&percentage(50.0));
    meter.note(&Event::Usage(counted(7, 3)));
    let total = meter.total();
    assert_eq!((total.input_tokens, total.output_tokens), (Some(7), Some(3)));
    assert_eq!((total.input_source, total.output_source), (UsageSource::Upstream, UsageSource::Upstream));
}

#[test]
fn the_context_fill_gives_the_input_when_nothing_better_is_known() {
    let (mut meter, _) = meter(1000, Some(200_000));
    meter.note(&Event::Text("x".repeat(400)));
    meter.note(&percentage(10.0));
    let total = meter.total();
    assert_eq!((total.input_tokens, total.output_tokens), (Some(19_900), Some(100)));
    assert_eq!(total.input_source, UsageSource::ContextPercentage);
    assert_eq!(total.cache_read_tokens, None, "a cache figure is never made up");
}

#[test]
fn without_any_figure_both_counts_are_estimated() {
    let (mut meter, _) = meter(1000, None);
    for _ in 0..10 {
        meter.note(&Event::Text("a".into()));
    }
    meter.note(&Event::Text("你好".into()));
    let total = meter.total();
    assert_eq!((total.input_tokens, total.output_tokens), (Some(1000), Some(5)));
    assert_eq!((total.input_source, total.output_source), (UsageSource::Estimate, UsageSource::Estimate));
}

#[test]
fn an_answer_with_counts_teaches_what_the_next_estimate_means() {
    let (mut meter, calibration) = meter(10_000, None);
    let usage = Usage { cache_read_tokens: Some(12_000), cache_write_tokens: Some(2_000), ..counted(1_000, 50) };
    for _ in 0..8 {
        meter.note(&Event::Usage(usage));
        meter.learn();
    }
    let estimate = calibration.of_rough("m", 10_000);
    assert!((14_500..=15_000).contains(&estimate), "{estimate}");
}

#[test]
fn an_answer_with_counts_and_fill_teaches_the_window() {
    let (mut meter, calibration) = meter(10_000, Some(200_000));
    meter.note(&Event::Usage(counted(99_000, 1_000)));
    meter.note(&percentage(10.0));
    meter.learn();
    assert_eq!(calibration.window("m", Some(200_000)), Some(1_000_000));
}

#[tokio::test]
async fn the_output_is_counted_by_the_tokenizer_once_it_is_loaded() {
    let calibration = Arc::new(Calibration::default());
    let tokenizer: Arc<crate::tokens::tokenizer::Tokenizer> = Arc::default();
    let mut meter = Meter::new(10, Yardstick::new(calibration, Arc::clone(&tokenizer), "m", None));
    let text = "The quick brown fox jumps over the lazy dog. ";
    for _ in 0..1000 {
        meter.note(&Event::Text(text.into()));
    }
    tokenizer.load();
    let total = meter.total();
    assert_eq!(total.output_source, UsageSource::Tokenizer);
    let tokens = total.output_tokens.expect("counted");
    assert!((9_000..=11_000).contains(&tokens), "{tokens}: the part that was not kept counts like the part that was");
}
