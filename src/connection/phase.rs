//! When in its interval a node is asked. Five hundred nodes that came up in one instant, at the start or when a network is
//! back, should not be asked in one instant for ever after: each life of a node has a place of its own in the interval.

use std::time::Duration;

use super::report::LifeId;

/// The share of an interval by which a node's questions come later than those of another, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Phase(f64);

impl Phase {
    /// Multiples of the golden ratio: however many there are, they lie evenly.
    pub(super) fn of(life: LifeId) -> Self {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        Self((life.0 as f64 * GOLDEN).fract())
    }

    /// From the first refresh, which comes at once, to the second.
    pub(super) fn to_refresh(self, every: Duration) -> Duration {
        every.mul_f64(0.5 + self.0)
    }

    /// From the first answer to the first probe: halfway between two refreshes, so that a node that dies in silence is
    /// noticed by the nearer of the two.
    pub(super) fn to_probe(self, interval: Duration) -> Duration {
        // Hardly after the first answer it would say nothing new.
        const SOON: f64 = 0.25;
        interval.mul_f64(if self.0 < SOON { self.0 + 1.0 } else { self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn however_many_nodes_they_are_asked_evenly_n8() {
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

    #[test]
    fn a_probe_comes_halfway_between_two_refreshes() {
        for life in 0..1000 {
            let phase = Phase::of(LifeId(life));
            let (refresh, probe) = (phase.to_refresh(SECOND).as_secs_f64(), phase.to_probe(SECOND).as_secs_f64());
            assert!((((refresh - probe).abs() % 1.0) - 0.5).abs() < 1e-6, "{phase:?}: {refresh} and {probe}");
            assert!((0.25..1.25).contains(&probe) && (0.5..1.5).contains(&refresh), "{phase:?}: {refresh} and {probe}");
        }
    }
}
