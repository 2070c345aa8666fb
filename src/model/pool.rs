//! Figures of a node's pool and of its health loop.

use std::time::Duration;

use serde::Serialize;

/// A bb8 pool now, and its totals since start. Copied out of bb8, whose own types may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PoolStats {
    pub max: u32,
    pub open: u32,
    /// Handed out.
    pub active: u32,
    pub idle: u32,
    /// Callers that wait for a connection.
    pub waiting: u32,
    /// Checkouts asked for: at once, after waiting, and those that timed out.
    pub gets: u64,
    pub waited: u64,
    pub timed_out: u64,
    /// Total time that callers waited.
    #[serde(skip)]
    pub wait_time: Duration,
    pub opened: u64,
    pub closed: u64,
    /// Closed because broken or no longer valid.
    #[serde(skip)]
    pub closed_broken: u64,
    /// Closed after `idle_timeout`.
    #[serde(skip)]
    pub closed_idle: u64,
    /// Closed at the end of their lifetime.
    #[serde(skip)]
    pub closed_lifetime: u64,
}

/// Totals of a node's health loop since start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProbeStats {
    pub probes: u64,
    pub missed: u64,
    /// Round trip of the last answered probe.
    pub latency: Option<Duration>,
}
