//! What a screen keeps while another one is shown: its state when it was left, and the filters of tables that several
//! screens show.

use std::collections::HashMap;

use super::{Filter, Pane, Screen};
use crate::model::NodeName;

/// A screen as it was left.
#[derive(Debug, Clone)]
pub(in crate::app) struct Place {
    pub(super) screen: Screen,
    /// The view on it, if it shows one.
    pub(super) view: Option<String>,
    pub(super) pane: Pane,
    /// The selected node.
    pub(super) node: Option<NodeName>,
    /// The number of the selected journal entry.
    pub(super) event: Option<u64>,
}

impl Place {
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let nodes_differ = self.screen == Screen::Detail && self.node != other.node;
        self.screen == other.screen && self.view == other.view && !nodes_differ
    }
}

/// The filters of tables that several screens show, as the other screens left them.
#[derive(Debug, Clone, Default)]
pub(in crate::app) struct Parked(pub(super) HashMap<Screen, Shared>);

#[derive(Debug, Clone, Default)]
pub(in crate::app) struct Shared {
    pub(super) events: Filter,
    pub(super) event_problems: bool,
    pub(super) answers: Filter,
}
