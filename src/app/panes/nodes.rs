//! The columns of the Nodes table: their heads, how rows compare by them, and the text that a filter sees.

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
    Node,
    Role,
    State,
    Ping,
    Pool,
    Conns,
    Tps,
    Lag,
    LastMinute,
}

impl NodeColumn {
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

    /// How many of [`Self::ALL`] rows can be sorted by: all but the picture of the last minute.
    pub const SORTABLE: usize = 8;

    /// The heads of those.
    const TITLES: [&'static str; Self::SORTABLE] = {
        let mut titles = [""; Self::SORTABLE];
        let mut at = 0;
        while at < titles.len() {
            titles[at] = Self::ALL[at].title();
            at += 1;
        }
        titles
    };

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

    /// The word of `by name` in the table's title, and what `column:text` of a filter calls it.
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

    /// Orders two nodes by this column. What is unknown or no longer true stands last, in either direction.
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
            Self::Lag => fresh.and(node.lag()).map(|lag| lag.as_secs_f64()),
            Self::Node | Self::Role | Self::State | Self::LastMinute => None,
        }
    }

    /// What a filter may call it, and how it compares.
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

/// A node as its row shows it now: what a filter looks at.
#[derive(Debug)]
pub struct Seen<'a> {
    pub node: &'a Node,
    pub at: SystemTime,
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
                // In place of its figures, the row of a node that is down says why.
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

/// Ascending is worst first: who sorts by state looks for trouble.
fn state_rank(node: &Node) -> u8 {
    match node.health.state {
        HealthState::Unhealthy | HealthState::Reconnecting => 0,
        HealthState::Degraded => 1,
        HealthState::Connecting => 2,
        HealthState::Healthy => 3,
        HealthState::Disconnected => 4,
    }
}
