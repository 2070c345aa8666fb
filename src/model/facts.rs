//! What a server reports about itself: the figures of one refresh, and what stays the same while it runs.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::NodeError;

/// What a server is in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It accepts writes.
    Primary,
    /// It is in recovery: it replays WAL and is read-only.
    Standby,
}

impl Role {
    /// `primary` or `standby`, as programs read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Standby => "standby",
        }
    }
}

/// The answer to the one statement that each refresh sends to a node (N11). `None` means that the server did not say
/// (rights, version, role), never 0. Counters are totals since the server's statistics were reset; rates are computed
/// from two of these (`model::rates`).
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The server's own clock when it answered (`clock_timestamp()`). Rates divide by differences of it.
    pub server_time: SystemTime,
    /// How many seconds the server's clock is ahead of that of our machine, behind it if negative; 0 if the round trip
    /// explains the difference. No time of a server is compared with a time of ours.
    pub clock_ahead: i64,
    /// What the server is now.
    pub role: Role,
    /// Client connections now, from `pg_stat_activity`, or from `pg_stat_database.numbackends` where the role does not
    /// see other sessions.
    pub connections: Option<u32>,
    /// The setting `max_connections`.
    pub max_connections: Option<u32>,
    /// Client sessions that run a statement.
    pub active: Option<u32>,
    /// Client sessions that do nothing.
    pub idle: Option<u32>,
    /// Client sessions that do nothing in an open transaction.
    pub idle_in_transaction: Option<u32>,
    /// Sessions that wait for a lock.
    pub waiting_for_lock: Option<u32>,
    /// Age of the oldest open transaction of a client.
    pub oldest_transaction: Option<Duration>,
    /// Transactions committed. This and the other counters are sums over `pg_stat_database`.
    pub commits: Option<u64>,
    /// Transactions rolled back.
    pub rollbacks: Option<u64>,
    /// Blocks read from outside the shared buffers.
    pub blocks_read: Option<u64>,
    /// Blocks found in the shared buffers.
    pub blocks_hit: Option<u64>,
    /// Bytes written to temporary files.
    pub temp_bytes: Option<u64>,
    /// Deadlocks found.
    pub deadlocks: Option<u64>,
    /// When these counters were last reset.
    pub stats_reset: Option<SystemTime>,
    /// WAL position in bytes: written on a primary, replayed on a standby.
    pub wal_position: Option<u64>,
    /// Standby: the position up to which WAL was received and flushed since the server started; `None` where nothing was.
    pub received: Option<u64>,
    /// Standby: seconds from the commit of the last transaction replayed (the primary's clock) to the answer (the
    /// standby's clock); negative where the clocks differ. While nothing is written, it grows without any lag.
    pub commit_age: Option<f64>,
    /// Standby: true if somebody paused replay.
    pub replay_paused: Option<bool>,
    /// Standby: `pg_stat_wal_receiver.status`, or `stopped` without a receiver; `None` where the role may not see it.
    pub receiver: Option<String>,
    /// Standby: the time since the receiver last heard from its sender, by the standby's own clock.
    pub receiver_silent: Option<Duration>,
    /// The WAL senders of standbys; base backups and logical ones left out. `None` where they could not be read.
    pub senders: Option<Vec<Sender>>,
    /// The WAL senders of subscribers, as far as their names are known.
    pub logical_senders: Vec<Sender>,
    /// The timeline that the server writes or replays.
    pub timeline: Option<u32>,
    /// When the server last read its configuration (`pg_conf_load_time()`). A change means that `ServerFacts` must be
    /// asked again.
    pub config_loaded: Option<SystemTime>,
    /// What the server did not answer, and why.
    pub missing: Vec<Missing>,
    /// From our query to the answer: an upper limit of what it cost the server.
    pub elapsed: Duration,
}

/// What a server answers, or fails to answer, as one: a figure, or some that come from the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// [`Facts::role`].
    Role,
    /// [`Facts::server_time`]; our own clock stands in for it.
    Clock,
    /// [`Facts::max_connections`].
    MaxConnections,
    /// What is known of the sessions, one by one.
    Sessions,
    /// The counters of all databases.
    Databases,
    /// [`Facts::wal_position`] of a primary.
    Written,
    /// [`Facts::wal_position`] of a standby.
    Replayed,
    /// [`Facts::received`].
    Received,
    /// [`Facts::commit_age`].
    LastCommit,
    /// [`Facts::replay_paused`].
    ReplayPaused,
    /// The WAL receiver, and the timeline of a standby.
    Receiver,
    /// [`Facts::senders`].
    Senders,
    /// [`Facts::timeline`] of a primary.
    Timeline,
    /// [`Facts::config_loaded`].
    ConfigLoaded,
    /// Whether replication slots came or went; without it, their view is asked for at its own pace.
    SlotsMark,
    /// Whether subscriptions or their workers changed; without it, their view is asked for at its own pace.
    SubscriptionsMark,
    /// [`ServerFacts::started_at`].
    Started,
    /// [`ServerFacts::cluster_name`].
    ClusterName,
    /// [`ServerFacts::port`].
    Port,
    /// [`ServerFacts::restores`].
    Restores,
    /// [`ServerFacts::apply_delay`].
    ApplyDelay,
    /// [`ServerFacts::wal_segment`].
    SegmentSize,
    /// [`ServerFacts::rights`].
    Rights,
    /// [`ServerFacts::acts_for`] and [`ServerFacts::monitors`].
    Monitors,
    /// [`ServerFacts::pending_restart`].
    PendingRestart,
    /// [`ServerFacts::system_identifier`].
    Identifier,
    /// [`ServerFacts::settings`].
    Settings,
}

impl Part {
    /// What it is called on a screen.
    pub fn words(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Clock => "the server's clock",
            Self::MaxConnections => "max_connections",
            Self::Sessions => "sessions",
            Self::Databases => "transactions, cache and temporary files",
            Self::Written => "WAL position",
            Self::Replayed => "WAL replayed",
            Self::Received => "WAL received",
            Self::LastCommit => "last commit replayed",
            Self::ReplayPaused => "whether replay is paused",
            Self::Receiver => "WAL receiver",
            Self::Senders => "standbys",
            Self::Timeline => "timeline",
            Self::ConfigLoaded => "when settings were reloaded",
            Self::SlotsMark => "whether slots changed",
            Self::SubscriptionsMark => "whether subscriptions changed",
            Self::Started => "start time",
            Self::ClusterName => "cluster_name",
            Self::Port => "port",
            Self::Restores => "restore_command",
            Self::ApplyDelay => "recovery_min_apply_delay",
            Self::SegmentSize => "wal_segment_size",
            Self::Rights => "our rights",
            Self::Monitors => "the role that our sessions act for",
            Self::PendingRestart => "settings that wait for a restart",
            Self::Identifier => "system identifier",
            Self::Settings => "settings",
        }
    }

    /// The only role whose servers have it; `None` if all have.
    pub fn only_of(self) -> Option<Role> {
        match self {
            Self::Written | Self::Timeline => Some(Role::Primary),
            Self::Replayed | Self::Received | Self::LastCommit | Self::ReplayPaused | Self::Receiver => {
                Some(Role::Standby)
            }
            _ => None,
        }
    }
}

/// A part that the server did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Which one.
    pub part: Part,
    /// Why.
    pub error: NodeError,
}

/// The size of a page of WAL. It can be another one only by building the server so.
const PAGE: u64 = 8192;

impl Facts {
    /// Where the server's clock is, if it differs from ours: `behind ours` or `ahead of ours`.
    pub fn clock(&self) -> &'static str {
        if self.clock_ahead < 0 { "behind ours" } else { "ahead of ours" }
    }

    /// A server that reported its role and its time, and nothing else.
    pub fn unknown(role: Role, server_time: SystemTime) -> Self {
        Self {
            server_time,
            clock_ahead: 0,
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
            received: None,
            commit_age: None,
            replay_paused: None,
            receiver: None,
            receiver_silent: None,
            senders: None,
            logical_senders: Vec::new(),
            timeline: None,
            config_loaded: None,
            missing: Vec::new(),
            elapsed: Duration::ZERO,
        }
    }

    /// Standby: true if WAL arrives as it is written; `None` where the role may not see it.
    pub fn streaming(&self) -> Option<bool> {
        self.receiver.as_deref().map(|status| status == STREAMING)
    }

    /// Standby: bytes of WAL received and not yet replayed. Right after a start, more is replayed than was received.
    pub fn unreplayed(&self) -> Option<u64> {
        let replayed = self.wal_position.filter(|_| self.role == Role::Standby)?;
        Some(self.received?.saturating_sub(replayed))
    }

    /// The end of the WAL that the server has: written on a primary; received, or replayed from elsewhere, on a standby.
    pub fn wal_end(&self) -> Option<u64> {
        self.wal_position.max(self.received)
    }

    /// The senders that send, of standbys and subscribers. One that has not begun to may be refused.
    pub fn sending(&self) -> impl Iterator<Item = &Sender> + Clone {
        let all = self.senders.iter().flatten().chain(&self.logical_senders);
        all.filter(|sender| sender.state.as_deref() != Some("startup"))
    }

    /// Up to where a standby has replayed what can be replayed. WAL that nobody commits is sent by the page: the record
    /// that the end of a page cuts comes with the next one, maybe seconds later, and is not late.
    pub fn replayed_to(&self) -> Option<u64> {
        let cut = |received: &u64| {
            received.is_multiple_of(PAGE) && self.wal_position.is_some_and(|replayed| replayed + PAGE > *received)
        };
        self.wal_position.max(self.received.filter(cut))
    }

    /// The sender whose standby has replayed least. `None` where positions are hidden from the role.
    pub fn worst_sender(&self) -> Option<&Sender> {
        self.senders.iter().flatten().filter(|sender| sender.replayed.is_some()).min_by_key(|sender| sender.replayed)
    }
}

/// The status of a WAL receiver and the state of a WAL sender while WAL is sent as it is written.
pub const STREAMING: &str = "streaming";

/// A WAL sender, from `pg_stat_replication`. A plain role sees only the process.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sender {
    /// The process that sends.
    pub pid: i32,
    /// The `application_name` of the receiver.
    pub name: Option<String>,
    /// `streaming`, `catchup`, `startup` or `stopping`.
    pub state: Option<String>,
    /// How far the standby said that it has replayed.
    pub replayed: Option<u64>,
    /// `replay_lag`: how long ago the sender flushed what the standby last reported as replayed, as measured by the
    /// sender's clock. It keeps its last value while no reports come.
    pub lag: Option<Duration>,
}

/// How many seconds a server's clock is ahead of ours: it showed `servers` at some moment between our question and the
/// answer to it, at which our machine's clock showed these times. If our clock was set meanwhile, nothing is known.
pub fn clock_ahead(servers: SystemTime, (asked, answered): (SystemTime, SystemTime)) -> i64 {
    let Ok(round_trip) = answered.duration_since(asked) else { return 0 };
    let middle = asked + round_trip / 2;
    let (ahead, difference) = match servers.duration_since(middle) {
        Ok(ahead) => (1, ahead),
        Err(behind) => (-1, behind.duration()),
    };
    if difference <= round_trip / 2 { 0 } else { ahead * difference.as_secs_f64().round() as i64 }
}

/// What is asked once per connection, and again after the server reread its configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServerFacts {
    /// As the server prints it: `17.2`, `18beta1`.
    pub version: String,
    /// `server_version_num`, as in 170002; 0 where unknown.
    pub version_num: u32,
    /// `pg_postmaster_start_time()`.
    pub started_at: Option<SystemTime>,
    /// `pg_control_system().system_identifier`: two nodes with the same one are one cluster.
    pub system_identifier: Option<u64>,
    /// The setting `cluster_name`; `None` where it is empty.
    pub cluster_name: Option<String>,
    /// The setting `port`: its own, whatever address it is reached at.
    pub port: Option<u16>,
    /// True if `restore_command` is set: a standby can get WAL from an archive. `None` before 12.
    pub restores: Option<bool>,
    /// `recovery_min_apply_delay`; `None` before 12.
    pub apply_delay: Option<Duration>,
    /// `wal_receiver_timeout`; zero is none. `None` where our role or database has another one than the server (19).
    pub receiver_timeout: Option<Duration>,
    /// `wal_segment_size`, in bytes.
    pub wal_segment: Option<u64>,
    /// The predefined roles whose rights we have; all of them as a superuser.
    pub rights: Vec<String>,
    /// Settings worth showing, in the order to show them.
    pub settings: Vec<Setting>,
    /// The settings that the server's configuration sets, or that wait for a restart; `None` where they could not be read.
    pub configured: Option<Vec<Configured>>,
    /// How many settings wait for a restart.
    pub pending_restart: Option<u32>,
    /// What the server did not answer, and why.
    pub missing: Vec<Missing>,
    /// What the server warned of when our session was opened: a password that expires soon, or is stored as MD5, an
    /// outdated collation. Text of the server: make it safe before it reaches a terminal.
    pub login_warnings: Vec<String>,
    /// The address and port that the figures' session is connected to; `None` for a unix socket.
    pub reached_at: Option<SocketAddr>,
    /// How a pooler in front of the server hands out its processes; `None` without one.
    pub pooling: Option<Pooling>,
    /// The role that our sessions act for, which need not be the one that logged in.
    pub acts_for: Option<String>,
    /// Whether that role has the rights of `pg_monitor`: `usage`, `member` (without inheriting them) or `none`.
    pub monitors: Option<String>,
}

impl ServerFacts {
    /// The identifier that was `known` at this address, if another cluster answers there now. A server that does not
    /// report its identifier (rights) is taken for the same one.
    pub fn replaces(&self, known: Option<u64>) -> Option<u64> {
        let now = self.system_identifier?;
        known.filter(|known| *known != now)
    }
}

/// How a pooler hands out the processes of a server, as far as its answers have shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// There is a pooler.
    Unknown,
    /// One process for a session.
    Session,
    /// Any process for each transaction.
    Transaction,
    /// Any process for each statement: transactions of several statements are refused.
    Statement,
}

impl Pooling {
    /// What a screen says of the node: `through a pooler (transaction)`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unknown => "through a pooler",
            Self::Session => "through a pooler (session)",
            Self::Transaction => "through a pooler (transaction)",
            Self::Statement => "through a pooler (statement)",
        }
    }
}

/// One row of `pg_settings`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value with the unit, as `current_setting()` prints it.
    pub value: String,
    /// Where its value comes from: `default`, `configuration file` …
    pub source: String,
    /// True if the value in the file takes effect only after a restart.
    pub pending_restart: bool,
}

/// A setting that the server's configuration sets: its files, its command line or its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// Its name.
    pub name: String,
    /// Its value with the unit; `None` where it may hold a secret.
    pub value: Option<String>,
    /// Tells two values apart, hidden ones as well.
    pub mark: u64,
    /// The value that it has where nothing sets it.
    pub default: String,
    /// Tells that value from others.
    pub default_mark: u64,
    /// True if the value in the file takes effect only after a restart.
    pub pending_restart: bool,
}

impl Configured {
    /// The setting where nothing sets it.
    #[must_use]
    pub fn unset(&self) -> Self {
        let value = self.value.is_some().then(|| self.default.clone());
        Self { value, mark: self.default_mark, pending_restart: false, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_differs_if_the_round_trip_does_not_explain_it() {
        let at = |seconds: f64| SystemTime::UNIX_EPOCH + Duration::from_secs_f64(10_000.0 + seconds);
        // What the server's clock showed; ours before and after; by how much it is ahead.
        for (servers, asked, answered, ahead) in [
            (0.0, 0.0, 0.0, 0),
            (4.0, 0.0, 5.0, 0),
            (-3600.0, 0.0, 0.001, -3600),
            (3600.0, 0.0, 0.001, 3600),
            (-3.0, 0.0, 2.0, -4),
            (0.3, 0.0, 0.001, 0),
            (0.0, 3600.0, 0.001, 0),
        ] {
            assert_eq!(clock_ahead(at(servers), (at(asked), at(answered))), ahead, "{servers} {asked} {answered}");
        }
    }

    #[test]
    fn a_different_identifier_means_another_cluster() {
        let replaces = |known, now| ServerFacts { system_identifier: now, ..ServerFacts::default() }.replaces(known);
        assert_eq!(replaces(None, Some(7)), None, "the first one");
        assert_eq!(replaces(Some(7), Some(7)), None, "the same");
        assert_eq!(replaces(Some(7), None), None, "it does not say");
        assert_eq!(replaces(Some(7), Some(8)), Some(7));
    }
}
