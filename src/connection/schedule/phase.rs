//! Each node's place in the interval. Five hundred nodes that came up at the same moment, at the start or when a
//! network is back, must not be asked at the same moment ever after, so each life of a node has a place of its own.

use std::time::Duration;

use crate::connection::report::LifeId;

/// Shortest interval between two queries of the same kind to a node, however short the configured refresh is.
pub(crate) const FASTEST: Duration = Duration::from_millis(100);

/// A node's place in each interval, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Phase(f64);

impl Phase {
    /// Multiples of the golden ratio are evenly spread, however many there are.
    pub(crate) fn of(life: LifeId) -> Self {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        Self((life.0 as f64 * GOLDEN).fract())
    }

    /// Delay from the first refresh, which is made at once, to the second.
    pub(crate) fn to_refresh(self, every: Duration) -> Duration {
        every.mul_f64(0.5 + self.0)
    }

    /// Delay from "node is up" to its first background query. It comes after the first facts, which the screen is
    /// waiting for.
    pub(crate) fn to_background(self) -> Duration {
        Duration::from_secs(1) + Duration::from_millis(1500).mul_f64(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn nodes_are_asked_evenly_however_many_there_are_n8() {
        for nodes in [3, 20, 100, 500] {
            let mut tenths = [0; 10];
            for life in 1..=nodes {
                let at = Phase::of(LifeId(life)).to_refresh(SECOND).as_millis() % 1000;
                tenths[at as usize / 100] += 1;
            }
            let most = tenths.into_iter().max().unwrap();
            assert!(most <= nodes / 10 + 2, "{nodes} nodes: {tenths:?}");
        }
    }
}
