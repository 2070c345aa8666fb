//! The chain of locks that a session stands in: of the tree of the view `locks` on its node, the part with the session.

use crate::app::App;
use crate::model::NodeName;
use crate::model::view::Value;

use super::arrange::{Line, RowAt};
use super::sheet::Sheet;

/// The view that the chain is taken from.
pub(super) const LOCKS: &str = "locks";

impl App {
    /// Whether the row shown at length is a session, whose chain is asked for.
    pub(super) fn shows_session(&self) -> Option<&Vec<NodeName>> {
        let sheet = self.sheet()?;
        let is_session = sheet.view.column("pid").is_some() && sheet.view.column("blocked_by").is_some();
        Some(&sheet.opened.as_ref()?.nodes).filter(|_| is_session && sheet.view.name != LOCKS)
    }

    /// The lines of the tree that the session of the opened row stands in, the root first, and which of them is its own.
    /// Empty where it neither waits nor blocks.
    pub fn chain(&self) -> Vec<(&RowAt, bool)> {
        self.chain_of_opened().unwrap_or_default()
    }

    fn chain_of_opened(&self) -> Option<Vec<(&RowAt, bool)>> {
        self.shows_session()?;
        let sheet = self.sheet()?;
        let (node, row) = sheet.opened_row()?;
        let Value::Text(pid) = sheet.value(node, row, sheet.view.column("pid")?) else { return None };
        let locks = self.sheets.get(LOCKS)?;
        let own = locks.view.column("pid")?;
        let rows: Vec<&RowAt> = locks.rows_at().filter(|row| row.node == *node).collect();
        let is_own = |row: &RowAt| locks.value(&row.node, row.at, own) == Value::Text(pid);
        let at = rows.iter().position(|row| is_own(row))?;
        let root = rows.iter().take(at + 1).rposition(|row| row.depth == 0)?;
        let below = rows.iter().skip(root + 1).take_while(|row| row.depth > 0);
        Some(rows.get(root).into_iter().chain(below).map(|row| (*row, is_own(row))).collect())
    }

    /// The tree came anew while a session is shown at length.
    pub(in crate::app) fn settle_chain(&mut self) {
        let Some(nodes) = self.shows_session().cloned() else { return };
        let frozen = self.frozen.is_some();
        let asked: Vec<(NodeName, Option<String>)> = nodes.into_iter().map(|name| (name, None)).collect();
        if let Some(locks) = self.sheets.of(LOCKS).filter(|locks| locks.unsettled) {
            locks.settle(&asked, frozen, usize::MAX);
        }
    }
}

impl Sheet {
    fn rows_at(&self) -> impl Iterator<Item = &RowAt> {
        self.lines.iter().filter_map(|line| if let Line::Row(row) = line { Some(row) } else { None })
    }
}
