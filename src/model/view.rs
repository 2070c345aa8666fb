//! A view: one table that is asked of servers. It is data (`config/views/*.yaml`), read by `config::views`, asked by the
//! connection manager, shown by the table screens; docs/views.md tells what its parts mean.

use std::time::Duration;

use super::{Condition, Role};

mod by_server;
mod cell;
mod column;
mod reading;
mod sql;

pub use by_server::{ByServer, Lacks, Variant, Version};
pub use cell::{cell, cell_within};
pub use column::{Bar, CellKind, Copies, Source, Total, Unit, ViewColumn};
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
