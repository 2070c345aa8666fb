//! The columns of the Nodes table: their heads, how rows compare by them, and the text that a filter sees.

use std::cmp::Ordering;
use std::time::{Duration, SystemTime};

use crate::model::{HealthState, Role};

use super::Node;

/// A column of the Nodes table, in its order on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeColumn {
    Node,
    Role,
    State,
    Ping,
    Pool,
    Conns,
    Tps,
    Lag,
    LastMinute,
}

impl NodeColumn {
    pub const ALL: [Self; 9] = [
        Self::Node,
        Self::Role,
        Self::State,
        Self::Ping,
        Self::Pool,
        Self::Conns,
        Self::Tps,
        Self::Lag,
        Self::LastMinute,
    ];

    /// How many of [`Self::ALL`] rows can be sorted by: all but the picture of the last minute.
    pub const SORTABLE: usize = 8;

    pub fn title(self) -> &'static str {
        match self {
            Self::Node => "NODE",
            Self::Role => "ROLE",
            Self::State => "STATE",
            Self::Ping => "PING",
            Self::Pool => "POOL",
            Self::Conns => "CONNS",
            Self::Tps => "TPS",
            Self::Lag => "LAG",
            Self::LastMinute => "LAST MINUTE",
        }
    }

    /// The word of `by name` in the table's title, and what `column:text` of a filter calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Node => "name",
            Self::Role => "role",
            Self::State => "state",
            Self::Ping => "ping",
            Self::Pool => "pool",
            Self::Conns => "conns",
            Self::Tps => "tps",
            Self::Lag => "lag",
            Self::LastMinute => "minute",
        }
    }

    /// Orders two nodes by this column. What is unknown or no longer true stands last, in either direction.
    pub fn compare(self, a: &Node, b: &Node, descending: bool, at: SystemTime, refresh: Duration) -> Ordering {
        let turned = |order: Ordering| if descending { order.reverse() } else { order };
        match self {
            Self::Node | Self::LastMinute => turned(a.name().cmp(b.name())),
            Self::Role => turned(role_rank(a).cmp(&role_rank(b))),
            Self::State => turned(state_rank(a).cmp(&state_rank(b))),
            Self::Ping | Self::Pool | Self::Conns | Self::Tps | Self::Lag => {
                match (self.figure(a, at, refresh), self.figure(b, at, refresh)) {
                    (Some(a), Some(b)) => turned(a.total_cmp(&b)),
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (None, None) => Ordering::Equal,
                }
            }
        }
    }

    fn figure(self, node: &Node, at: SystemTime, refresh: Duration) -> Option<f64> {
        let fresh = node.fresh(at, refresh);
        match self {
            Self::Ping => node.ping().map(|time| time.as_secs_f64()),
            Self::Pool => node
                .pool
                .filter(|pool| pool.max > 0)
                .map(|pool| f64::from(pool.active) / f64::from(pool.max) + f64::from(pool.waiting)),
            Self::Conns => fresh.and_then(|facts| facts.connections).map(f64::from),
            Self::Tps => fresh.and(node.rates.transactions),
            Self::Lag => fresh.and(node.lag()).map(|lag| lag.as_secs_f64()),
            Self::Node | Self::Role | Self::State | Self::LastMinute => None,
        }
    }

    /// What a filter sees of a node in this column; figures are not text.
    pub fn text(self, node: &Node) -> String {
        match self {
            Self::Node => node.name().to_string(),
            Self::Role => node.role.map(Role::as_str).unwrap_or_default().to_owned(),
            Self::State => {
                let error = node.health.error.as_ref().map(|error| error.message.as_str()).unwrap_or_default();
                let paused = if node.health.paused { " paused" } else { "" };
                let down = if node.health.state.answers() { "" } else { " down" };
                format!("{}{down}{paused} {error}", node.health.state.as_str())
            }
            Self::Ping | Self::Pool | Self::Conns | Self::Tps | Self::Lag | Self::LastMinute => String::new(),
        }
    }
}

fn role_rank(node: &Node) -> u8 {
    match node.role {
        Some(Role::Primary) => 0,
        Some(Role::Standby) => 1,
        None => 2,
    }
}

/// Ascending is worst first: who sorts by state looks for trouble.
fn state_rank(node: &Node) -> u8 {
    match node.health.state {
        HealthState::Unhealthy | HealthState::Reconnecting => 0,
        HealthState::Degraded => 1,
        HealthState::Connecting => 2,
        HealthState::Healthy => 3,
        HealthState::Disconnected => 4,
    }
}
