//! The table of a view as a list: its rows, or the lines of a row shown in full.

use super::{NextSort, Rows, Visible};
use crate::app::rows::cursor::{Cursor, Move};
use crate::app::rows::filter::Filter;
use crate::app::rows::table::Sort;
use crate::app::views::ViewTable;
use crate::app::views::filter::filter;
use crate::fleet::Nodes;
use crate::model::NodeName;

/// The header of the first column, the node, which is no column of the view.
const NODE: &str = "NODE";

impl Rows for ViewTable {
    fn can_move(&self, _visible: Visible) -> bool {
        !self.is_empty()
    }

    fn cursor(&self) -> Cursor {
        self.opened.as_ref().map_or(self.cursor, |opened| opened.cursor)
    }

    fn go(&mut self, movement: Move, visible: Visible) {
        match &mut self.opened {
            Some(opened) => opened.cursor.go(movement, visible.lines, visible.page),
            None => self.go(movement, visible.page),
        }
    }

    fn select(&mut self, row: usize, visible: Visible) {
        match &mut self.opened {
            Some(opened) => opened.cursor.select(row, visible.lines, visible.page),
            None => self.select(row, visible.page),
        }
    }

    fn fit(&mut self, visible: Visible, first: Option<usize>) {
        let len = self.len();
        self.cursor.select(self.cursor.at, len, visible.page);
        if self.opened.is_none() {
            self.cursor.offset = first.unwrap_or(self.cursor.offset);
        }
    }

    fn filter(&self) -> &Filter {
        self.opened.as_ref().map_or(&self.filter, |opened| &opened.filter)
    }

    fn set_filter(&mut self, source: &str, nodes: &Nodes) {
        if let Some(opened) = &mut self.opened {
            opened.filter = Filter::new(source, &[]);
        } else {
            let names: Vec<NodeName> = nodes.names().cloned().collect();
            self.filter = filter(source, &self.view, &names);
        }
    }

    fn columns(&self) -> Option<(usize, usize)> {
        self.opened.is_none().then(|| (self.column, self.columns().count()))
    }

    fn set_column(&mut self, column: usize) {
        self.column = column;
    }

    fn sortable(&self) -> usize {
        self.columns().count() + 1
    }

    fn sort(&self) -> Option<Sort> {
        self.sort
    }

    fn sort_title(&self, column: usize) -> Option<&str> {
        match column.checked_sub(1) {
            None => Some(NODE),
            Some(at) => self.view.columns.get(at).map(|column| column.title.as_str()),
        }
    }

    fn set_sort(&mut self, next: NextSort<'_>) {
        // Goes through the visible columns only, so that the sort column can be seen.
        let seen: Vec<usize> = std::iter::once(0).chain(self.columns().map(|column| column + 1)).collect();
        let place = |sort: Sort| seen.iter().position(|column| *column == sort.column).unwrap_or_default();
        let now = self.sort.map(|sort| Sort { column: place(sort), ..sort });
        let next = next(now, seen.len());
        self.sort = next.map(|sort| Sort { column: seen.get(sort.column).copied().unwrap_or_default(), ..sort });
    }

    fn sort_by(&mut self, column: usize) {
        self.sort = match self.sort {
            Some(sort) if sort.column == column => Some(Sort { descending: !sort.descending, ..sort }),
            _ => Some(Sort { column, descending: false }),
        };
    }

    fn wraps(&self) -> bool {
        self.opened.is_none()
    }
}
