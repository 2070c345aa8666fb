//! The columns of the Nodes table: their headers, how rows compare by them, and the text that a filter sees.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::time::{Duration, SystemTime};

use crate::app::rows::filter::{Column, Fields};
use crate::app::rows::table::Key;
use crate::model::view::Unit;
use crate::model::{Condition, HealthState, NodeName, Role, figures};

use crate::fleet::nodes::Node;

/// A column of the Nodes table, in its order on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeColumn {
    /// The name of the node.
    Node,
    /// Primary or standby.
    Role,
    /// The state of its health.
    State,
    /// The round trip of a probe.
    Ping,
    /// The sessions of our own pool.
    Pool,
    /// The connections to the server.
    Conns,
    /// Transactions per second.
    Tps,
    /// The replay lag of a standby.
    Lag,
    /// The last minute as a sparkline.
    LastMinute,
}

impl NodeColumn {
    /// All columns, in their order.
    pub const ALL: [Self; 9] = [
        Self::Node,
        Self::Role,
        Self::State,
        Self::Ping,
        Self::Pool,
        Self::Conns,
        Self::Tps,
        Self::Lag,
        Self::LastMinute,
    ];

    /// The number of columns in [`Self::ALL`] that rows can be sorted by: all but the last minute.
    pub const SORTABLE: usize = 8;

    /// The headers of the sortable columns.
    const TITLES: [&'static str; Self::SORTABLE] = {
        let mut titles = [""; Self::SORTABLE];
        let mut at = 0;
        while at < titles.len() {
            titles[at] = Self::ALL[at].title();
            at += 1;
        }
        titles
    };

    /// The header of the column.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Node => "NODE",
            Self::Role => "ROLE",
            Self::State => "STATE",
            Self::Ping => "PING",
            Self::Pool => "POOL",
            Self::Conns => "CONNS",
            Self::Tps => "TPS",
            Self::Lag => "LAG",
            Self::LastMinute => "LAST MINUTE",
        }
    }

    /// The column's name in the table's title (`by name`) and in a filter (`column:text`).
    pub fn word(self) -> &'static str {
        match self {
            Self::Node => "name",
            Self::Role => "role",
            Self::State => "state",
            Self::Ping => "ping",
            Self::Pool => "pool",
            Self::Conns => "conns",
            Self::Tps => "tps",
            Self::Lag => "lag",
            Self::LastMinute => "minute",
        }
    }

    /// Compares two nodes by this column. Unknown and stale values come last in either direction.
    pub fn compare(self, a: &Node, b: &Node, descending: bool, at: SystemTime, refresh: Duration) -> Ordering {
        let turned = |order: Ordering| if descending { order.reverse() } else { order };
        match self {
            Self::Node | Self::LastMinute => turned(a.name().cmp(b.name())),
            Self::Role => turned(role_rank(a).cmp(&role_rank(b))),
            Self::State => turned(state_rank(a).cmp(&state_rank(b))),
            Self::Ping | Self::Pool | Self::Conns | Self::Tps | Self::Lag => {
                match (self.figure(a, at, refresh), self.figure(b, at, refresh)) {
                    (Some(a), Some(b)) => turned(a.total_cmp(&b)),
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (None, None) => Ordering::Equal,
                }
            }
        }
    }

    fn figure(self, node: &Node, at: SystemTime, refresh: Duration) -> Option<f64> {
        let fresh = node.fresh(at, refresh);
        match self {
            Self::Ping => node.ping().map(|time| time.as_secs_f64()),
            Self::Pool => node
                .pool
                .filter(|pool| pool.max > 0)
                .map(|pool| f64::from(pool.active) / f64::from(pool.max) + f64::from(pool.waiting)),
            Self::Conns => fresh.and_then(|facts| facts.connections).map(f64::from),
            Self::Tps => fresh.and(node.rates.transactions),
            Self::Lag => fresh.and(node.lag.time).map(|behind| behind.time.as_secs_f64()),
            Self::Node | Self::Role | Self::State | Self::LastMinute => None,
        }
    }

    /// The name that a filter uses for it, and how values compare.
    pub fn filtered(self) -> Column<'static> {
        let column = match self {
            Self::Node | Self::Role | Self::State | Self::LastMinute => Column::text(self.word()),
            Self::Ping | Self::Lag => Column::number(self.word(), Some(Unit::Seconds)),
            Self::Tps => Column::number(self.word(), Some(Unit::PerSecond)),
            Self::Pool | Self::Conns => Column::number(self.word(), None),
        };
        Column { title: self.title(), ..column }
    }
}

/// A node as its row shows it now, for a filter.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The node.
    pub node: &'a Node,
    /// The time that the row shows.
    pub at: SystemTime,
    /// The refresh interval, which decides whether figures are fresh.
    pub refresh: Duration,
}

impl Key for NodeName {
    fn filtered() -> Vec<Column<'static>> {
        NodeColumn::ALL.iter().map(|column| column.filtered()).collect()
    }

    const SORTED_BY: &'static [&'static str] = &NodeColumn::TITLES;
    const SCROLLS: Option<usize> = Some(NodeColumn::ALL.len() - 1);
    const HAS_PROBLEMS: bool = true;
}

impl Fields for Seen<'_> {
    fn seen(&self) -> impl Iterator<Item = usize> {
        0..NodeColumn::SORTABLE
    }

    fn text(&self, column: usize) -> Cow<'_, str> {
        let (node, Some(column)) = (self.node, NodeColumn::ALL.get(column)) else { return Cow::Borrowed("") };
        let figure = || column.figure(node, self.at, self.refresh);
        let time = || figure().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).map(figures::duration);
        let said = match column {
            NodeColumn::Node => return Cow::Borrowed(node.name().as_str()),
            NodeColumn::Role => return Cow::Borrowed(node.role.map(Role::as_str).unwrap_or_default()),
            NodeColumn::State => {
                // The row of a node that is down shows the reason in place of its figures.
                let why = node.health.error.as_ref().filter(|_| !node.health.state.answers());
                let why = why.map_or("", |error| error.message.as_str());
                Some(format!("{} {why}", node.health.word()))
            }
            NodeColumn::Ping | NodeColumn::Lag => time(),
            NodeColumn::Pool => node.pool.map(|pool| format!("{}/{}", pool.active, pool.max)),
            NodeColumn::Conns => node.fresh(self.at, self.refresh).and_then(|facts| {
                let max = facts.max_connections.map(|max| format!("/{max}")).unwrap_or_default();
                facts.connections.map(|open| format!("{open}{max}"))
            }),
            NodeColumn::Tps => figure().map(figures::rate),
            NodeColumn::LastMinute => None,
        };
        Cow::Owned(said.unwrap_or_default())
    }

    fn meets(&self, column: usize, condition: &Condition) -> bool {
        let Some(column) = NodeColumn::ALL.get(column) else { return false };
        let number = match column {
            NodeColumn::State => return condition.holds(Some(self.node.health.word())),
            NodeColumn::Node | NodeColumn::Role | NodeColumn::LastMinute => {
                return condition.holds(Some(&self.text(*column as usize)));
            }
            NodeColumn::Pool => self.node.pool.map(|pool| f64::from(pool.active)),
            figure => figure.figure(self.node, self.at, self.refresh),
        };
        condition.holds_number(number)
    }
}

fn role_rank(node: &Node) -> u8 {
    match node.role {
        Some(Role::Primary) => 0,
        Some(Role::Standby) => 1,
        None => 2,
    }
}

/// The rank of a node's state: ascending is worst first, as sorting by state is for finding trouble.
fn state_rank(node: &Node) -> u8 {
    match node.health.state {
        HealthState::Unhealthy | HealthState::Reconnecting => 0,
        HealthState::Degraded => 1,
        HealthState::Connecting => 2,
        HealthState::Healthy => 3,
        HealthState::Disconnected => 4,
    }
}
