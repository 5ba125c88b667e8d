//! Token counts where the upstream gives none, or has not given them yet.
//!
//! A local count is never the model's own: [`calibration`] learns per model how far off it is, from every answer that brings
//! better figures. Who reports a figure says where it comes from ([`kiro_protocol::event::UsageSource`]).

pub(crate) mod calibration;
pub(crate) mod tokenizer;

use calibration::Calibration;
use kiro_protocol::kiro::request::{Built, rough_tokens};
use std::sync::Arc;
use tokenizer::Tokenizer;

/// Counts for one model.
#[derive(Clone)]
pub(crate) struct Yardstick {
    calibration: Arc<Calibration>,
    tokenizer: Arc<Tokenizer>,
    model: Arc<str>,
    /// The window that the catalogue names.
    window: Option<u64>,
}

impl Yardstick {
    pub(crate) fn new(
        calibration: Arc<Calibration>,
        tokenizer: Arc<Tokenizer>,
        model: &str,
        window: Option<u64>,
    ) -> Self {
        Self { calibration, tokenizer, model: model.into(), window }
    }

    /// What a rough count means for this model. Costs nothing.
    pub(crate) fn estimate(&self, rough: u64) -> u64 {
        self.calibration.of_rough(&self.model, rough)
    }

    /// Tokens of a whole request, counted piece by piece. Takes a millisecond for 20 KB, and more for the first time.
    pub(crate) fn count(&self, built: &Built) -> u64 {
        let tokenizer = self.tokenizer.load();
        let mut rough = 0;
        let mut counted = 0;
        let whole = built.measure_tokens(&mut |text| {
            let tokens = tokenizer.count(text);
            rough += rough_tokens(text);
            counted += tokens;
            tokens
        });
        self.calibration.compare(&self.model, rough, counted);
        self.calibration.of_tokenizer(&self.model, whole)
    }

    /// Tokens of what a model said. Only the beginning is known as text, the whole `rough`ly. `None` while the tokenizer is
    /// not at hand; it will be next time.
    pub(crate) fn said(&self, beginning: &str, rough: u64) -> Option<u64> {
        let sample = rough_tokens(beginning);
        let counted = self.tokenizer.ready()?.count(beginning);
        let whole =
            if sample == 0 { rough } else { (u128::from(counted) * u128::from(rough) / u128::from(sample)) as u64 };
        Some(calibration::guessed(&self.model, whole))
    }

    /// The window that percentages are of.
    pub(crate) fn window(&self) -> Option<u64> {
        self.calibration.window(&self.model, self.window)
    }

    /// Learns the true size of a request.
    pub(crate) fn learn(&self, rough: u64, input: u64) {
        self.calibration.learn(&self.model, rough, input);
    }

    /// Learns what a percentage is of.
    pub(crate) fn learn_window(&self, tokens: u64, percentage: f64) {
        self.calibration.learn_window(&self.model, tokens, percentage);
    }
}

#[cfg(test)]
mod tests;
