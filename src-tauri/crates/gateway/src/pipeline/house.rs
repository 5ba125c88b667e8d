//! A pipeline over the dispatcher of a test.

use super::Pipeline;
use super::listing::Listing;
use crate::dispatch::house::House;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What it begins lives in the house's tracker.
pub(crate) fn pipeline(house: &House) -> Arc<Pipeline> {
    Arc::new(Pipeline {
        dispatcher: Arc::clone(&house.dispatcher),
        catalog: Arc::clone(&house.catalog),
        roster: Arc::clone(&house.roster),
        listing: Listing::new(house.tracker.clone(), CancellationToken::new()),
        media: Default::default(),
        calibration: Arc::default(),
        tokenizer: Arc::default(),
        charges: Default::default(),
        recall: Arc::default(),
    })
}
