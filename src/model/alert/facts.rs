//! The figures of the Nodes screen as a view of one row, for rules. They come with every refresh, so such a rule causes
//! no queries.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use crate::model::protocol::ViewRows;
use crate::model::view::{ByServer, CellKind, Moment, Reading, Source, Unit, View, ViewColumn};
use crate::model::{Column, Facts, Role, RowSet, ServerFacts};

/// The name of the view in a rule.
pub const NAME: &str = "facts";
/// The column that names several primaries of one cluster.
pub const SPLIT_BRAIN: &str = "split_brain";

/// A column: its name, type, unit and meaning.
type Spec = (&'static str, CellKind, Option<Unit>, &'static str);

const COLUMNS: [Spec; 19] = [
    ("role", CellKind::Text, None, "primary or standby"),
    ("replay_lag_ms", CellKind::Interval, Some(Unit::Ms), "how old the data of a standby is"),
    ("replay_lag_bytes", CellKind::Int8, Some(Unit::Bytes), "WAL of its primary that a standby has not replayed"),
    ("late_ms", CellKind::Interval, Some(Unit::Ms), "by how much a standby is later than it is meant to be"),
    ("behind", CellKind::Text, None, "the age of the data of a standby, and why, in words"),
    ("streaming", CellKind::Bool, None, "a standby receives WAL as it is written"),
    ("receives", CellKind::Bool, None, "WAL reaches a standby: streamed, or from an archive"),
    ("supply", CellKind::Text, None, "how WAL reaches a standby that does not just stream and replay, in words"),
    (
        "sender_down",
        CellKind::Bool,
        None,
        "the watched node that a standby receives from does not answer, or receives nothing itself",
    ),
    ("replay_paused", CellKind::Bool, None, "the replay of a standby is paused"),
    (SPLIT_BRAIN, CellKind::Text, None, "the servers that are primaries of one and the same cluster"),
    ("connections", CellKind::Int4, None, "client connections"),
    ("max_connections", CellKind::Int4, None, "max_connections"),
    ("connections_percent", CellKind::Float8, Some(Unit::Percent), "client connections, in percent of max_connections"),
    ("waiting_for_lock", CellKind::Int4, None, "sessions waiting for a lock"),
    ("oldest_transaction_ms", CellKind::Interval, Some(Unit::Ms), "age of the oldest open transaction of a client"),
    ("pending_restart", CellKind::Int4, None, "settings that take effect only after a restart"),
    ("clock_off_ms", CellKind::Interval, Some(Unit::Ms), "by how much the server's clock differs from ours"),
    ("clock", CellKind::Text, None, "behind ours or ahead of ours: the server's clock, if it differs"),
];

/// The view. No server is asked for it.
pub fn view() -> &'static Arc<View> {
    static VIEW: LazyLock<Arc<View>> = LazyLock::new(|| {
        let column = |(at, (name, kind, unit, about)): (usize, &Spec)| ViewColumn {
            about: (*about).to_owned(),
            unit: *unit,
            ..ViewColumn::new(name, *kind, Source::Sql { sql: ByServer::same(*name), at })
        };
        let columns = COLUMNS.iter().enumerate().map(column).collect();
        Arc::new(View {
            title: "Facts".to_owned(),
            about: "the figures of the Nodes screen".to_owned(),
            ..View::new(NAME, ByServer::same(NAME), columns)
        })
    });
    &VIEW
}

/// What follows from the figures of several nodes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// How old the data of a standby is.
    pub lag: Option<Duration>,
    /// WAL of its primary that it has not replayed.
    pub behind_bytes: Option<u64>,
    /// By how much it is later than it is meant to be.
    pub late: Option<Duration>,
    /// The age of its data, and why, in words.
    pub behind: Option<String>,
    /// True if WAL reaches it.
    pub receives: Option<bool>,
    /// How WAL reaches it, in words.
    pub supply: Option<String>,
    /// True if the watched node that it receives from does not answer.
    pub sender_down: Option<bool>,
    /// The primaries of its cluster, if there are several.
    pub split_brain: Option<String>,
}

/// The one row, filled with what is known at `at`.
pub fn reading(at: SystemTime, facts: &Facts, server: Option<&ServerFacts>, known: Known) -> Reading {
    let flag = |flag: Option<bool>| flag.map(|flag| if flag { "t" } else { "f" }.to_owned());
    let ms = |time: Option<Duration>| time.map(|time| (time.as_secs_f64() * 1e3).to_string());
    let number = |number: Option<u32>| number.map(|number| number.to_string());
    let share = facts.connections.zip(facts.max_connections.filter(|max| *max > 0));
    let cells = [
        Some(facts.role.as_str().to_owned()),
        ms(known.lag),
        known.behind_bytes.map(|bytes| bytes.to_string()),
        ms(known.late),
        known.behind,
        flag(facts.streaming().filter(|_| facts.role == Role::Standby)),
        flag(known.receives),
        known.supply,
        flag(known.sender_down),
        flag(facts.replay_paused),
        known.split_brain,
        number(facts.connections),
        number(facts.max_connections),
        share.map(|(used, max)| (100.0 * f64::from(used) / f64::from(max)).to_string()),
        number(facts.waiting_for_lock),
        ms(facts.oldest_transaction),
        number(server.and_then(|server| server.pending_restart)),
        Some((facts.clock_ahead.unsigned_abs() * 1000).to_string()),
        (facts.clock_ahead != 0).then(|| facts.clock().to_owned()),
    ];
    let columns = COLUMNS.iter().map(|(name, ..)| Column { name: (*name).to_owned(), type_name: String::new() });
    let mut rows = RowSet::new(columns.collect());
    rows.push(cells.iter().map(Option::as_deref));
    let answer = Arc::new(ViewRows { rows, ..ViewRows::default() });
    Reading::new(view(), Moment::same(at), answer, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Role;
    use crate::model::view::Value;

    #[test]
    fn an_unknown_fact_has_no_value() {
        let at = SystemTime::UNIX_EPOCH;
        let facts = Facts { connections: Some(97), max_connections: Some(100), ..Facts::unknown(Role::Standby, at) };
        let known = Known { lag: Some(Duration::from_millis(1500)), ..Known::default() };
        let reading = reading(at, &facts, None, known);
        let value = |name: &str| reading.value(view(), 0, view().column(name).unwrap());
        assert_eq!(value("role"), Value::Text("standby"));
        assert_eq!(value("replay_lag_ms").number(), Some(1500.0));
        assert_eq!(value("connections_percent").number(), Some(97.0));
        assert_eq!(value("pending_restart"), Value::Unknown);
    }
}
