//! Health of a node as a fact: which of the six states, since when and why. The rules that change it live in
//! `connection::health`.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::NodeError;

/// The six states of a node; their names are a promise to programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// The first attempt is under way.
    Connecting,
    Healthy,
    /// Answers late, missed one or two probes, or refuses new connections while an old one answers.
    Degraded,
    /// The threshold of misses in a row is reached, or the first attempt failed.
    Unhealthy,
    /// Retrying with backoff, from the first retry until an answer.
    Reconnecting,
    /// Removed, paused or shut down.
    Disconnected,
}

impl HealthState {
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

    /// Whether a session of ours still answers: *up* (healthy) or *slow* (degraded).
    pub fn answers(self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded)
    }

    /// Why nothing new is known of the node, in words; `None` while it answers.
    pub fn silence(self) -> Option<&'static str> {
        match self {
            Self::Healthy | Self::Degraded => None,
            Self::Connecting => Some("has not answered yet"),
            Self::Unhealthy | Self::Reconnecting => Some("does not answer"),
            Self::Disconnected => Some("is paused"),
        }
    }
}

/// Everything said about a node's health.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    pub state: HealthState,
    /// When it entered `state`.
    pub since: SystemTime,
    /// When it last answered nothing but failures: the start of the outage, kept over `unhealthy` to `reconnecting`.
    pub down_since: Option<SystemTime>,
    pub last_check: Option<SystemTime>,
    pub last_success: Option<SystemTime>,
    /// Misses in a row.
    pub failures: u32,
    /// Attempts to connect since it was lost; 0 while connected.
    pub attempt: u32,
    pub next_retry: Option<SystemTime>,
    /// Why it is not healthy; `None` while it is.
    pub error: Option<NodeError>,
    /// Round trip of the last answered probe.
    pub latency: Option<Duration>,
    /// Paused by the user (`disconnected` until resumed).
    pub paused: bool,
}

impl Health {
    /// The word a person reads: a node that is being retried is simply down, for so long.
    pub fn word(&self) -> &'static str {
        match self.state {
            HealthState::Unhealthy | HealthState::Reconnecting => "down",
            HealthState::Disconnected if self.paused => "paused",
            state => state.as_str(),
        }
    }

    /// A node nobody has tried yet.
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
