//! The statements that ask a server for its figures, and how their answers become `model::Facts`.
//!
//! Each statement has one text for PostgreSQL 10 to 18, for primary and standby, for superuser and plain role. It names
//! only columns that all of these have; a figure that a role may not see comes back as NULL. The texts are constant, so
//! each is one entry in the server's `pg_stat_statements`.

use std::time::{Duration, SystemTime};

use tokio_postgres::{Error, Row};

use crate::model::facts::{Sender, Setting};
use crate::model::{Facts, Role, ServerFacts};

/// One refresh (N11), at half the server time that the plain views would take: it lists the sessions once, from the
/// functions below `pg_stat_activity` and `pg_stat_replication`, and uses `date_part`, which is `extract` without its
/// detour over numeric. A plain role sees the sessions of other roles without state and type: their activity is then
/// unknown, and `pg_stat_database` gives the number of connections. A logical subscriber is not counted as a standby:
/// its sender has a database. `receiver` is `stopped` without a WAL receiver, and NULL where a plain role sees only
/// that there is one.
pub(super) const FACTS: &str = "\
with a as (select pid, datid, application_name, backend_type, state, wait_event_type, xact_start
  from pg_stat_get_activity(null))
select date_part('epoch', clock_timestamp()) as server_time, w.standby,
  case when b.hidden = 0 then b.clients else d.backends end as connections,
  current_setting('max_connections')::int8 as max_connections,
  case when b.hidden = 0 then b.active end as active, case when b.hidden = 0 then b.idle end as idle,
  case when b.hidden = 0 then b.idle_in_transaction end as idle_in_transaction,
  case when b.hidden = 0 then b.waiting end as waiting,
  case when b.hidden = 0 then b.oldest end as oldest,
  d.commits, d.rollbacks, d.blocks_read, d.blocks_hit, d.temp_bytes, d.deadlocks, d.stats_reset,
  (w.position - '0/0')::int8 as position,
  case when w.standby then date_part('epoch', clock_timestamp() - pg_last_xact_replay_timestamp()) end as commit_age,
  (w.received - '0/0')::int8 as received,
  case when pg_is_in_recovery() then pg_is_wal_replay_paused() end as replay_paused,
  case when w.standby then r.status end as receiver, case when w.standby then r.silent end as silent,
  s.pids, s.names, s.states, s.replayed, s.lags,
  case when w.standby then r.timeline
    else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int8 end as timeline,
  date_part('epoch', pg_conf_load_time()) as config_loaded
from (select pg_is_in_recovery() as standby, pg_last_wal_receive_lsn() as received,
    case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end as position) w,
  (select count(*) filter (where backend_type = 'client backend') as clients,
    count(*) filter (where backend_type is null) as hidden,
    count(*) filter (where backend_type = 'client backend' and state = 'active') as active,
    count(*) filter (where backend_type = 'client backend' and state = 'idle') as idle,
    count(*) filter (where backend_type = 'client backend' and state like 'idle in transaction%') as idle_in_transaction,
    count(*) filter (where wait_event_type = 'Lock') as waiting,
    date_part('epoch', max(clock_timestamp() - xact_start)
      filter (where backend_type = 'client backend' and pid <> pg_backend_pid())) as oldest
    from a) b,
  (select sum(numbackends)::int8 as backends, sum(xact_commit)::int8 as commits, sum(xact_rollback)::int8 as rollbacks,
    sum(blks_read)::int8 as blocks_read, sum(blks_hit)::int8 as blocks_hit, sum(temp_bytes)::int8 as temp_bytes,
    sum(deadlocks)::int8 as deadlocks, date_part('epoch', max(stats_reset)) as stats_reset
    from pg_stat_database) d,
  (select case when count(*) = 0 then 'stopped' else max(status) end as status, max(received_tli)::int8 as timeline,
    date_part('epoch', clock_timestamp() - max(last_msg_receipt_time)) as silent from pg_stat_wal_receiver) r,
  (select coalesce(array_agg(g.pid), '{}') as pids, array_agg(a.application_name) as names, array_agg(g.state) as states,
    array_agg((g.replay_lsn - '0/0')::int8) as replayed, array_agg(date_part('epoch', g.replay_lag)) as lags
    from pg_stat_get_wal_senders() g join a on a.pid = g.pid
    where g.state is distinct from 'backup' and a.datid is null) s";

/// Asked once per connection, and again after the server has reloaded its configuration.
pub(super) const SERVER: &str = "\
select extract(epoch from pg_postmaster_start_time())::float8 as started_at,
  current_setting('cluster_name') as cluster_name, current_setting('port')::int8 as port,
  current_setting('restore_command', true) <> '' as restores,
  (select setting::int8 from pg_settings where name = 'recovery_min_apply_delay') as apply_delay,
  pg_size_bytes(current_setting('wal_segment_size')) as wal_segment,
  array(select rolname::text from pg_roles where rolname like 'pg\\_%' and pg_has_role(oid, 'usage')) as rights,
  (select count(*) from pg_settings where pending_restart) as pending_restart";

/// Separate from [`SERVER`], since a role may lack the right to it.
pub(super) const IDENTIFIER: &str = "select system_identifier from pg_control_system()";

/// In the order in which they are shown. A server that lacks a setting returns no row for it.
pub(super) const SETTINGS: &str = "\
select s.name, current_setting(s.name), s.source, s.pending_restart
from unnest(array['max_connections', 'superuser_reserved_connections', 'reserved_connections', 'shared_buffers',
  'effective_cache_size', 'work_mem', 'maintenance_work_mem', 'max_worker_processes', 'max_parallel_workers',
  'wal_level', 'max_wal_size', 'checkpoint_timeout', 'synchronous_commit', 'synchronous_standby_names', 'hot_standby',
  'hot_standby_feedback', 'max_wal_senders', 'max_replication_slots', 'wal_keep_size', 'wal_keep_segments',
  'max_slot_wal_keep_size', 'archive_mode', 'autovacuum', 'autovacuum_max_workers', 'random_page_cost',
  'effective_io_concurrency', 'io_method', 'statement_timeout', 'idle_in_transaction_session_timeout',
  'log_min_duration_statement', 'track_io_timing', 'data_checksums', 'fsync', 'full_page_writes', 'ssl',
  'password_encryption', 'shared_preload_libraries', 'TimeZone']) with ordinality as wanted(name, place)
join pg_settings s on s.name = wanted.name order by wanted.place";

/// Reads the row of [`FACTS`].
pub(super) fn read_facts(row: &Row) -> Result<Facts, Error> {
    Ok(Facts {
        server_time: time(row.try_get("server_time")?),
        role: if row.try_get("standby")? { Role::Standby } else { Role::Primary },
        connections: small(row, "connections")?,
        max_connections: small(row, "max_connections")?,
        active: small(row, "active")?,
        idle: small(row, "idle")?,
        idle_in_transaction: small(row, "idle_in_transaction")?,
        waiting_for_lock: small(row, "waiting")?,
        oldest_transaction: duration(row, "oldest")?,
        commits: big(row, "commits")?,
        rollbacks: big(row, "rollbacks")?,
        blocks_read: big(row, "blocks_read")?,
        blocks_hit: big(row, "blocks_hit")?,
        temp_bytes: big(row, "temp_bytes")?,
        deadlocks: big(row, "deadlocks")?,
        stats_reset: row.try_get::<_, Option<f64>>("stats_reset")?.map(time),
        wal_position: big(row, "position")?,
        received: big(row, "received")?,
        commit_age: row.try_get("commit_age")?,
        replay_paused: row.try_get("replay_paused")?,
        receiver: row.try_get("receiver")?,
        receiver_silent: duration(row, "silent")?,
        senders: senders(row)?,
        timeline: small(row, "timeline")?,
        config_loaded: row.try_get::<_, Option<f64>>("config_loaded")?.map(time),
        elapsed: Duration::ZERO,
    })
}

/// Reads the row of [`SERVER`] and those of [`SETTINGS`].
pub(super) fn read_server(
    version: (String, u32),
    row: &Row,
    identifier: Option<i64>,
    settings: &[Row],
) -> Result<ServerFacts, Error> {
    let setting = |row: &Row| {
        Ok(Setting {
            name: row.try_get(0)?,
            value: row.try_get(1)?,
            source: row.try_get(2)?,
            pending_restart: row.try_get(3)?,
        })
    };
    Ok(ServerFacts {
        version: version.0,
        version_num: version.1,
        started_at: row.try_get::<_, Option<f64>>("started_at")?.map(time),
        // The server prints it signed in SQL and unsigned everywhere else.
        system_identifier: identifier.map(|identifier| identifier as u64),
        cluster_name: row.try_get::<_, Option<String>>("cluster_name")?.filter(|name| !name.is_empty()),
        port: row.try_get::<_, Option<i64>>("port")?.and_then(|port| u16::try_from(port).ok()),
        restores: row.try_get("restores")?,
        apply_delay: big(row, "apply_delay")?.map(Duration::from_millis),
        wal_segment: big(row, "wal_segment")?,
        rights: row.try_get("rights")?,
        settings: settings.iter().map(setting).collect::<Result<_, Error>>()?,
        configured: None,
        pending_restart: small(row, "pending_restart")?,
    })
}

fn big(row: &Row, column: &str) -> Result<Option<u64>, Error> {
    Ok(row.try_get::<_, Option<i64>>(column)?.and_then(|value| u64::try_from(value).ok()))
}

fn small(row: &Row, column: &str) -> Result<Option<u32>, Error> {
    Ok(row.try_get::<_, Option<i64>>(column)?.and_then(|value| u32::try_from(value).ok()))
}

/// The WAL senders of standbys: five arrays of the same length; without any sender, all but the first are NULL.
fn senders(row: &Row) -> Result<Option<Vec<Sender>>, Error> {
    let Some(pids) = row.try_get::<_, Option<Vec<i32>>>("pids")? else { return Ok(None) };
    let names = row.try_get::<_, Option<Vec<Option<String>>>>("names")?.unwrap_or_default();
    let states = row.try_get::<_, Option<Vec<Option<String>>>>("states")?.unwrap_or_default();
    let replayed = row.try_get::<_, Option<Vec<Option<i64>>>>("replayed")?.unwrap_or_default();
    let lags = row.try_get::<_, Option<Vec<Option<f64>>>>("lags")?.unwrap_or_default();
    let rows = pids.into_iter().zip(names).zip(states).zip(replayed).zip(lags);
    let senders = rows.map(|((((pid, name), state), replayed), lag)| Sender {
        pid,
        name,
        state,
        replayed: replayed.and_then(|position| u64::try_from(position).ok()),
        lag: lag.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok()),
    });
    Ok(Some(senders.collect()))
}

/// If the clock was set back, this is 0 instead of a negative age.
fn duration(row: &Row, column: &str) -> Result<Option<Duration>, Error> {
    Ok(row.try_get::<_, Option<f64>>(column)?.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok()))
}

fn time(epoch: f64) -> SystemTime {
    let since = Duration::try_from_secs_f64(epoch.max(0.0)).unwrap_or_default();
    SystemTime::UNIX_EPOCH + since
}
