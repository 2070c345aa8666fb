//! The statements that ask a server for its figures, and how their answers become `model::Facts`.
//!
//! Each statement is made of parts (`parts.rs`). While all of them work, it has one text for PostgreSQL 10 to 19, for
//! primary and standby, for superuser and plain role. It names only columns that all of these have; a figure that a role
//! may not see comes back as NULL. The texts are constant, so each is one entry in the server's `pg_stat_statements`.

use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use tokio_postgres::types::FromSql;

use super::configured::with_unit;
use super::parts::PartSql;
use super::told::Told;
use crate::model::facts::{Missing, Part, Sender, Setting};
use crate::model::{Facts, Role, ServerFacts};
use crate::sql::secrets::masked_setting;

/// Lists the sessions once for all parts of [`FACTS`] that need them.
pub(super) const SESSIONS: &str = "\
with a as (select pid, datid, application_name, backend_type, state, wait_event_type, xact_start
  from pg_stat_get_activity(null::int4))
";

const fn value(part: Part, columns: &'static str) -> PartSql {
    PartSql { part, columns, from: None, needs_with: false }
}

/// One refresh (N11), at half the server time that the plain views would take: it lists the sessions once, from the
/// functions below `pg_stat_activity` and `pg_stat_replication`, and uses `date_part`, which is `extract` without its
/// detour over numeric. A plain role sees the sessions of other roles without state and type: their activity is then
/// unknown, and `pg_stat_database` gives the number of connections. A logical subscriber is not counted as a standby:
/// its sender has a database. Neither is a base backup, nor the first copy of a subscribed table. `receiver` is `stopped` without a WAL receiver, and NULL where a plain role sees only
/// that there is one.
///
/// A server checks the right to a function even where it would not call it: what one role of servers has and the other
/// lacks is a part of its own.
pub(super) static FACTS: [PartSql; 16] = [
    value(Part::Role, "{standby} as standby"),
    value(
        Part::Clock,
        "date_part('epoch', clock_timestamp()) as server_time,
  date_part('epoch', clock_timestamp() - statement_timestamp()) as worked",
    ),
    value(Part::MaxConnections, "current_setting('max_connections', true)::int8 as max_connections"),
    PartSql {
        part: Part::Sessions,
        columns: "b.clients, b.active, b.idle, b.idle_in_transaction, b.waiting, b.oldest",
        from: Some(
            "\
(select case when hidden = 0 then clients end as clients, case when hidden = 0 then active end as active,
    case when hidden = 0 then idle end as idle, case when hidden = 0 then idle_in_transaction end as idle_in_transaction,
    case when hidden = 0 then waiting end as waiting, case when hidden = 0 then oldest end as oldest
    from (select count(*) filter (where backend_type = 'client backend') as clients,
      count(*) filter (where backend_type is null) as hidden,
      count(*) filter (where backend_type = 'client backend' and state = 'active') as active,
      count(*) filter (where backend_type = 'client backend' and state = 'idle') as idle,
      count(*) filter (where backend_type = 'client backend' and state like 'idle in transaction%') as idle_in_transaction,
      count(*) filter (where wait_event_type = 'Lock') as waiting,
      date_part('epoch', max(clock_timestamp() - xact_start)
        filter (where backend_type = 'client backend' and pid <> pg_backend_pid())) as oldest
      from a) seen) b",
        ),
        needs_with: true,
    },
    PartSql {
        part: Part::Databases,
        columns: "d.backends, d.commits, d.rollbacks, d.blocks_read, d.blocks_hit, d.temp_bytes, d.deadlocks, d.stats_reset",
        from: Some(
            "\
(select sum(numbackends)::int8 as backends, sum(xact_commit)::int8 as commits, sum(xact_rollback)::int8 as rollbacks,
    sum(blks_read)::int8 as blocks_read, sum(blks_hit)::int8 as blocks_hit, sum(temp_bytes)::int8 as temp_bytes,
    sum(deadlocks)::int8 as deadlocks, date_part('epoch', max(stats_reset)) as stats_reset
    from pg_stat_database) d",
        ),
        needs_with: false,
    },
    value(Part::Written, "case when not {standby} then (pg_current_wal_lsn() - '0/0')::int8 end as written"),
    value(Part::Replayed, "case when {standby} then (pg_last_wal_replay_lsn() - '0/0')::int8 end as replayed"),
    value(Part::Received, "case when {standby} then (pg_last_wal_receive_lsn() - '0/0')::int8 end as received"),
    value(
        Part::LastCommit,
        "case when {standby} then date_part('epoch', clock_timestamp() - pg_last_xact_replay_timestamp()) end as commit_age",
    ),
    value(Part::ReplayPaused, "case when {standby} then pg_is_wal_replay_paused() end as replay_paused"),
    PartSql {
        part: Part::Receiver,
        columns: "case when {standby} then r.status end as receiver, case when {standby} then r.silent end as silent,
  case when {standby} then r.timeline end as received_timeline",
        from: Some(
            "\
(select case when count(*) = 0 then 'stopped' else max(status) end as status, max(received_tli)::int8 as timeline,
    date_part('epoch', clock_timestamp() - max(last_msg_receipt_time)) as silent from pg_stat_wal_receiver) r",
        ),
        needs_with: false,
    },
    PartSql {
        part: Part::Senders,
        columns: "s.pids, s.names, s.states, s.replays, s.lags, s.logical",
        from: Some(
            "\
(select coalesce(array_agg(g.pid), '{}') as pids, array_agg(a.application_name) as names, array_agg(g.state) as states,
    array_agg((g.replay_lsn - '0/0')::int8) as replays, array_agg(date_part('epoch', g.replay_lag)) as lags,
    array_agg(a.datid is not null) as logical
    from pg_stat_get_wal_senders() g join a on a.pid = g.pid
    where g.state is distinct from 'backup' and a.application_name is distinct from 'pg_basebackup'
      and (a.datid is null or a.application_name !~ '^pg_[0-9]+_sync_')) s",
        ),
        needs_with: true,
    },
    value(
        Part::Timeline,
        "case when not {standby}
    then ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int8 end as timeline",
    ),
    value(Part::ConfigLoaded, "date_part('epoch', pg_conf_load_time()) as config_loaded"),
    // Marks: what they are made of tells which changes they show. The views tell what changed.
    value(
        Part::SlotsMark,
        "(select sum(hashtext(slot_name::text))::int8 from pg_get_replication_slots() where not temporary) as slots_mark",
    ),
    value(
        Part::SubscriptionsMark,
        "(select sum(hashtext(subname || subenabled::text))::int8 from pg_subscription) as subscriptions_mark,
  (select sum(hashtext(subid::text))::int8 from pg_stat_get_subscription(null::oid) where pid is not null and relid is null)
    as workers_mark",
    ),
];

/// Asked once per connection, and again after the server has reloaded its configuration.
pub(super) static SERVER: [PartSql; 11] = [
    value(Part::Started, "date_part('epoch', pg_postmaster_start_time()) as started_at"),
    value(Part::ClusterName, "current_setting('cluster_name', true) as cluster_name"),
    value(Part::Port, "current_setting('port', true)::int8 as port"),
    value(Part::Restores, "current_setting('restore_command', true) <> '' as restores"),
    value(
        Part::ApplyDelay,
        "(select setting::int8 from pg_settings where name = 'recovery_min_apply_delay') as apply_delay,
  (select setting::int8 from pg_settings where name = 'wal_receiver_timeout'
    and source not in ('database', 'user', 'database user', 'client', 'session')) as receiver_timeout",
    ),
    value(Part::SegmentSize, "pg_size_bytes(current_setting('wal_segment_size', true)) as wal_segment"),
    value(
        Part::Rights,
        "array(select rolname::text from pg_roles where rolname like 'pg\\_%' and pg_has_role(oid, 'usage')) as rights",
    ),
    value(
        Part::Monitors,
        "current_user::text as acts_for,
  (select case when pg_has_role(oid, 'usage') then 'usage' when pg_has_role(oid, 'member') then 'member' else 'none' end
    from pg_roles where rolname = 'pg_monitor') as monitors",
    ),
    value(Part::PendingRestart, "(select count(*) from pg_settings where pending_restart) as pending_restart"),
    value(Part::Identifier, "(select system_identifier from pg_control_system()) as system_identifier"),
    PartSql {
        part: Part::Settings,
        columns: "t.names, t.settings, t.sources, t.pending, t.resets, t.boots, t.units",
        from: Some(SETTINGS),
        needs_with: false,
    },
];

/// In the order in which they are shown. A server that lacks a setting returns no row for it.
const SETTINGS: &str = "\
(select array_agg(s.name order by place) as names, array_agg(current_setting(s.name) order by place) as settings,
  array_agg(s.source order by place) as sources, array_agg(s.pending_restart order by place) as pending,
  array_agg(s.reset_val order by place) as resets, array_agg(s.boot_val order by place) as boots, array_agg(s.unit order by place) as units
  from unnest(array['max_connections', 'superuser_reserved_connections', 'reserved_connections', 'shared_buffers',
    'effective_cache_size', 'work_mem', 'maintenance_work_mem', 'max_worker_processes', 'max_parallel_workers',
    'wal_level', 'max_wal_size', 'checkpoint_timeout', 'synchronous_commit', 'synchronous_standby_names', 'hot_standby',
    'hot_standby_feedback', 'max_wal_senders', 'max_replication_slots', 'wal_keep_size', 'wal_keep_segments',
    'max_slot_wal_keep_size', 'archive_mode', 'autovacuum', 'autovacuum_max_workers', 'random_page_cost',
    'effective_io_concurrency', 'io_method', 'statement_timeout', 'idle_in_transaction_session_timeout',
    'log_min_duration_statement', 'track_io_timing', 'data_checksums', 'fsync', 'full_page_writes', 'ssl',
    'password_encryption', 'shared_preload_libraries', 'TimeZone']) with ordinality as wanted(name, place)
  join pg_settings s on s.name = wanted.name) t";

/// The answers to the parts of a statement: one row, or several where parts were asked for alone.
#[derive(Debug, Default)]
pub(super) struct Answer(pub(super) Vec<Told>);

impl Answer {
    /// The value of a column; `None` if it is NULL, if the part that it belongs to is missing, or if the server calls
    /// something else by that name.
    fn get<T: for<'a> FromSql<'a> + DeserializeOwned>(&self, column: &str) -> Option<T> {
        self.0.iter().find_map(|told| told.get(column))
    }

    fn big(&self, column: &str) -> Option<u64> {
        u64::try_from(self.get::<i64>(column)?).ok()
    }

    fn small(&self, column: &str) -> Option<u32> {
        u32::try_from(self.get::<i64>(column)?).ok()
    }

    /// If the clock was set back, this is 0 instead of a negative age.
    fn duration(&self, column: &str) -> Option<Duration> {
        Duration::try_from_secs_f64(self.get::<f64>(column)?.max(0.0)).ok()
    }

    fn time(&self, column: &str) -> Option<SystemTime> {
        // A server counts in microseconds.
        let since = Duration::from_micros((self.get::<f64>(column)?.max(0.0) * 1e6).round() as u64);
        SystemTime::UNIX_EPOCH.checked_add(since)
    }

    /// How long the server has worked on the statement: the list of columns is computed after all that it reads from.
    pub(super) fn worked(&self) -> Option<Duration> {
        self.duration("worked")
    }

    /// The role, where the server tells it.
    pub(super) fn role(&self) -> Option<Role> {
        self.get("standby").map(|standby: bool| if standby { Role::Standby } else { Role::Primary })
    }

    /// The WAL senders of standbys, and those of subscribers: arrays of the same length; without any sender, all but the
    /// first are NULL.
    fn senders(&self) -> Option<(Vec<Sender>, Vec<Sender>)> {
        let pids: Vec<i32> = self.get("pids")?;
        let names: Vec<Option<String>> = self.get("names").unwrap_or_default();
        let states: Vec<Option<String>> = self.get("states").unwrap_or_default();
        let replays: Vec<Option<i64>> = self.get("replays").unwrap_or_default();
        let lags: Vec<Option<f64>> = self.get("lags").unwrap_or_default();
        let logical: Vec<Option<bool>> = self.get("logical").unwrap_or_default();
        let rows = pids.into_iter().zip(names).zip(states).zip(replays).zip(lags).zip(logical);
        let senders = rows.map(|(((((pid, name), state), replayed), lag), is_logical)| {
            let sender = Sender {
                pid,
                name: name.map(|name| masked_setting(&name).into_owned()),
                state,
                replayed: replayed.and_then(|position| u64::try_from(position).ok()),
                lag: lag.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok()),
            };
            (is_logical == Some(true), sender)
        });
        let (logical, physical): (Vec<_>, Vec<_>) = senders.partition(|(is_logical, _)| *is_logical);
        let of = |list: Vec<(bool, Sender)>| list.into_iter().map(|(_, sender)| sender).collect();
        Some((of(physical), of(logical)))
    }

    /// The server's own value is reported for a setting that our session has changed.
    fn settings(&self) -> Vec<Setting> {
        let names: Vec<String> = self.get("names").unwrap_or_default();
        let pending: Vec<Option<bool>> = self.get("pending").unwrap_or_default();
        let [mut values, mut sources, mut resets, mut boots, mut units] =
            ["settings", "sources", "resets", "boots", "units"]
                .map(|column| self.get::<Vec<Option<String>>>(column).unwrap_or_default().into_iter());
        let mut settings = Vec::with_capacity(names.len());
        for (name, pending) in names.into_iter().zip(pending) {
            let [value, source, reset, boot, unit] = [&mut values, &mut sources, &mut resets, &mut boots, &mut units]
                .map(|texts| texts.next().flatten().unwrap_or_default());
            let ours = source == "session";
            settings.push(Setting {
                name,
                value: if ours { with_unit(&reset, &unit) } else { value },
                source: if ours && reset == boot { "default".to_owned() } else { source },
                pending_restart: pending.unwrap_or(false),
            });
        }
        settings
    }
}

/// Reads the answers to [`FACTS`] of a server of this role.
pub(super) fn read_facts(answer: &Answer, role: Role, missing: Vec<Missing>) -> Facts {
    let (senders, logical_senders) = answer.senders().unzip();
    Facts {
        // Without the server's clock, ours.
        server_time: answer.time("server_time").unwrap_or_else(SystemTime::now),
        clock_ahead: 0,
        role,
        connections: answer.small("clients").or_else(|| answer.small("backends")),
        max_connections: answer.small("max_connections"),
        active: answer.small("active"),
        idle: answer.small("idle"),
        idle_in_transaction: answer.small("idle_in_transaction"),
        waiting_for_lock: answer.small("waiting"),
        oldest_transaction: answer.duration("oldest"),
        commits: answer.big("commits"),
        rollbacks: answer.big("rollbacks"),
        blocks_read: answer.big("blocks_read"),
        blocks_hit: answer.big("blocks_hit"),
        temp_bytes: answer.big("temp_bytes"),
        deadlocks: answer.big("deadlocks"),
        stats_reset: answer.time("stats_reset"),
        wal_position: answer.big("written").or_else(|| answer.big("replayed")),
        received: answer.big("received"),
        commit_age: answer.get("commit_age"),
        replay_paused: answer.get("replay_paused"),
        receiver: answer.get("receiver"),
        receiver_silent: answer.duration("silent"),
        senders,
        logical_senders: logical_senders.unwrap_or_default(),
        timeline: answer.small("timeline").or_else(|| answer.small("received_timeline")),
        config_loaded: answer.time("config_loaded"),
        missing,
        elapsed: Duration::ZERO,
    }
}

/// Differs after a slot or subscription came or went, was enabled or disabled, or got or lost its worker.
pub(super) fn read_marks(answer: &Answer) -> [Option<i64>; 3] {
    ["slots_mark", "subscriptions_mark", "workers_mark"].map(|mark| answer.get(mark))
}

/// Reads the answers to [`SERVER`].
pub(super) fn read_server(version: (String, u32), answer: &Answer, missing: Vec<Missing>) -> ServerFacts {
    ServerFacts {
        version: version.0,
        version_num: version.1,
        started_at: answer.time("started_at"),
        // The server prints it signed in SQL and unsigned everywhere else.
        system_identifier: answer.get("system_identifier").map(|identifier: i64| identifier as u64),
        cluster_name: answer.get("cluster_name").filter(|name: &String| !name.is_empty()),
        port: answer.get("port").and_then(|port: i64| u16::try_from(port).ok()),
        restores: answer.get("restores"),
        apply_delay: answer.big("apply_delay").map(Duration::from_millis),
        receiver_timeout: answer.big("receiver_timeout").map(Duration::from_millis),
        wal_segment: answer.big("wal_segment"),
        rights: answer.get("rights").unwrap_or_default(),
        settings: answer.settings(),
        configured: None,
        pending_restart: answer.small("pending_restart"),
        login_warnings: Vec::new(),
        reached_at: None,
        pooling: None,
        acts_for: answer.get("acts_for"),
        monitors: answer.get("monitors"),
        missing,
    }
}
