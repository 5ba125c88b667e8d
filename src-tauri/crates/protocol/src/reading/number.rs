//! Numbers within bounds.

use super::notes::Fault;

/// The value when it lies between 0 and `most`. `expected` begins the refusal in the protocol's own words, as in
/// "Expected a value between 0 and 2".
pub(crate) fn within(value: Option<f64>, most: f64, path: &str, expected: &str) -> Result<Option<f64>, Fault> {
    match value {
        Some(value) if !(0.0..=most).contains(&value) => {
            Err(Fault::invalid(path, format!("{expected} between 0 and {most}")))
        }
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_part_of_the_range_and_nothing_else_is() {
        for inside in [None, Some(0.0), Some(2.0), Some(1.5)] {
            assert_eq!(within(inside, 2.0, "t", "Expected a value").ok(), Some(inside));
        }
        for outside in [-0.1, 2.1, f64::NAN, f64::INFINITY] {
            let fault = within(Some(outside), 2.0, "t", "Expected a value").expect_err("outside");
            assert_eq!((fault.path.as_str(), fault.message.as_str()), ("t", "Expected a value between 0 and 2"));
        }
    }
}
