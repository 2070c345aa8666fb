//! A view: one table that servers are asked for. It is data (`config/views/*.yaml`), read by `config::views`, asked by
//! the connection manager, shown by the table screens; docs/views.md explains its parts.

use std::time::Duration;

use super::{Condition, Role};

mod by_server;
mod cell;
mod column;
mod key;
mod rates;
mod reading;
mod sql;

pub use by_server::{ByServer, Lacks, Variant, Version};
pub use cell::{cell, cell_within};
pub use column::{Bar, CellKind, Copies, Holds, LagPart, Source, Total, Unit, ViewColumn};
pub use reading::{Location, Moment, Reading, Value};
pub use sql::{Limit, Target};

/// What is shown instead of the statements of other clients if the file says `show_statements: false`.
pub const NOT_SHOWN: &str = "(not shown: show_statements is false)";

/// A view, as its file defines it.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The file's name without `.yaml`.
    pub name: String,
    /// What it is called on the screen.
    pub title: String,
    /// The question it answers, in one line.
    pub about: String,
    /// The screen that it is a tab of. A view without one is opened by its name.
    pub screen: Option<ViewScreen>,
    /// Its order among the tabs of the screen.
    pub place: u32,
    /// The extension that it asks. The versions in its texts are then those of the extension.
    pub extension: Option<String>,
    /// The predefined role that sees all of its rows and values.
    pub rights: Option<String>,
    /// Minimum interval between two queries on a node; `None`: the refresh.
    pub every: Option<Duration>,
    /// How long the server may take before it gives up.
    pub timeout: Duration,
    /// True if it has no rows unless a session waits for a lock: what no screen shows is then asked for only while one
    /// does.
    pub needs_waiting: bool,
    /// The columns that identify a row of a node.
    pub key: Vec<usize>,
    /// The column to sort by at first, and true for descending.
    pub sort: Option<(usize, bool)>,
    /// What to say where there are no rows.
    pub empty: Option<String>,
    /// The column with the process id of a session: rows of pgwatch's own sessions are left out.
    pub own: Option<usize>,
    /// The column that says why the values of a row may not be read, and what would help: a rule is not judged on it.
    pub unread: Option<usize>,
    /// Rows that are hidden until the user shows them.
    pub hide: Vec<Hide>,
    /// The columns that make its rows a tree, if they are one.
    pub tree: Option<Tree>,
    /// The column with the text of a statement.
    pub statement: Option<usize>,
    /// What is told of rows that come and go.
    pub events: Option<RowEvents>,
    /// The column that is compared across nodes.
    pub compare: Option<usize>,
    /// What goes before the `SELECT`, after the word `WITH`.
    pub with: Option<ByServer>,
    /// What follows the word `FROM`.
    pub from: ByServer,
    /// The columns, in their order on the screen.
    pub columns: Vec<ViewColumn>,
}

/// Rows whose `column` meets `condition` are hidden until the user shows them.
#[derive(Debug, Clone, PartialEq)]
pub struct Hide {
    /// What the file calls such rows: `idle`.
    pub word: String,
    /// The column of the view.
    pub column: usize,
    /// What the value of a hidden row meets.
    pub condition: Condition,
}

/// What the rows of a view are, if it is told when one comes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// Replication slots.
    Slot,
    /// Subscriptions.
    Subscription,
    /// Tables.
    Table,
    /// Indexes.
    Index,
    /// Extensions.
    Extension,
}

impl RowKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Slot, Self::Subscription, Self::Table, Self::Index, Self::Extension];

    /// As a view file and programs write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slot => "slot",
            Self::Subscription => "subscription",
            Self::Table => "table",
            Self::Index => "index",
            Self::Extension => "extension",
        }
    }

    /// The word for several of them.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Slot => "slots",
            Self::Subscription => "subscriptions",
            Self::Table => "tables",
            Self::Index => "indexes",
            Self::Extension => "extensions",
        }
    }

    /// True if the changes are told whether a screen shows the view or not.
    pub fn is_of_replication(self) -> bool {
        matches!(self, Self::Slot | Self::Subscription)
    }
}

/// Rows whose coming and going is told as an event.
#[derive(Debug, Clone, PartialEq)]
pub struct RowEvents {
    /// What the rows are.
    pub of: RowKind,
    /// The columns that make the name.
    pub name: Vec<usize>,
    /// The rows that count; `None`: all.
    pub only: Option<(usize, Condition)>,
    /// Of subscriptions: which ones are disabled.
    pub disabled: Option<(usize, Condition)>,
    /// Of subscriptions: which ones fail, if it lasts.
    pub failing: Option<(usize, Condition)>,
    /// Of subscriptions: counters that grow when they fail.
    pub errors: Vec<usize>,
}

/// A row is the child of the one whose `id` is its `parent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tree {
    /// The column that identifies a row.
    pub id: usize,
    /// The column with the `id` of the parent, or with several of them.
    pub parent: usize,
}

/// The screens that show views, as tabs on all but [`Self::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ViewScreen {
    /// Sessions.
    Activity,
    /// Sessions that wait for locks, and their blockers.
    Locks,
    /// Senders, receivers, slots, subscriptions.
    Replication,
    /// `pg_stat_statements`.
    Statements,
    /// Tables and indexes.
    Tables,
    /// Reads and writes.
    Io,
    /// For views that are no tab: they are opened by name.
    Other,
}

impl ViewScreen {
    /// The screens that a view file may name.
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
    /// A view whose file sets nothing else.
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
            needs_waiting: false,
            key: Vec::new(),
            sort: None,
            empty: None,
            own: None,
            unread: None,
            hide: Vec::new(),
            tree: None,
            statement: None,
            events: None,
            compare: None,
            with: None,
            from,
            columns,
        }
    }

    /// The view that does not ask for the statements of other clients.
    #[must_use]
    pub fn without_statements(mut self) -> Self {
        for column in self.columns.iter_mut().filter(|column| column.holds == Some(Holds::Statement)) {
            if let Source::Sql { sql, .. } = &mut column.source {
                *sql = ByServer::same(format!("'{NOT_SHOWN}'"));
                (column.once, column.encoding) = (None, None);
            }
        }
        self
    }

    /// The place of the column of that name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The columns that are asked from a server, in the order of its answer.
    pub fn asked(&self) -> impl Iterator<Item = &ViewColumn> {
        self.columns.iter().filter(|column| matches!(column.source, Source::Sql { .. }))
    }

    /// Which nodes show copies of the same data, where a total must not count them twice.
    pub fn copies(&self) -> Option<Copies> {
        self.columns.iter().find_map(|column| match column.total {
            Some(Total::Once(copies)) => Some(copies),
            _ => None,
        })
    }

    /// Why a server of this version and role cannot have rows of it; `None` if it can. For a view of an extension, the
    /// version is that of the extension.
    pub fn lacks(&self, version: Version, role: Role) -> Option<Lacks> {
        let texts = [Some(&self.from), self.with.as_ref()];
        texts.into_iter().flatten().find_map(|text| text.choose(version, role).err())
    }

    /// How long a server may take for all statements of one answer: texts that are asked once have one of their own.
    pub fn patience(&self) -> Duration {
        self.timeout * if self.columns.iter().any(|column| column.once.is_some()) { 2 } else { 1 }
    }

    /// How old an answer may be before it is stale, where figures are refreshed at this interval.
    pub fn fresh_for(&self, refresh: Duration) -> Duration {
        self.every.unwrap_or_default().max(refresh) * 3 + Duration::from_secs(2)
    }

    /// True if some of its columns need two answers.
    pub fn has_rates(&self) -> bool {
        self.columns.iter().any(|column| {
            matches!(column.source, Source::Rate { .. } | Source::Until { .. } | Source::Unchanged { .. })
        })
    }

    /// True if some of its columns need to know where the primary of the cluster is.
    pub fn has_positions(&self) -> bool {
        self.columns
            .iter()
            .any(|column| matches!(column.source, Source::Age { .. } | Source::Behind { .. } | Source::Lag(_)))
    }

    /// The columns in the machine output, with their places.
    pub fn reported(&self) -> impl Iterator<Item = (usize, &ViewColumn)> {
        self.columns.iter().enumerate().filter(|(_, column)| !matches!(column.source, Source::Trend { .. }))
    }
}
