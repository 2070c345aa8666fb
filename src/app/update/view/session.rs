//! What else is asked for a session shown in full: the chain of locks that it is part of, and all locks that it holds
//! or waits for.

use std::sync::Arc;

use crate::app::App;
use crate::model::view::Value;
use crate::model::{NodeName, View};

use crate::app::views::lines::{Asked, RowAt};
use crate::app::views::table::ViewTable;

/// The view that has the chain: the part of its tree with the session.
const CHAIN: &str = "locks";
/// The view of the locks themselves.
const HELD: &str = "held_locks";

impl App {
    /// The views that are asked for the session shown in full, and its node. Empty if no session is shown.
    pub(in crate::app) fn asked_for_session(&self) -> impl Iterator<Item = (&Arc<View>, &Vec<NodeName>)> {
        let opened = self.view_table().filter(|table| is_of_sessions(&table.view)).and_then(|table| {
            let nodes = &table.opened.as_ref()?.nodes;
            Some((table.view.name.as_str(), nodes))
        });
        opened.into_iter().flat_map(|(shown, nodes)| {
            let views = [CHAIN, HELD].into_iter().filter(move |name| *name != shown);
            views.filter_map(|name| self.views.all.get(name)).map(move |view| (view, nodes))
        })
    }

    /// The node of the session shown in full, and its id in both views.
    fn opened_session(&self) -> Option<(&NodeName, &str)> {
        let table = self.view_table().filter(|table| is_of_sessions(&table.view))?;
        let (node, row) = table.opened_row()?;
        match table.value(node, row, table.view.column("id").or_else(|| table.view.column("pid"))?) {
            Value::Text(id) => Some((node, id)),
            _ => None,
        }
    }

    /// The lines of the lock tree with the session of the open row, the root first; true for the session's own line.
    /// Empty if it neither waits nor blocks.
    pub fn chain(&self) -> Vec<(&RowAt, bool)> {
        self.chain_of_opened().unwrap_or_default()
    }

    fn chain_of_opened(&self) -> Option<Vec<(&RowAt, bool)>> {
        let (node, id) = self.opened_session()?;
        let locks = self.views.get(CHAIN)?;
        let own = locks.view.column("id")?;
        let rows: Vec<&RowAt> = locks.rows_at().filter(|row| row.node == *node).collect();
        let is_own = |row: &RowAt| locks.value(&row.node, row.at, own) == Value::Text(id);
        let at = rows.iter().position(|row| is_own(row))?;
        let root = rows.iter().take(at + 1).rposition(|row| row.depth == 0)?;
        let below = rows.iter().skip(root + 1).take_while(|row| row.depth > 0);
        Some(rows.get(root).into_iter().chain(below).map(|row| (*row, is_own(row))).collect())
    }

    /// The table of all locks, the node of the session shown in full, and the session's rows there: first those that
    /// it waits for, then those that it holds, the strongest first.
    pub fn locks_of_session(&self) -> Option<(&ViewTable, &NodeName, Vec<usize>)> {
        let (node, id) = self.opened_session()?;
        let locks = self.views.get(HELD)?;
        let own = locks.view.column("id")?;
        let reading = locks.node(node)?.reading.as_ref()?;
        let rows = (0..reading.len()).filter(|row| reading.value(&locks.view, *row, own) == Value::Text(id));
        Some((locks, node, rows.collect()))
    }

    /// Takes in new answers to these views while a session is shown in full.
    pub(in crate::app) fn settle_session(&mut self) {
        let asked: Vec<(String, Vec<NodeName>)> =
            self.asked_for_session().map(|(view, nodes)| (view.name.clone(), nodes.clone())).collect();
        for (view, nodes) in asked {
            if self.views.get(&view).is_some_and(|table| table.unsettled) {
                let asked: Vec<Asked> = nodes.into_iter().map(Asked::new).collect();
                self.settle_table(Some(&view), &asked, usize::MAX);
            }
        }
    }
}

/// True if a row of the view is a session that can hold locks and wait for them.
fn is_of_sessions(view: &View) -> bool {
    view.column("pid").is_some() && view.column("blocked_by").is_some()
}
