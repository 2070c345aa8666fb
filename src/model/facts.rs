//! What a server says of itself: the figures of one refresh, and what stays the same while it runs.

use std::time::{Duration, SystemTime};

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Primary,
    Standby,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Standby => "standby",
        }
    }
}

/// The answer to the one statement a refresh asks of a node (N11). `None` is "the server did not say"
/// (rights, version, role), never 0. Counters are totals since the server's statistics reset: rates come from two
/// of these (`model::delta`).
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The server's own clock when it answered (`clock_timestamp()`): the divisor of every rate.
    pub server_time: SystemTime,
    pub role: Role,
    /// Client connections now, of `max_connections` (`pg_stat_database.numbackends` or `pg_stat_activity`).
    pub connections: Option<u32>,
    pub max_connections: Option<u32>,
    pub active: Option<u32>,
    pub idle: Option<u32>,
    pub idle_in_transaction: Option<u32>,
    /// Sessions that wait for a lock.
    pub waiting_for_lock: Option<u32>,
    /// Age of the oldest open transaction of a client.
    pub oldest_transaction: Option<Duration>,
    /// Sums over `pg_stat_database`.
    pub commits: Option<u64>,
    pub rollbacks: Option<u64>,
    pub blocks_read: Option<u64>,
    pub blocks_hit: Option<u64>,
    pub temp_bytes: Option<u64>,
    pub deadlocks: Option<u64>,
    pub stats_reset: Option<SystemTime>,
    /// WAL position in bytes: written on a primary, replayed on a standby.
    pub wal_position: Option<u64>,
    /// Standby: how far replay is behind what is known, in time. 0 when all received WAL is replayed and the
    /// receiver streams.
    pub replay_lag: Option<Duration>,
    /// Standby: bytes received but not replayed.
    pub replay_lag_bytes: Option<u64>,
    /// Standby: a WAL receiver is streaming.
    pub streaming: Option<bool>,
    /// Primary or cascading standby: how many standbys stream from it, and the worst of them.
    pub standbys: Option<u32>,
    pub worst_standby: Option<String>,
    pub worst_standby_lag: Option<Duration>,
    pub worst_standby_lag_bytes: Option<u64>,
    pub timeline: Option<u32>,
    /// When the server last read its configuration (`pg_conf_load_time()`): tells when to ask `ServerFacts` again.
    pub config_loaded: Option<SystemTime>,
    /// From our question to the answer: what it cost the server at most.
    pub elapsed: Duration,
}

impl Facts {
    /// A server that said when and what it is, and nothing else.
    pub fn unknown(role: Role, server_time: SystemTime) -> Self {
        Self {
            server_time,
            role,
            connections: None,
            max_connections: None,
            active: None,
            idle: None,
            idle_in_transaction: None,
            waiting_for_lock: None,
            oldest_transaction: None,
            commits: None,
            rollbacks: None,
            blocks_read: None,
            blocks_hit: None,
            temp_bytes: None,
            deadlocks: None,
            stats_reset: None,
            wal_position: None,
            replay_lag: None,
            replay_lag_bytes: None,
            streaming: None,
            standbys: None,
            worst_standby: None,
            worst_standby_lag: None,
            worst_standby_lag_bytes: None,
            timeline: None,
            config_loaded: None,
            elapsed: Duration::ZERO,
        }
    }
}

/// What is asked once a connection, and again after the server read its configuration anew.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServerFacts {
    /// As the server prints it: `17.2`, `18beta1`.
    pub version: String,
    /// `server_version_num`, as in 170002; 0 where unknown.
    pub version_num: u32,
    pub started_at: Option<SystemTime>,
    /// `pg_control_system().system_identifier`: two nodes with the same one are one cluster.
    pub system_identifier: Option<u64>,
    pub cluster_name: Option<String>,
    /// Settings that matter, in the order to show them.
    pub settings: Vec<Setting>,
    /// Settings that wait for a restart.
    pub pending_restart: Option<u32>,
}

impl ServerFacts {
    /// The identifier of the cluster that was `known` at this address, where another one answers now. Who does not
    /// say which he is (rights) is taken for the same.
    pub fn replaces(&self, known: Option<u64>) -> Option<u64> {
        let now = self.system_identifier?;
        known.filter(|known| *known != now)
    }
}

/// One row of `pg_settings`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    /// With its unit, as `current_setting()` prints it.
    pub value: String,
    pub source: String,
    pub pending_restart: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_cluster_is_one_of_another_identifier() {
        let replaces = |known, now| ServerFacts { system_identifier: now, ..ServerFacts::default() }.replaces(known);
        assert_eq!(replaces(None, Some(7)), None, "the first one");
        assert_eq!(replaces(Some(7), Some(7)), None, "the same");
        assert_eq!(replaces(Some(7), None), None, "it does not say");
        assert_eq!(replaces(Some(7), Some(8)), Some(7));
    }
}
