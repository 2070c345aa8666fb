//! Health of a node as a fact: which of the six states, since when and why. The rules for changing it are in
//! `connection::health`.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::NodeError;

/// The six states of a node. Programs rely on their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// The first attempt is under way.
    Connecting,
    /// Answers in time.
    Healthy,
    /// Answers late, missed one or two probes, or refuses new connections while an open one still answers.
    Degraded,
    /// Missed as many probes in a row as the threshold allows, or the first attempt failed.
    Unhealthy,
    /// Being retried with backoff, from the first retry until it answers.
    Reconnecting,
    /// Removed, paused, or closed because pgwatch is leaving.
    Disconnected,
}

impl HealthState {
    /// The word that programs read; the same as its serialised form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Reconnecting => "reconnecting",
            Self::Disconnected => "disconnected",
        }
    }

    /// True if a session of ours still answers: *up* (healthy) or *slow* (degraded).
    pub fn answers(self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded)
    }

    /// Why there is no news of the node, in words; `None` while it answers.
    pub fn silence(self) -> Option<&'static str> {
        match self {
            Self::Healthy | Self::Degraded => None,
            Self::Connecting => Some("has not answered yet"),
            Self::Unhealthy | Self::Reconnecting => Some("does not answer"),
            Self::Disconnected => Some("is paused"),
        }
    }
}

/// All that is known of a node's health.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    /// Which of the six states.
    pub state: HealthState,
    /// When it entered `state`.
    pub since: SystemTime,
    /// When the outage began: the first failure after the last answer. Kept through `unhealthy` and `reconnecting`.
    pub down_since: Option<SystemTime>,
    /// When a probe or an attempt to connect last ended.
    pub last_check: Option<SystemTime>,
    /// When the node answered last.
    pub last_success: Option<SystemTime>,
    /// Misses in a row.
    pub failures: u32,
    /// Attempts to connect since the node was lost; 0 while connected.
    pub attempt: u32,
    /// When the next attempt to connect begins; `None` while connected or paused.
    pub next_retry: Option<SystemTime>,
    /// Why it is not healthy; `None` while it is.
    pub error: Option<NodeError>,
    /// Round trip of the last answered probe.
    pub latency: Option<Duration>,
    /// True if the user paused the node: it is `disconnected` until resumed.
    pub paused: bool,
}

impl Health {
    /// The state in one word for people. A node that is being retried counts as down.
    pub fn word(&self) -> &'static str {
        match self.state {
            HealthState::Unhealthy | HealthState::Reconnecting => "down",
            HealthState::Disconnected if self.paused => "paused",
            state => state.as_str(),
        }
    }

    /// A node that has not been tried yet.
    pub fn new(now: SystemTime) -> Self {
        Self {
            state: HealthState::Connecting,
            since: now,
            down_since: None,
            last_check: None,
            last_success: None,
            failures: 0,
            attempt: 1,
            next_retry: None,
            error: None,
            latency: None,
            paused: false,
        }
    }
}
