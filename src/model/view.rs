//! A view: one table that is asked of servers. It is data (`config/views/*.yaml`), read by `config::views`, asked by the
//! connection manager, shown by the table screens; docs/views.md tells what its parts mean.

use std::time::Duration;

use super::{Condition, Role};

mod cell;
mod reading;
mod sql;

pub use cell::{cell, cell_within};
pub use reading::{Reading, Value};

/// One table, as its file says.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The file's name without `.yaml`.
    pub name: String,
    pub title: String,
    /// The question it answers, in one line.
    pub about: String,
    /// The screen it is a tab of; without one it is opened by its name.
    pub screen: Option<ViewScreen>,
    /// Its order among the tabs of the screen.
    pub place: u32,
    /// The extension it asks: versions of its texts are then the extension's.
    pub extension: Option<String>,
    /// The role that shows all of it.
    pub rights: Option<String>,
    /// At least so long between two questions to a node; `None`: the refresh.
    pub every: Option<Duration>,
    /// The server gives up after this.
    pub timeout: Duration,
    /// The columns that tell one row of a node from another.
    pub key: Vec<usize>,
    /// The column to sort by at first, and whether descending.
    pub sort: Option<(usize, bool)>,
    /// What to say where there are no rows.
    pub empty: Option<String>,
    /// Rows that are hidden until asked for.
    pub hide: Vec<Hide>,
    pub tree: Option<Tree>,
    /// The column that holds the text of a statement.
    pub statement: Option<usize>,
    /// The column that is compared across nodes.
    pub compare: Option<usize>,
    pub with: Option<ByServer>,
    pub from: ByServer,
    /// In their order on the screen.
    pub columns: Vec<ViewColumn>,
}

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

/// Rows whose `column` meets `condition` are hidden until they are asked for by `word`.
#[derive(Debug, Clone, PartialEq)]
pub struct Hide {
    pub word: String,
    pub column: usize,
    pub condition: Condition,
}

/// A row stands under the one whose `id` is its `parent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tree {
    pub id: usize,
    pub parent: usize,
}

/// The screens that views are tabs of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ViewScreen {
    Activity,
    Locks,
    Replication,
    Statements,
    Tables,
    Io,
    /// Of the views that are no tab of any: they are opened by name.
    Other,
}

impl ViewScreen {
    /// Those that a view file may name.
    pub const ALL: [Self; 6] =
        [Self::Activity, Self::Locks, Self::Replication, Self::Statements, Self::Tables, Self::Io];

    /// As a view file writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Activity => "activity",
            Self::Locks => "locks",
            Self::Replication => "replication",
            Self::Statements => "statements",
            Self::Tables => "tables",
            Self::Io => "io",
            Self::Other => "other",
        }
    }
}

/// A version of a server (`14`) or of an extension (`1.10`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl Version {
    /// Reads `14`, `14.2`, `1.10`, and the digits in front of whatever follows (`18beta1`).
    pub fn parse(text: &str) -> Option<Self> {
        let number = |part: &str| {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part.get(..end)?.parse().ok()
        };
        let mut parts = text.trim().split('.');
        let major = number(parts.next()?)?;
        Some(Self(major, parts.next().map_or(Some(0), number).unwrap_or(0)))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.1 == 0 { write!(f, "{}", self.0) } else { write!(f, "{}.{}", self.0, self.1) }
    }
}

/// A text that may differ from server to server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByServer(pub Vec<Variant>);

/// One of the texts, and what it holds for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// From this version on.
    pub since: Version,
    /// In this role only.
    pub role: Option<Role>,
    pub text: String,
}

/// Why no text holds for a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacks {
    Version(Version),
    Role(Role),
}

impl ByServer {
    /// One text for all.
    pub fn same(text: impl Into<String>) -> Self {
        Self(vec![Variant { since: Version(0, 0), role: None, text: text.into() }])
    }

    /// The text for a version and role: of the highest version that is not above, the one that names the role.
    pub fn choose(&self, version: Version, role: Role) -> Result<&str, Lacks> {
        let of_role = || self.0.iter().filter(|variant| variant.role.is_none_or(|wanted| wanted == role));
        let fits = of_role().filter(|variant| variant.since <= version);
        if let Some(variant) = fits.max_by_key(|variant| (variant.since, variant.role.is_some())) {
            return Ok(&variant.text);
        }
        Err(match of_role().map(|variant| variant.since).min() {
            Some(since) => Lacks::Version(since),
            None => Lacks::Role(if role == Role::Primary { Role::Standby } else { Role::Primary }),
        })
    }
}

impl ViewColumn {
    /// The title of a column whose file gives none: `blocked_by` is `BLOCKED BY`.
    pub fn heading(name: &str) -> String {
        name.to_uppercase().replace('_', " ")
    }

    /// One whose file says no more than this.
    pub(super) fn new(name: &str, kind: CellKind, source: Source) -> Self {
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

impl View {
    /// One whose file says no more than this.
    pub(crate) fn new(name: &str, from: ByServer, columns: Vec<ViewColumn>) -> Self {
        Self {
            name: name.to_owned(),
            title: name.to_owned(),
            about: String::new(),
            screen: None,
            place: 100,
            extension: None,
            rights: None,
            every: None,
            timeout: Duration::from_secs(5),
            key: Vec::new(),
            sort: None,
            empty: None,
            hide: Vec::new(),
            tree: None,
            statement: None,
            compare: None,
            with: None,
            from,
            columns,
        }
    }
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The columns that a server is asked for, in the order of its answer.
    pub fn asked(&self) -> impl Iterator<Item = &ViewColumn> {
        self.columns.iter().filter(|column| matches!(column.source, Source::Sql { .. }))
    }

    /// Which nodes show copies of the same, where a total must not count them twice.
    pub fn copies(&self) -> Option<Copies> {
        self.columns.iter().find_map(|column| match column.total {
            Some(Total::Once(copies)) => Some(copies),
            _ => None,
        })
    }

    /// Why a server of this version and role cannot have rows of it. Of a view of an extension, the version is that of
    /// the extension.
    pub fn lacks(&self, version: Version, role: Role) -> Option<Lacks> {
        let texts = [Some(&self.from), self.with.as_ref()];
        texts.into_iter().flatten().find_map(|text| text.choose(version, role).err())
    }

    /// Whether two answers are needed to show all of it.
    pub fn has_rates(&self) -> bool {
        self.columns.iter().any(|column| matches!(column.source, Source::Rate { .. } | Source::Until { .. }))
    }

    /// The columns that programs are given, and their places.
    pub fn told(&self) -> impl Iterator<Item = (usize, &ViewColumn)> {
        self.columns.iter().enumerate().filter(|(_, column)| !matches!(column.source, Source::Trend { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_people_count_them() {
        let parsed = ["10", "14.2", "1.10", "1.9", "18beta1"].map(|text| Version::parse(text).unwrap());
        assert_eq!(parsed, [Version(10, 0), Version(14, 2), Version(1, 10), Version(1, 9), Version(18, 0)]);
        assert!(parsed[2] > parsed[3]);
        assert_eq!(Version::parse("x"), None);
    }

    #[test]
    fn the_highest_version_that_is_not_above_is_chosen() {
        let variant = |since, role, text: &str| Variant { since: Version(since, 0), role, text: text.to_owned() };
        let by = ByServer(vec![
            variant(13, None, "13"),
            variant(10, None, "10"),
            variant(13, Some(Role::Standby), "13 standby"),
        ]);
        for (version, role, text) in [
            (10, Role::Primary, Ok("10")),
            (12, Role::Standby, Ok("10")),
            (13, Role::Primary, Ok("13")),
            (18, Role::Standby, Ok("13 standby")),
            (9, Role::Primary, Err(Lacks::Version(Version(10, 0)))),
        ] {
            assert_eq!(by.choose(Version(version, 0), role), text, "{version} {role:?}");
        }
        let standby = ByServer(vec![variant(0, Some(Role::Standby), "s")]);
        assert_eq!(standby.choose(Version(15, 0), Role::Primary), Err(Lacks::Role(Role::Standby)));
        assert_eq!(ByServer::same("x").choose(Version(10, 3), Role::Primary), Ok("x"));
    }
}
