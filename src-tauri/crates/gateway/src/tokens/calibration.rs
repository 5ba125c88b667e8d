//! How far local counts are off, per model, learned from answers and kept over restarts.
//!
//! Kept: of one model, sums that forget slowly. A count is multiplied by what was really counted per token counted here;
//! the beginning is a guess that a few thousand tokens outweigh. Factors are bounded, so that a wrong figure from outside
//! does little harm. What a percentage is of is learned the same way, because catalogues and services disagree about windows.

use crate::data_dir::DataDir;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

const FILE: &str = "tokens.json";
/// Models that are remembered; the one longest not learned of is forgotten.
const MODELS: usize = 64;
/// Weight of the first guess, in tokens.
const GUESS: f64 = 4_000.0;
/// What remains of the sums after each answer.
const MEMORY: f64 = 0.9;
/// Shorter requests teach nothing: what the service adds outweighs them.
const SHORTEST: u64 = 500;
/// A lower fill is too coarse to tell the window.
const COARSE: f64 = 1.0;
const LEAST: f64 = 0.5;
const MOST: f64 = 2.5;
/// How far a learned window may be from the one in the catalogue.
const WINDOW: f64 = 8.0;

/// Sums of counts that belong together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Ratio {
    here: f64,
    there: f64,
}

impl Ratio {
    fn learn(&mut self, here: f64, there: f64) {
        self.here = self.here * MEMORY + here;
        self.there = self.there * MEMORY + there;
    }

    fn factor(&self, guess: f64) -> f64 {
        ((GUESS * guess + self.there) / (GUESS + self.here)).clamp(LEAST, MOST)
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Model {
    /// Rough counts of requests, and their true sizes.
    rough: Ratio,
    /// The tokenizer's counts of texts, and rough counts of the same texts.
    tokenizer: Ratio,
    /// Percent of a window, and tokens.
    window: Ratio,
    /// Goes up with every lesson of any model.
    learned: u64,
}

/// What is known of all models.
#[derive(Debug, Default)]
pub(crate) struct Calibration {
    models: Mutex<BTreeMap<String, Model>>,
}

impl Calibration {
    /// What was learned before; nothing when that cannot be read, since it is learned again soon.
    pub(crate) fn open(dir: &DataDir) -> Self {
        let read = dir.read(FILE).ok().flatten();
        let models = read.and_then(|bytes| serde_json::from_slice::<BTreeMap<String, Model>>(&bytes).ok());
        Self { models: Mutex::new(models.filter(|models| models.len() <= MODELS).unwrap_or_default()) }
    }

    /// Keeps what was learned. Blocks for a disk sync.
    pub(crate) fn save(&self, dir: &DataDir) -> std::io::Result<()> {
        let bytes = {
            let models = self.models();
            if models.is_empty() {
                return Ok(());
            }
            serde_json::to_vec(&*models)?
        };
        dir.replace(FILE, &bytes)
    }

    pub(crate) fn of_rough(&self, model: &str, rough: u64) -> u64 {
        scaled(rough, self.get(model).rough.factor(1.0))
    }

    pub(crate) fn of_tokenizer(&self, model: &str, counted: u64) -> u64 {
        let Model { rough, tokenizer, .. } = self.get(model);
        let guess = guess(model);
        if tokenizer.here == 0.0 || rough.here == 0.0 {
            return scaled(counted, guess);
        }
        // What is true of rough counts is true of the tokenizer's by way of the texts that both have counted.
        let factor = rough.there / rough.here * tokenizer.there / tokenizer.here;
        scaled(counted, ((GUESS * guess + rough.here * factor) / (GUESS + rough.here)).clamp(LEAST, MOST))
    }

    /// The same text was counted in both ways.
    pub(crate) fn compare(&self, model: &str, rough: u64, counted: u64) {
        if rough >= SHORTEST && counted > 0 {
            self.change(model, |known| known.tokenizer.learn(counted as f64, rough as f64));
        }
    }

    /// The window that percentages are of: learned, else the catalogue's.
    pub(crate) fn window(&self, model: &str, listed: Option<u64>) -> Option<u64> {
        let Ratio { here, there } = self.get(model).window;
        if here < COARSE {
            return listed;
        }
        let learned = there / here * 100.0;
        let learned = match listed {
            Some(listed) => learned.clamp(listed as f64 / WINDOW, listed as f64 * WINDOW),
            None => learned,
        };
        Some(learned.round() as u64)
    }

    /// A request that was counted `rough`ly really had `input` tokens.
    pub(crate) fn learn(&self, model: &str, rough: u64, input: u64) {
        if rough >= SHORTEST && input > 0 {
            self.change(model, |known| known.rough.learn(rough as f64, input as f64));
        }
    }

    /// `tokens` filled `percentage` of the window.
    pub(crate) fn learn_window(&self, model: &str, tokens: u64, percentage: f64) {
        if percentage.is_finite() && (COARSE..=200.0).contains(&percentage) && tokens > 0 {
            self.change(model, |known| known.window.learn(percentage, tokens as f64));
        }
    }

    fn get(&self, model: &str) -> Model {
        self.models().get(model).copied().unwrap_or_default()
    }

    fn change(&self, model: &str, lesson: impl FnOnce(&mut Model)) {
        let mut models = self.models();
        let now = models.values().map(|known| known.learned).max().unwrap_or(0) + 1;
        if !models.contains_key(model)
            && models.len() >= MODELS
            && let Some(oldest) = models.iter().min_by_key(|(_, known)| known.learned).map(|(name, _)| name.clone())
        {
            models.remove(&oldest);
        }
        let known = models.entry(model.to_owned()).or_default();
        lesson(known);
        known.learned = now;
    }

    fn models(&self) -> MutexGuard<'_, BTreeMap<String, Model>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many tokens a model makes of one of the tokenizer's, before anything was learned: Claude cuts text finer.
fn guess(model: &str) -> f64 {
    if model.starts_with("claude") || model == "auto" { 1.15 } else { 1.0 }
}

/// A tokenizer's count as the model would count, before anything was learned.
pub(super) fn guessed(model: &str, counted: u64) -> u64 {
    scaled(counted, guess(model))
}

fn scaled(count: u64, factor: f64) -> u64 {
    (count as f64 * factor).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_answers_teach_how_far_off_the_estimate_is() {
        let calibration = Calibration::default();
        assert_eq!(calibration.of_rough("m", 1000), 1000);
        for _ in 0..5 {
            calibration.compare("m", 40_000, 36_000);
            calibration.learn("m", 40_000, 50_000);
        }
        let near = |value: u64, target: u64| value.abs_diff(target) * 50 < target;
        assert!(near(calibration.of_rough("m", 40_000), 50_000));
        assert!(near(calibration.of_tokenizer("m", 36_000), 50_000));
        assert_eq!(calibration.of_rough("other", 1000), 1000, "models do not share what was learned");
    }

    #[test]
    fn absurd_figures_do_bounded_harm() {
        let calibration = Calibration::default();
        for _ in 0..50 {
            calibration.learn("m", 1_000, u64::MAX / 4);
            calibration.learn("n", 1_000_000, 1);
        }
        assert_eq!(calibration.of_rough("m", 100), 250);
        assert_eq!(calibration.of_rough("n", 100), 50);
        calibration.learn_window("m", 10, f64::NAN);
        calibration.learn_window("m", 10, 0.01);
        assert_eq!(calibration.window("m", Some(7)), Some(7));
    }

    #[test]
    fn short_requests_teach_nothing() {
        let calibration = Calibration::default();
        calibration.learn("m", SHORTEST - 1, 100_000);
        assert_eq!(calibration.of_rough("m", 1000), 1000);
    }

    #[test]
    fn the_window_behind_a_percentage_is_learned() {
        let calibration = Calibration::default();
        calibration.learn_window("m", 100_000, 10.0);
        assert_eq!(calibration.window("m", Some(200_000)), Some(1_000_000));
        assert_eq!(calibration.window("m", None), Some(1_000_000));
        assert_eq!(calibration.window("m", Some(10_000)), Some(80_000), "never absurdly far from the catalogue's");
    }

    #[test]
    fn the_model_longest_not_learned_of_is_forgotten() {
        let calibration = Calibration::default();
        for number in 0..=MODELS {
            calibration.learn(&format!("m{number}"), 100_000, 200_000);
        }
        assert_eq!(calibration.models().len(), MODELS);
        assert_eq!(calibration.of_rough("m0", 1000), 1000);
        assert!(calibration.of_rough("m1", 1000) > 1900);
    }

    #[test]
    fn what_was_learned_is_kept() {
        let root = tempfile::tempdir().expect("a folder");
        let dir = DataDir::open(Some(root.path().join("data"))).expect("opened");
        let calibration = Calibration::default();
        calibration.learn("m", 100_000, 120_000);
        calibration.save(&dir).expect("saved");
        let again = Calibration::open(&dir);
        assert_eq!(again.of_rough("m", 1000), calibration.of_rough("m", 1000));
        dir.replace(FILE, b"{").expect("damaged");
        assert_eq!(Calibration::open(&dir).of_rough("m", 1000), 1000);
    }
}
