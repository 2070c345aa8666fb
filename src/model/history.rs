//! The newest samples of a figure, in memory of a fixed size, and their percentiles.

use std::collections::VecDeque;

/// A ring of the newest `capacity` items, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Ring<T> {
    items: VecDeque<T>,
    capacity: usize,
}

impl<T> Ring<T> {
    /// An empty ring of at least one item.
    pub fn new(capacity: usize) -> Self {
        Self { items: VecDeque::new(), capacity: capacity.max(1) }
    }

    /// Appends an item; drops the oldest one if the ring is full.
    pub fn push(&mut self, item: T) {
        if self.items.len() == self.capacity {
            self.items.pop_front();
        }
        self.items.push_back(item);
    }

    /// How many items it holds.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True if it holds none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The newest item.
    pub fn last(&self) -> Option<&T> {
        self.items.back()
    }

    /// The newest item, to be changed.
    pub fn last_mut(&mut self) -> Option<&mut T> {
        self.items.back_mut()
    }

    /// All items, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.items.iter()
    }

    /// The newest `count` items, oldest first.
    pub fn newest(&self, count: usize) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.items.iter().skip(self.items.len().saturating_sub(count))
    }
}

/// The values below which these shares (0 to 1) of the samples lie, by nearest rank; `None` without samples.
pub fn percentiles<const N: usize>(samples: impl IntoIterator<Item = f64>, shares: [f64; N]) -> Option<[f64; N]> {
    let mut sorted: Vec<f64> = samples.into_iter().filter(|sample| sample.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let last = *sorted.last()?;
    let rank = |share: f64| (share * sorted.len() as f64).ceil() as usize;
    Some(shares.map(|share| sorted.get(rank(share).max(1) - 1).copied().unwrap_or(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_keeps_the_newest() {
        let mut ring = Ring::new(3);
        for i in 0..5 {
            ring.push(i);
        }
        assert_eq!(ring.iter().copied().collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(ring.newest(2).copied().collect::<Vec<_>>(), [3, 4]);
        assert_eq!(ring.newest(9).len(), 3);
    }

    #[test]
    fn percentiles_are_taken_by_nearest_rank() {
        let samples = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(percentiles(samples, [0.5, 0.99, 0.0]), Some([3.0, 5.0, 1.0]));
        assert_eq!(percentiles([], [0.5]), None);
    }
}
