//! Counters of a node's pool and of its health loop.

use std::time::Duration;

use serde::Serialize;

/// A bb8 pool now, and its totals since start. Copied out of bb8, whose own types may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PoolStats {
    /// Connections that it may open at most.
    pub max: u32,
    /// Connections open now.
    pub open: u32,
    /// Open and handed out.
    pub active: u32,
    /// Open and not handed out.
    pub idle: u32,
    /// Callers that are waiting for a connection.
    pub waiting: u32,
    /// Checkouts requested since start.
    pub gets: u64,
    /// Checkouts that had to wait.
    pub waited: u64,
    /// Checkouts that timed out.
    pub timed_out: u64,
    /// Total time that callers waited.
    #[serde(skip)]
    pub wait_time: Duration,
    /// Connections opened since start.
    pub opened: u64,
    /// Connections closed since start.
    pub closed: u64,
    /// Of those, closed because they were broken or no longer valid.
    #[serde(skip)]
    pub closed_broken: u64,
    /// Of those, closed after `idle_timeout`.
    #[serde(skip)]
    pub closed_idle: u64,
    /// Of those, closed at the end of their lifetime.
    #[serde(skip)]
    pub closed_lifetime: u64,
}

/// Totals of a node's health loop since start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProbeStats {
    /// Probes sent, and answers to the question for the figures that came in time and made one unnecessary.
    pub probes: u64,
    /// Probes without an answer in time.
    pub missed: u64,
    /// Round trip of the last one that was answered; that of the figures without the time that the server worked.
    pub latency: Option<Duration>,
}
