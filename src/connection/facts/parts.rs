//! The parts of a statement: together one constant text while all of them work. A part that fails is left out, with its
//! error, and is due to be asked for again alone after a backoff by the class of that error. Pure: time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use crate::connection::schedule::backoff;
use crate::model::facts::{Missing, Part};
use crate::model::{NodeError, Role};

/// Placeholder in the texts for what tells whether the server is a standby.
const STANDBY: &str = "{standby}";

/// A part of a statement.
#[derive(Debug)]
pub(super) struct PartSql {
    pub(super) part: Part,
    /// What it adds to the list of columns.
    pub(super) columns: &'static str,
    /// What it adds after `FROM`: one row.
    pub(super) from: Option<&'static str>,
    /// True if it needs [`Parts::with`].
    pub(super) needs_with: bool,
}

/// How a server tells its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tells {
    /// By `pg_is_in_recovery()`.
    Function,
    /// By the parameter that it reports since 14.
    Parameter,
    /// It fails to; something else showed which one it is.
    Shown(Role),
}

impl Tells {
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Function => "pg_is_in_recovery()",
            Self::Parameter => "current_setting('in_hot_standby')::bool",
            Self::Shown(Role::Standby) => "true",
            Self::Shown(Role::Primary) => "false",
        }
    }
}

/// What the text of a statement depends on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    tells: Tells,
    parts: Vec<Part>,
}

/// A statement in parts, without those that fail.
#[derive(Debug)]
pub(super) struct Parts {
    with: &'static str,
    all: &'static [PartSql],
    tells: Tells,
    left_out: Vec<LeftOut>,
}

/// A part that failed.
#[derive(Debug)]
struct LeftOut {
    part: Part,
    error: NodeError,
    /// How often it failed in a row.
    failures: u32,
    due: Instant,
}

impl Parts {
    /// All parts; `with` goes before the `SELECT` where one of them needs it.
    pub(super) fn new(with: &'static str, all: &'static [PartSql]) -> Self {
        Self { with, all, tells: Tells::Function, left_out: Vec::new() }
    }

    /// Forgets what failed, as on another server.
    pub(super) fn forget(&mut self) {
        self.left_out.clear();
        self.tells = Tells::Function;
    }

    pub(super) fn tell_by(&mut self, tells: Tells) {
        self.tells = tells;
    }

    /// The parts that are not left out.
    pub(super) fn working(&self) -> impl Iterator<Item = &'static PartSql> {
        self.all.iter().filter(|sql| !self.is_left_out(sql.part))
    }

    /// The role is told in another way where `pg_is_in_recovery()` fails.
    pub(super) fn is_left_out(&self, part: Part) -> bool {
        let told = part == Part::Role && self.tells != Tells::Function;
        !told && self.left_out.iter().any(|left| left.part == part)
    }

    /// The form that the statement has now. While it stays the same, so does the text.
    pub(super) fn form(&self) -> Form {
        Form { tells: self.tells, parts: self.working().map(|sql| sql.part).collect() }
    }

    /// The statement, without the parts that are left out; `None` if nothing is left.
    pub(super) fn statement(&self) -> Option<String> {
        let parts: Vec<_> = self.working().collect();
        (!parts.is_empty()).then(|| self.text(&parts, self.tells))
    }

    /// A part as a statement of its own.
    pub(super) fn alone(&self, sql: &PartSql) -> String {
        // What is asked again about the role is whether the function works now.
        let is_due = sql.part == Part::Role && self.left_out.iter().any(|left| left.part == Part::Role);
        self.text(&[sql], if is_due { Tells::Function } else { self.tells })
    }

    fn text(&self, parts: &[&PartSql], tells: Tells) -> String {
        let with = if parts.iter().any(|sql| sql.needs_with) { self.with } else { "" };
        let columns: Vec<&str> = parts.iter().map(|sql| sql.columns).collect();
        let from: Vec<&str> = parts.iter().filter_map(|sql| sql.from).collect();
        let from = if from.is_empty() { String::new() } else { format!("\nfrom {}", from.join(",\n  ")) };
        format!("{with}select {}{from}", columns.join(",\n  ")).replace(STANDBY, tells.sql())
    }

    /// Takes in that a part failed alone; `jitter` is from 0 to 1.
    pub(super) fn failed(&mut self, part: Part, error: NodeError, now: Instant, jitter: f64) {
        let before = self.left_out.iter().position(|left| left.part == part);
        let failures = before.map_or(0, |at| self.left_out.remove(at).failures);
        let due = now + backoff::after(&error, failures, jitter).max(Duration::from_secs(1));
        self.left_out.push(LeftOut { part, error, failures: failures.saturating_add(1), due });
    }

    /// Takes in that a part that was left out works again.
    pub(super) fn works(&mut self, part: Part) {
        self.left_out.retain(|left| left.part != part);
        if part == Part::Role {
            self.tells = Tells::Function;
        }
    }

    /// The parts that were left out and are to be asked for again.
    pub(super) fn due(&self, now: Instant) -> Vec<&'static PartSql> {
        let is_due = |sql: &&PartSql| self.left_out.iter().any(|left| left.part == sql.part && left.due <= now);
        self.all.iter().filter(is_due).collect()
    }

    /// What a server of this role did not answer, and why, in the order of the parts.
    pub(super) fn missing(&self, role: Option<Role>) -> Vec<Missing> {
        let missing = self.all.iter().filter(|sql| self.is_left_out(sql.part)).filter(|sql| {
            let only = sql.part.only_of();
            only.is_none() || role.is_none() || only == role
        });
        missing.filter_map(|sql| Some(Missing { part: sql.part, error: self.error(sql.part)?.clone() })).collect()
    }

    /// Why a part is left out.
    pub(super) fn error(&self, part: Part) -> Option<&NodeError> {
        self.left_out.iter().find(|left| left.part == part).map(|left| &left.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ErrorKind;

    static ALL: [PartSql; 3] = [
        PartSql { part: Part::Role, columns: "{standby} as standby", from: None, needs_with: false },
        PartSql {
            part: Part::Sessions,
            columns: "b.n",
            from: Some("(select count(*) as n from a) b"),
            needs_with: true,
        },
        PartSql {
            part: Part::Replayed,
            columns: "case when {standby} then f() end as r",
            from: None,
            needs_with: false,
        },
    ];

    fn error(sqlstate: &str) -> NodeError {
        NodeError { sqlstate: Some(sqlstate.to_owned()), ..NodeError::new(ErrorKind::Sql, "no") }
    }

    #[test]
    fn a_statement_has_the_parts_that_work() {
        let mut parts = Parts::new("with a as (select 1)\n", &ALL);
        let now = Instant::now();
        let whole = "with a as (select 1)\nselect pg_is_in_recovery() as standby,\n  b.n,\n  \
                     case when pg_is_in_recovery() then f() end as r\nfrom (select count(*) as n from a) b";
        assert_eq!(parts.statement().as_deref(), Some(whole));
        parts.failed(Part::Sessions, error("42501"), now, 0.0);
        parts.failed(Part::Role, error("42501"), now, 0.0);
        assert_eq!(
            parts.statement().as_deref(),
            Some("select case when pg_is_in_recovery() then f() end as r"),
            "without sessions and role"
        );
        parts.tell_by(Tells::Shown(Role::Standby));
        let told = "select true as standby,\n  case when true then f() end as r";
        assert_eq!(parts.statement().as_deref(), Some(told), "the role is told in another way");
        assert_eq!(parts.alone(&ALL[0]), "select pg_is_in_recovery() as standby", "does the function work again?");
        assert_eq!(parts.missing(None).len(), 1, "a role that is told is not missing");
        parts.works(Part::Role);
        parts.works(Part::Sessions);
        assert_eq!(parts.statement().as_deref(), Some(whole));
    }

    #[test]
    fn what_failed_is_due_by_the_class_of_its_error() {
        let (mut parts, now) = (Parts::new("", &ALL), Instant::now());
        let due = |parts: &Parts, seconds| parts.due(now + Duration::from_secs(seconds)).len();
        parts.failed(Part::Replayed, error("40001"), now, 0.0);
        assert_eq!([due(&parts, 0), due(&parts, 1)], [0, 1]);
        parts.failed(Part::Replayed, error("40001"), now, 0.0);
        assert_eq!([due(&parts, 1), due(&parts, 2)], [0, 1], "the wait doubles");
        for lasting in ["42501", "42883", "0A000"] {
            parts.failed(Part::Replayed, error(lasting), now, 0.0);
            assert_eq!([due(&parts, 59), due(&parts, 60)], [0, 1], "{lasting}");
        }
        assert!(parts.missing(Some(Role::Primary)).is_empty(), "a primary replays nothing");
        assert_eq!(parts.missing(Some(Role::Standby)).len(), 1);
    }
}
