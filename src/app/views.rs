//! The screens of views: which views there are, which one each screen shows, and what is asked for it.

pub(in crate::app) mod filter;
pub(in crate::app) mod lines;
mod order;
pub(in crate::app) mod table;
pub(in crate::app) mod tabs;
mod tree;
pub(in crate::app) mod whole;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;

use crate::model::protocol::Look;
use crate::model::view::ViewScreen;
use crate::model::{NodeName, View};

use super::ChosenColumns;

pub use lines::{Across, Group, GroupCell, NodeNote, RowAt, TableLine};
pub use table::{Opened, Shown, ViewTable};
pub use whole::Whole;

/// All views and their tables.
#[derive(Debug, Clone, Default)]
pub struct Views {
    /// All views by name; empty until they are read.
    pub(super) all: IndexMap<String, Arc<View>>,
    /// The errors in the user's own files.
    pub problems: Vec<String>,
    /// The view that each screen shows, if it is not the first.
    pub(super) chosen: HashMap<ViewScreen, String>,
    /// The screens whose view a person chose.
    pub(super) by_hand: HashSet<ViewScreen>,
    /// A table for each view that was shown.
    pub(super) tables: HashMap<String, ViewTable>,
    /// The nodes that are shown; `None` for all.
    pub only: Option<Vec<NodeName>>,
    /// What the manager was last asked to look at.
    pub(super) looked: Vec<Look>,
    /// The texts that were asked for as a whole: those of the row shown in full.
    pub(super) whole: Vec<Whole>,
    /// How many texts were asked for as a whole.
    pub(super) texts_asked: u64,
    /// The columns that were shown or hidden, in this run and earlier ones.
    pub(super) columns: ChosenColumns,
}

impl Views {
    pub(super) fn new(columns: ChosenColumns) -> Self {
        Self { columns, ..Self::default() }
    }

    /// All views, in the order of their tabs.
    pub fn all(&self) -> impl Iterator<Item = &Arc<View>> {
        self.all.values()
    }

    /// The table of the view, if it was ever shown.
    pub fn get(&self, view: &str) -> Option<&ViewTable> {
        self.tables.get(view)
    }

    pub(super) fn of(&mut self, view: &str) -> Option<&mut ViewTable> {
        self.tables.get_mut(view)
    }

    pub(super) fn table(&mut self, view: &Arc<View>) -> &mut ViewTable {
        let chosen = self.columns.get(&view.name);
        self.tables.entry(view.name.clone()).or_insert_with(|| {
            let mut table = ViewTable::new(Arc::clone(view));
            table.toggled = chosen.into_iter().flatten().filter_map(|column| view.column(column)).collect();
            table
        })
    }
}
