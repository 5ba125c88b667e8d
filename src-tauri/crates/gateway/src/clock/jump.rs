//! Noticing that the machine slept or that its clock was set: wall time and elapsed time drift apart.

use super::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// Wall time and elapsed time that differ by more than this mean sleep or a clock that was set.
const JUMP: Duration = Duration::from_secs(30);

/// Tells how far wall time and elapsed time have drifted apart since the last look.
#[derive(Debug)]
pub(crate) struct JumpWatch {
    wall: Timestamp,
    elapsed: Instant,
}

impl JumpWatch {
    pub(crate) fn new(wall: Timestamp) -> Self {
        Self { wall, elapsed: Instant::now() }
    }

    /// Whether the clock jumped since the last call, in either direction.
    pub(crate) fn jumped(&mut self, wall: Timestamp) -> bool {
        let elapsed = self.elapsed.elapsed();
        let (forward, back) = (wall.since(self.wall), self.wall.since(wall));
        let drift = if back.is_zero() { forward.abs_diff(elapsed) } else { back.saturating_add(elapsed) };
        *self = Self::new(wall);
        drift > JUMP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_drift_of_more_than_half_a_minute_is_a_jump() {
        let mut wall = Timestamp(1_000_000_000);
        let mut watch = JumpWatch::new(wall);
        // Both clocks go on together, however long.
        tokio::time::advance(Duration::from_secs(3600)).await;
        wall = wall.plus(Duration::from_secs(3600));
        assert!(!watch.jumped(wall));
        wall = wall.plus(Duration::from_secs(30));
        assert!(!watch.jumped(wall), "half a minute is not enough");
        wall = wall.plus(Duration::from_secs(31));
        assert!(watch.jumped(wall), "slept");
        assert!(!watch.jumped(wall), "told once");
        assert!(watch.jumped(wall.minus(Duration::from_secs(31))), "set back");
    }
}
