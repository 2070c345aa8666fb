//! A column of a view: where its values come from, of what type and unit they are, and how they are shown.

use super::by_server::ByServer;
use crate::model::Condition;

/// A column of a view.
#[allow(clippy::struct_excessive_bools, reason = "independent switches, each a key of its file")]
#[derive(Debug, Clone, PartialEq)]
pub struct ViewColumn {
    pub name: String,
    pub title: String,
    pub about: String,
    pub unit: Option<Unit>,
    pub kind: CellKind,
    pub source: Source,
    /// Not shown until it is chosen.
    pub hidden: bool,
    pub warning: Option<Condition>,
    pub critical: Option<Condition>,
    pub bar: Option<Bar>,
    pub total: Option<Total>,
    /// Rows can be grouped by it.
    pub group: bool,
    /// Long text, which takes the room that is left.
    pub wide: bool,
    /// It is marked where it is far above what it was in the last ten minutes.
    pub unusual: bool,
    /// Columns of the screen it is cut to where there is no room for all.
    pub width: Option<u16>,
}

impl ViewColumn {
    /// The title of a column whose file gives none: `blocked_by` is `BLOCKED BY`.
    pub fn heading(name: &str) -> String {
        name.to_uppercase().replace('_', " ")
    }

    /// One whose file says no more than this.
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
            unusual: false,
            width: None,
        }
    }
}

/// Where the values of a column come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// An expression, the `at`-th of the answer.
    Sql { sql: ByServer, at: usize },
    /// The change a second of another column.
    Rate { of: usize },
    /// Seconds until another column is 0, at the pace at which it falls now.
    Until { of: usize },
    /// What another column was lately, as a line of bars: for people only.
    Trend { of: usize },
}

/// The types that a column may have; its name is PostgreSQL's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    Bool,
    Int4,
    Int8,
    Float8,
    Numeric,
    Text,
    Lsn,
    /// Comes as seconds since 1970.
    Time,
    /// Comes as a number in the column's unit.
    Interval,
    IntArray,
}

impl CellKind {
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

    /// The name in `pg_type` of what programs are given.
    pub fn pg_type(self) -> &'static str {
        match self {
            Self::Interval => "float8",
            Self::IntArray => "_int4",
            other => other.as_str(),
        }
    }

    pub fn is_number(self) -> bool {
        matches!(self, Self::Int4 | Self::Int8 | Self::Float8 | Self::Numeric | Self::Interval | Self::Time)
    }
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Ms,
    Seconds,
    Bytes,
    BytesPerSecond,
    PerSecond,
    /// 0 to 100.
    Percent,
    Lsn,
    Time,
}

impl Unit {
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

/// What a value is drawn as a share of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bar {
    Of(f64),
    OfColumn(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    Sum,
    Max,
    /// A sum in which the copies that a primary and its standbys hold of the same count once.
    Once(Copies),
}

/// Which nodes of one cluster show copies of the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// Those that are connected to the same database.
    Database,
    /// All of them.
    Cluster,
}
