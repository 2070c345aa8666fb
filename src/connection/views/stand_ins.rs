//! Functions that a platform may forbid, lack or not support, as the built-in views call them, and what stands in for each:
//! a value that nobody knows. So a view loses what needs the function, and nothing else.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::{NodeError, Role};

/// How long a function that does not work is left out before it is tried again.
const AGAIN: Duration = Duration::from_mins(1);

/// Where views call a function, what stands in for it there, and what fails if it does not work.
#[derive(Clone, Copy)]
struct StandIn {
    calls: &'static str,
    unknown: &'static str,
    probe: &'static str,
    /// The only role of servers that need it: the others lose nothing.
    needed_on: Option<Role>,
    /// The only role of servers on which nothing is a lie there.
    only_on: Option<Role>,
}

const fn function(calls: &'static str, unknown: &'static str, probe: &'static str) -> StandIn {
    StandIn { calls, unknown, probe, needed_on: None, only_on: None }
}

const fn of(role: Role, function: StandIn) -> StandIn {
    StandIn { needed_on: Some(role), ..function }
}

/// A server checks the right to a function even where it would not call it. So a probe that fails only because the server has
/// another role may stand in there too.
static ALL: [StandIn; 12] = [
    of(Role::Standby, function("pg_last_wal_receive_lsn()", "null::pg_lsn", "pg_last_wal_receive_lsn()")),
    of(Role::Standby, function("pg_last_wal_replay_lsn()", "null::pg_lsn", "pg_last_wal_replay_lsn()")),
    of(
        Role::Standby,
        function("pg_last_xact_replay_timestamp()", "null::timestamptz", "pg_last_xact_replay_timestamp()"),
    ),
    of(Role::Primary, function("pg_current_wal_lsn()", "null::pg_lsn", "pg_current_wal_lsn()")),
    of(Role::Standby, function("pg_is_wal_replay_paused()", "null::bool", "pg_is_wal_replay_paused()")),
    of(Role::Primary, function("pg_walfile_name(", "format(null::text, ", "pg_walfile_name('0/1000001')")),
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
        "pg_control_checkpoint() c",
        "(select null::pg_lsn as redo_lsn, null::timestamptz as checkpoint_time) c",
        "(select timeline_id from pg_control_checkpoint())",
    ),
    function(
        "(select count(*) from pg_ls_archive_statusdir() a where a.name like '%.ready')",
        "null::int8",
        "(select count(*) from pg_ls_archive_statusdir())",
    ),
    // A standby of which nobody knows whether it has a receiver would seem to have none.
    StandIn {
        needed_on: Some(Role::Standby),
        only_on: Some(Role::Primary),
        ..function(
            "pg_stat_wal_receiver r",
            "(select null::int4 as pid, null::text as status, null::text as slot_name, null::text as conninfo, \
             null::int4 as received_tli, null::timestamptz as last_msg_receipt_time where false) r",
            "(select max(pid) from pg_stat_wal_receiver)",
        )
    },
];

/// Where views ask for the role of the server.
const IN_RECOVERY: &str = "pg_is_in_recovery()";

/// The functions that do not work on a session.
#[derive(Debug, Default)]
pub(super) struct StandIns {
    /// Their places in [`ALL`], and why.
    found: Vec<(usize, String)>,
    /// True if `pg_is_in_recovery()` is one of them.
    role: bool,
    /// Since when that is known.
    since: Option<Instant>,
}

impl StandIns {
    /// The statement with what stands in for the functions that do not work, on a server of this role; and why values are
    /// missing from its answer, if some are.
    pub(super) fn apply(&mut self, sql: String, role: Role, now: Instant) -> (String, Option<String>) {
        if self.since.is_some_and(|since| now >= since + AGAIN) {
            *self = Self::default();
        }
        let (mut sql, mut lost) = (sql, None);
        for (function, why) in self.found.iter().filter_map(|(at, why)| Some((ALL.get(*at)?, why))) {
            if sql.contains(function.calls) {
                sql = sql.replace(function.calls, function.unknown);
                lost = lost.or(function.needed_on.is_none_or(|needed| needed == role).then(|| why.clone()));
            }
        }
        (if self.role { sql.replace(IN_RECOVERY, told(role)) } else { sql }, lost)
    }

    /// What tells why a statement failed: the functions in it, each in a statement of its own. Empty if its error is not one
    /// of a function, or if nothing new can be found.
    pub(super) fn probes(&self, sql: &str, error: &NodeError, role: Role) -> Vec<(Probe, String)> {
        const OF_FUNCTIONS: [&str; 7] = ["42501", "42883", "42P01", "0A000", "55000", "XX000", "P0001"];
        if !error.sqlstate.as_deref().is_some_and(|code| OF_FUNCTIONS.contains(&code)) {
            return Vec::new();
        }
        let own = ALL.iter().enumerate().filter(|(at, function)| {
            let is_here = function.only_on.is_none_or(|only| only == role);
            is_here && sql.contains(function.calls) && !self.found.iter().any(|(found, _)| found == at)
        });
        let own = own.map(|(at, function)| (Probe(Some(at)), format!("select {}", function.probe)));
        let role = (sql.contains(IN_RECOVERY) && !self.role).then(|| (Probe(None), format!("select {IN_RECOVERY}")));
        own.chain(role).collect()
    }

    /// Takes in that a probe failed.
    pub(super) fn failed(&mut self, Probe(at): Probe, error: &NodeError, now: Instant) {
        self.since.get_or_insert(now);
        match at {
            Some(at) => {
                let hint = error.hint.as_ref().map(|hint| format!(": {hint}")).unwrap_or_default();
                self.found.push((at, format!("values are missing: {}{hint}", error.message)));
            }
            None => self.role = true,
        }
    }
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
        let target = |role| Target { version: Version(17, 0), role, schema: Some("public"), as_bytes: false };
        let roles = [Role::Primary, Role::Standby];
        let texts = views::ours().values().flat_map(|view| roles.map(|role| view.sql(target(role))));
        let texts: Vec<String> = texts.flatten().collect();
        for function in &ALL {
            assert!(texts.iter().any(|text| text.contains(function.calls)), "no view calls {}", function.calls);
        }
    }

    #[test]
    fn what_failed_is_left_out_for_a_minute() {
        let (mut stand_ins, now) = (StandIns::default(), Instant::now());
        let sql = || "select pg_last_wal_receive_lsn() from pg_is_in_recovery() r".to_owned();
        let error = |code: &str| NodeError { sqlstate: Some(code.to_owned()), ..NodeError::new(ErrorKind::Sql, "no") };
        assert!(stand_ins.probes(&sql(), &error("40001"), Role::Standby).is_empty(), "a passing error");
        let probes = stand_ins.probes(&sql(), &error("42501"), Role::Standby);
        assert_eq!(probes.len(), 2);
        for (probe, _) in probes {
            stand_ins.failed(probe, &error("42501"), now);
        }
        let left = stand_ins.apply(sql(), Role::Standby, now + Duration::from_secs(59));
        assert_eq!(
            left,
            ("select null::pg_lsn from coalesce(true) r".to_owned(), Some("values are missing: no".to_owned()))
        );
        let left = stand_ins.apply(sql(), Role::Primary, now).1;
        assert_eq!(left, None, "a primary receives nothing");
        assert_eq!(stand_ins.apply(sql(), Role::Standby, now + AGAIN), (sql(), None));
    }
}
