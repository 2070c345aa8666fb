//! What a view can do without, and what stands in for it: a value that nobody knows. So a view loses what needs it, and
//! nothing else.
//!
//! The server's catalog says which functions and relations the role may not use (`stand_ins/denied.rs`). Those that a
//! platform lacks or does not support are known here, as the built-in views use them.

pub(super) mod denied;

use std::time::Duration;

use tokio::time::Instant;

use self::denied::{Denied, Used};
use crate::model::{NodeError, Role, View};

/// How long a function that does not work is left out before it is tried again.
const AGAIN: Duration = Duration::from_mins(1);

/// Where views call a function, what stands in for it there, and what fails if it does not work.
struct StandIn {
    calls: &'static str,
    unknown: &'static str,
    probe: &'static str,
    /// The roles of servers that lose something.
    lost_on: &'static [Role],
}

const fn function(calls: &'static str, unknown: &'static str, probe: &'static str) -> StandIn {
    StandIn { calls, unknown, probe, lost_on: &[Role::Primary, Role::Standby] }
}

const fn of_primaries(calls: &'static str, unknown: &'static str, probe: &'static str) -> StandIn {
    StandIn { calls, unknown, probe, lost_on: &[Role::Primary] }
}

const fn of_standbys(calls: &'static str, unknown: &'static str, probe: &'static str) -> StandIn {
    StandIn { calls, unknown, probe, lost_on: &[Role::Standby] }
}

/// A server checks the right to a function even where it would not call it. Each probe calls it only where it is meant to
/// work.
static ALL: [StandIn; 16] = [
    of_standbys("pg_last_wal_receive_lsn()", "null::pg_lsn", "pg_last_wal_receive_lsn()"),
    of_standbys("pg_last_wal_replay_lsn()", "null::pg_lsn", "pg_last_wal_replay_lsn()"),
    of_standbys("pg_last_xact_replay_timestamp()", "null::timestamptz", "pg_last_xact_replay_timestamp()"),
    of_primaries("pg_current_wal_lsn()", "null::pg_lsn", "case when not {standby} then pg_current_wal_lsn() end"),
    of_standbys("pg_is_wal_replay_paused()", "null::bool", "case when {standby} then pg_is_wal_replay_paused() end"),
    of_primaries(
        "pg_walfile_name(",
        "format(null::text, ",
        "case when not {standby} then pg_walfile_name('0/1000001') end",
    ),
    function(
        "(select system_identifier from pg_control_system())",
        "null::int8",
        "(select system_identifier from pg_control_system())",
    ),
    function(
        "pg_control_recovery(), pg_control_checkpoint()",
        "(select null::int4 as min_recovery_end_timeline, null::int4 as timeline_id) c",
        "(select timeline_id from pg_control_recovery(), pg_control_checkpoint())",
    ),
    function(
        "pg_control_checkpoint() k",
        "(select null::pg_lsn as redo_lsn, null::timestamptz as checkpoint_time) k",
        "(select timeline_id from pg_control_checkpoint())",
    ),
    function(
        "pg_ls_waldir() w",
        "(select ''::text as name, null::timestamptz as modification where false) w",
        "(select max(modification) from pg_ls_waldir())",
    ),
    function(
        "(select count(*) from pg_ls_archive_statusdir() a where a.name like '%.ready')",
        "null::int8",
        "(select count(*) from pg_ls_archive_statusdir())",
    ),
    function(
        "(select count(*) as files, min(f.modification) as oldest from pg_ls_archive_statusdir() f \
         where here.archives and f.name like '%.ready') w",
        "(select null::int8 as files, null::timestamptz as oldest) w",
        "(select count(*) from pg_ls_archive_statusdir())",
    ),
    function(
        "(select sum(conflicts) from pg_stat_database)",
        "null::int8",
        "(select sum(conflicts) from pg_stat_database)",
    ),
    function(
        "left join pg_replication_slots s",
        "left join (select null::name as slot_name, null::text as slot_type, null::name as database, \
         null::int4 as active_pid where false) s",
        "(select max(active_pid) from pg_replication_slots)",
    ),
    // Our own session is in the same database.
    StandIn {
        lost_on: &[],
        ..function(
            "(select oid from pg_database where datname = current_database())",
            "(select datid from pg_stat_get_activity(pg_backend_pid()))",
            "(select oid from pg_database where datname = current_database())",
        )
    },
    // Without a row the standby would seem to have no receiver. A process id of 0 is no one's: whether there is one is unknown.
    of_standbys(
        "pg_stat_wal_receiver r",
        "(select 0 as pid, null::text as status, null::text as slot_name, null::text as conninfo, \
         null::int4 as received_tli, null::text as sender_host, null::int4 as sender_port, \
         null::pg_lsn as received_lsn, null::pg_lsn as flushed_lsn, null::pg_lsn as latest_end_lsn, \
         null::timestamptz as last_msg_receipt_time) r",
        "(select max(pid) from pg_stat_wal_receiver)",
    ),
];

/// Where views ask for the role of the server.
const IN_RECOVERY: &str = "pg_is_in_recovery()";

/// What an answer lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    /// The reason, with what would help.
    pub(super) why: String,
    /// True if rows may be missing too.
    pub(super) rows: bool,
}

/// What does not work on a session, and why.
#[derive(Debug, Default)]
pub(super) struct StandIns {
    /// Places in [`ALL`].
    found: Vec<(usize, String)>,
    denied: Vec<(Denied, String)>,
    /// True if `pg_is_in_recovery()` does not work.
    role: bool,
    /// Since when that is known, and as of which wish of the user.
    since: Option<Instant>,
    wish: u64,
}

impl StandIns {
    /// After some time, or when the user asks, everything is tried again.
    pub(super) fn renew(&mut self, wish: u64, now: Instant) {
        if wish != self.wish || self.since.is_some_and(|since| now >= since + AGAIN) {
            *self = Self { wish, ..Self::default() };
        }
    }

    /// The statement with what stands in for what does not work, on a server of this role, and what is lost.
    pub(super) fn apply(&self, view: &View, sql: String, role: Role) -> (String, Option<Lost>) {
        let mut reasons: Vec<&str> = Vec::new();
        let mut sql = self.found.iter().fold(sql, |sql, (at, why)| {
            let Some(stand_in) = ALL.get(*at).filter(|stand_in| sql.contains(stand_in.calls)) else { return sql };
            if stand_in.lost_on.contains(&role) && !reasons.contains(&why.as_str()) {
                reasons.push(why);
            }
            sql.replace(stand_in.calls, stand_in.unknown)
        });
        if self.role {
            sql = sql.replace(IN_RECOVERY, told(role));
        }
        let mut rows = false;
        if !self.denied.is_empty() {
            let (text, gone, arms) = denied::without(&sql, &self.denied, has_arms(view));
            let why = self.denied.iter().filter(|(denied, _)| gone.contains(&denied) && denied.is_lost_on(role));
            reasons.extend(why.map(|(_, why)| why.as_str()));
            (sql, rows) = (text, arms);
        }
        let what = if rows { "some rows and values" } else { "some values" };
        let why = (!reasons.is_empty()).then(|| format!("{what} are missing: {}", reasons.join("; ")));
        (sql, why.map(|why| Lost { why, rows }))
    }

    /// What the statement could do without, if the role may not use it.
    pub(super) fn used<'a>(view: &View, sql: &'a str) -> Used<'a> {
        let mut used = denied::used(sql, has_arms(view));
        used.functions.retain(|name| !IN_RECOVERY.starts_with(name));
        // It has a stand-in of its own.
        used.relations.remove("pg_stat_wal_receiver");
        used
    }

    /// What tells why a statement failed: the functions in it, each in a statement of its own. Empty if its error is not one
    /// of a function, or if nothing new can be found.
    pub(super) fn probes(&self, sql: &str, error: &NodeError, role: Role) -> Vec<(Probe, String)> {
        const OF_FUNCTIONS: [&str; 7] = ["42501", "42883", "42P01", "0A000", "55000", "XX000", "P0001"];
        if !error.sqlstate.as_deref().is_some_and(|code| OF_FUNCTIONS.contains(&code)) {
            return Vec::new();
        }
        let standby = told(role);
        let own = ALL.iter().enumerate();
        let own = own
            .filter(|(at, function)| sql.contains(function.calls) && !self.found.iter().any(|(found, _)| found == at));
        let own = own.map(|(at, function)| {
            (Probe(Some(at)), format!("select {}", function.probe.replace("{standby}", standby)))
        });
        let role = (sql.contains(IN_RECOVERY) && !self.role).then(|| (Probe(None), format!("select {IN_RECOVERY}")));
        own.chain(role).collect()
    }

    /// Takes in that a probe failed, and why.
    pub(super) fn failed(&mut self, Probe(at): Probe, why: String, now: Instant) {
        self.since.get_or_insert(now);
        match at {
            Some(at) => self.found.push((at, why)),
            None => self.role = true,
        }
    }

    /// Takes in what the role may not use, and why. Returns false if that was known.
    pub(super) fn denied(&mut self, denied: Denied, why: String, now: Instant) -> bool {
        let is_new = !self.denied.iter().any(|(known, _)| *known == denied);
        if is_new {
            self.since.get_or_insert(now);
            self.denied.push((denied, why));
        }
        is_new
    }
}

/// Where nodes are compared, a missing row would be a difference.
fn has_arms(view: &View) -> bool {
    view.compare.is_none()
}

/// Which function a probe tries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe(Option<usize>);

/// The role as an expression that may stand wherever a function may.
fn told(role: Role) -> &'static str {
    match role {
        Role::Standby => "coalesce(true)",
        Role::Primary => "coalesce(false)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::views;
    use crate::model::ErrorKind;
    use crate::model::view::{Target, Version};

    /// A stand-in that no view needs is dead; one for a call that a view writes in another way would be no use.
    #[test]
    fn each_stand_in_is_for_a_call_of_a_view() {
        let target =
            |(major, role)| Target { version: Version(major, 0), role, schema: Some("public"), as_bytes: false };
        let targets = [15, 17].map(|major| [(major, Role::Primary), (major, Role::Standby)]).concat();
        let texts = views::ours().values().flat_map(|view| targets.iter().map(|of| view.sql(target(*of))));
        let texts: Vec<String> = texts.flatten().collect();
        for function in &ALL {
            assert!(texts.iter().any(|text| text.contains(function.calls)), "no view calls {}", function.calls);
        }
    }

    #[test]
    fn what_failed_is_left_out_for_a_minute() {
        let (mut stand_ins, now) = (StandIns::default(), Instant::now());
        let sql = || "select pg_last_wal_receive_lsn() from pg_is_in_recovery() r".to_owned();
        let view = &views::ours()["activity"];
        let error = |code: &str| NodeError { sqlstate: Some(code.to_owned()), ..NodeError::new(ErrorKind::Sql, "no") };
        assert!(stand_ins.probes(&sql(), &error("40001"), Role::Standby).is_empty(), "a passing error");
        let probes = stand_ins.probes(&sql(), &error("42501"), Role::Standby);
        assert_eq!(probes.len(), 2);
        for (probe, _) in probes {
            stand_ins.failed(probe, "no".to_owned(), now);
        }
        stand_ins.renew(0, now + Duration::from_secs(59));
        let lost = Some(Lost { why: "some values are missing: no".to_owned(), rows: false });
        let left = stand_ins.apply(view, sql(), Role::Standby);
        assert_eq!(left, ("select null::pg_lsn from coalesce(true) r".to_owned(), lost));
        stand_ins.renew(0, now + AGAIN);
        assert_eq!(stand_ins.apply(view, sql(), Role::Standby), (sql(), None));
    }
}
