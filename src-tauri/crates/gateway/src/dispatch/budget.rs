//! How often the upstream is asked: for one request, and for all of them together. Repeats are what turns trouble of the
//! service into a flood, so both are bounded.

use std::time::Duration;
use tower::retry::budget::{Budget as _, TpsBudget};

/// Over which time requests and repeats are compared.
const WINDOW: Duration = Duration::from_secs(30);
/// Repeats that are always possible, per second: a lone request may be repeated.
const ALWAYS: u32 = 1;
/// Repeats per request beyond that.
const SHARE: f32 = 0.2;

/// Repeats of all requests together: one for every five requests of the last half minute, and a few in any case.
pub(crate) struct Repeats(TpsBudget);

impl Default for Repeats {
    fn default() -> Self {
        Self(TpsBudget::new(WINDOW, ALWAYS, SHARE))
    }
}

impl Repeats {
    /// A new request came.
    pub(super) fn request(&self) {
        self.0.deposit();
    }

    /// Whether one more repeat is in order; it counts as made.
    pub(crate) fn allow(&self) -> bool {
        self.0.withdraw()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fifth_of_the_requests_may_be_repeated_and_a_few_in_any_case() {
        let repeats = Repeats::default();
        let made = |repeats: &Repeats| (0..10_000).filter(|_| repeats.allow()).count();
        let alone = made(&repeats);
        assert!((20..=40).contains(&alone), "{alone} repeats without any request");
        tokio::time::advance(WINDOW * 3).await;
        (0..1000).for_each(|_| repeats.request());
        let busy = made(&repeats);
        assert!((200..=200 + 40).contains(&busy), "{busy} repeats of 1,000 requests");
        assert!(!repeats.allow());
    }
}
