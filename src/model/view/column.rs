//! A column of a view: where its values come from, their type and unit, and how they are shown.

use super::by_server::ByServer;
use crate::model::Condition;

/// A column of a view.
#[allow(clippy::struct_excessive_bools, reason = "independent switches, each a key of its file")]
#[derive(Debug, Clone, PartialEq)]
pub struct ViewColumn {
    /// Unique in its view: what programs, rules and filters call it.
    pub name: String,
    /// The head of the column on the screen.
    pub title: String,
    /// What it means, in one line.
    pub about: String,
    /// What its numbers count, where they have a unit.
    pub unit: Option<Unit>,
    /// The type of its values.
    pub kind: CellKind,
    /// Where its values come from.
    pub source: Source,
    /// True if it is shown only when the user chooses it.
    pub hidden: bool,
    /// Values that are shown as a warning.
    pub warning: Option<Condition>,
    /// Values that are shown as critical.
    pub critical: Option<Condition>,
    /// What its values are drawn as a share of.
    pub bar: Option<Bar>,
    /// How its values add up over rows.
    pub total: Option<Total>,
    /// True if rows can be grouped by it.
    pub group: bool,
    /// True for long text, which takes the room that is left.
    pub wide: bool,
    /// In SQL, the number of the encoding that a text's bytes are in, if that may be another one than the database's.
    pub encoding: Option<String>,
    /// For a text that stays the same for each key: the `FROM` of the statement that asks for it, once for each key.
    pub once: Option<ByServer>,
    /// True if values far above those of the last ten minutes are marked.
    pub unusual: bool,
    /// What its texts are, if they may hold secrets.
    pub holds: Option<Holds>,
    /// Its width in characters when there is not room for all columns.
    pub width: Option<u16>,
}

impl ViewColumn {
    /// The title of a column whose file sets none: `blocked_by` becomes `BLOCKED BY`.
    pub fn heading(name: &str) -> String {
        name.to_uppercase().replace('_', " ")
    }

    /// A column whose file sets nothing else.
    pub(in crate::model) fn new(name: &str, kind: CellKind, source: Source) -> Self {
        Self {
            name: name.to_owned(),
            title: Self::heading(name),
            about: String::new(),
            unit: None,
            kind,
            source,
            hidden: false,
            warning: None,
            critical: None,
            bar: None,
            total: None,
            group: false,
            wide: false,
            encoding: None,
            once: None,
            unusual: false,
            holds: None,
            width: None,
        }
    }
}

/// What the texts of a column are. Secrets are hidden in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A statement of another client, which is not asked for if the file says `show_statements: false`.
    Statement,
    /// Other SQL, such as the definition of an index.
    Definition,
    /// The value of a setting, which is no SQL.
    Setting,
}

impl Holds {
    /// All of them, in the order in which messages list them.
    pub const ALL: [Self; 3] = [Self::Statement, Self::Definition, Self::Setting];

    /// As a view file writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Definition => "definition",
            Self::Setting => "setting",
        }
    }
}

/// Where the values of a column come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// An SQL expression.
    Sql {
        /// The expression, without a cast.
        sql: ByServer,
        /// The position of its cell in a row of the answer.
        at: usize,
    },
    /// The change of another column per second.
    Rate {
        /// That column.
        of: usize,
    },
    /// Seconds until another column reaches 0 at its present rate.
    Until {
        /// That column.
        of: usize,
    },
    /// The age of the WAL position in another column: how long ago the primary of the cluster was there.
    Age {
        /// That column.
        of: usize,
        /// A column with a measured age, in milliseconds, for positions older than those that were seen.
        otherwise: Option<usize>,
    },
    /// The bytes of WAL from the position in another column to where the primary of the cluster is.
    Behind {
        /// That column.
        of: usize,
    },
    /// How far the node itself is behind, as the Nodes screen says.
    Lag(LagPart),
    /// Seconds, or milliseconds, since another column last changed, as far as its answers show.
    Unchanged {
        /// That column.
        of: usize,
    },
    /// The recent values of another column, as a row of bars; not part of the machine output.
    Trend {
        /// That column.
        of: usize,
    },
}

impl Source {
    /// The column whose rate it is, or is computed with.
    pub fn counter(&self) -> Option<usize> {
        match self {
            Self::Rate { of } | Self::Until { of } => Some(*of),
            _ => None,
        }
    }
}

/// The types of columns, which are named as in PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    /// True or false: `t` or `f` as the server prints it.
    Bool,
    /// A whole number of 32 bits.
    Int4,
    /// A whole number of 64 bits.
    Int8,
    /// A number with a fraction.
    Float8,
    /// A number of any size.
    Numeric,
    /// Text.
    Text,
    /// A position in the WAL.
    Lsn,
    /// A time; servers send it as seconds since 1970.
    Time,
    /// A time span; servers send it as a number in the unit of the column.
    Interval,
    /// Several whole numbers.
    IntArray,
}

impl CellKind {
    /// All types, in the order in which messages list them.
    pub const ALL: [Self; 10] = [
        Self::Bool,
        Self::Int4,
        Self::Int8,
        Self::Float8,
        Self::Numeric,
        Self::Text,
        Self::Lsn,
        Self::Time,
        Self::Interval,
        Self::IntArray,
    ];

    /// As a view file writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Float8 => "float8",
            Self::Numeric => "numeric",
            Self::Text => "text",
            Self::Lsn => "pg_lsn",
            Self::Time => "timestamptz",
            Self::Interval => "interval",
            Self::IntArray => "int4[]",
        }
    }

    /// The name in `pg_type` of the type in the machine output.
    pub fn pg_type(self) -> &'static str {
        match self {
            Self::Interval => "float8",
            Self::IntArray => "_int4",
            other => other.as_str(),
        }
    }

    /// True if values are compared and sorted as numbers.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int4 | Self::Int8 | Self::Float8 | Self::Numeric | Self::Interval | Self::Time)
    }
}

/// The unit of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Events per second.
    PerSecond,
    /// 0 to 100.
    Percent,
    /// A position in the WAL.
    Lsn,
    /// A time, in seconds since 1970.
    Time,
}

impl Unit {
    /// All units, in the order in which messages list them.
    pub const ALL: [Self; 8] = [
        Self::Ms,
        Self::Seconds,
        Self::Bytes,
        Self::BytesPerSecond,
        Self::PerSecond,
        Self::Percent,
        Self::Lsn,
        Self::Time,
    ];

    /// As a view file writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ms => "ms",
            Self::Seconds => "s",
            Self::Bytes => "bytes",
            Self::BytesPerSecond => "bytes/s",
            Self::PerSecond => "/s",
            Self::Percent => "percent",
            Self::Lsn => "lsn",
            Self::Time => "time",
        }
    }
}

/// A part of what is known of the lag of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LagPart {
    /// The age of its data, in milliseconds.
    Time,
    /// Bytes of WAL that it has not replayed.
    Bytes,
    /// Why it is behind or how it receives WAL, in words.
    Why,
}

impl LagPart {
    /// All parts, in the order in which messages list them.
    pub const ALL: [Self; 3] = [Self::Time, Self::Bytes, Self::Why];

    /// As a view file writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Bytes => "bytes",
            Self::Why => "why",
        }
    }
}

/// The whole that a value is drawn as a share of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bar {
    /// This constant, in the unit of the column.
    Of(f64),
    /// The value of that column in the same row.
    OfColumn(usize),
}

/// How values add up over rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    /// All of them together.
    Sum,
    /// The largest of them.
    Max,
    /// A sum that counts data once, although a primary and its standbys each hold a copy.
    Once(Copies),
}

/// Which nodes of a cluster show copies of the same data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// Those connected to the same database.
    Database,
    /// All of them.
    Cluster,
}
