//! What keys do on the table of a view.

pub(super) mod explain;
pub(super) mod look;
pub(super) mod seek;
pub(super) mod session;
pub(super) mod tabs;
pub(super) mod whole;

use crate::app::rows::cursor::{Cursor, Move};
use crate::app::rows::filter::Filter;
use crate::app::{App, Dialog, Effect, Pane};
use crate::fleet::Severity;
use crate::model::view::Value;
use crate::model::{Command, NodeName};

use crate::app::views::filter::filter;
use crate::app::views::lines::TableLine;
use crate::app::views::table::{Opened, ViewTable};

impl App {
    /// Changes the table on the screen and arranges it again.
    pub(in crate::app) fn changing_view(&mut self, change: impl FnOnce(&mut ViewTable)) {
        if let Some(table) = self.view_table_mut() {
            change(table);
        }
        self.arrange_view();
    }

    /// `Enter`: shows the row in full; for a group its rows; for nodes without rows the reason.
    pub(in crate::app) fn open_row(&mut self) {
        let Some(table) = self.view_table_mut() else { return };
        match table.selected() {
            Some(TableLine::Row(_) | TableLine::Across(_)) => {
                let opened = |key: crate::app::views::table::RowKey| {
                    let nodes = vec![key.0.clone()];
                    Opened { key, nodes, cursor: Cursor::default(), filter: Filter::default() }
                };
                table.opened = table.selected_key().map(opened);
            }
            Some(TableLine::Group(_)) => {
                let Some(((_, value), column)) = table.selected_key().zip(table.group) else { return };
                let name = table.view.columns.get(column).map_or("", |column| column.name.as_str());
                let source = if value.is_empty() { format!("{name}:^$") } else { format!("{name} = {value}") };
                self.changing_view(|table| {
                    table.group = None;
                    table.filter = filter(&source, &table.view, &[]);
                });
            }
            Some(TableLine::Note(note)) => {
                // No row has an empty key, so it marks the line that says why the nodes have no rows.
                let key = (note.nodes.first().cloned().unwrap_or_default(), String::new());
                let (nodes, cursor, filter) = (note.nodes.clone(), Cursor::default(), Filter::default());
                table.opened = Some(Opened { key, nodes, cursor, filter });
            }
            None => {}
        }
    }

    /// True if the selected line can be opened.
    pub(in crate::app) fn can_open_row(&self) -> bool {
        self.view_table().is_some_and(|table| table.opened.is_none() && table.selected().is_some())
    }

    /// Shows the rows that the view hides at first, or hides them again.
    pub(in crate::app) fn toggle_hidden(&mut self) {
        self.changing_view(|table| table.shows_hidden ^= true);
        let shown = self.view_table().is_some_and(|table| table.shows_hidden);
        self.say(
            Severity::Info,
            if shown { "all rows are shown" } else { "the less interesting rows are hidden again" },
        );
    }

    pub(in crate::app) fn can_toggle_hidden(&self) -> bool {
        self.view_table().is_some_and(|table| !table.view.hide.is_empty() || table.view.compare.is_some())
    }

    /// Groups by the next column that allows it; after the last one, ungroups.
    pub(in crate::app) fn group_next(&mut self) {
        self.changing_view(|table| {
            let from = table.group.map_or(0, |group| group + 1);
            let columns = table.view.columns.iter().enumerate().skip(from);
            table.group = columns.filter(|(_, column)| column.group).map(|(at, _)| at).next();
            table.cursor = Cursor::default();
        });
    }

    pub(in crate::app) fn can_group(&self) -> bool {
        self.view_table().is_some_and(|table| table.view.columns.iter().any(|column| column.group))
    }

    /// Shows only the node of the selected row, or all nodes again.
    pub(in crate::app) fn toggle_only(&mut self) {
        self.views.only = match self.views.only.take() {
            Some(_) => None,
            None => self.view_table().and_then(ViewTable::selected_node).map(|node| vec![node.clone()]),
        };
        self.arrange_view();
    }

    /// Shows all nodes again, after `o`, `[`, `]`, an alert or marks limited them.
    pub(in crate::app) fn show_all_nodes(&mut self) {
        self.views.only = None;
        self.arrange_view();
    }

    pub(in crate::app) fn can_toggle_only(&self) -> bool {
        let alone = self.fleet.now().nodes.len() < 2;
        self.views.only.is_some() || (!alone && self.view_table().is_some_and(|table| table.selected_node().is_some()))
    }

    /// `[` and `]`: shows only the node before or after the one shown alone, or before or after the node of the
    /// selected row.
    pub(in crate::app) fn only_neighbour(&mut self, next: bool) {
        let names: Vec<NodeName> = self.fleet.now().nodes.names().cloned().collect();
        let shown = self.views.only.as_ref().and_then(|only| only.first());
        let now = shown.or_else(|| self.view_table().and_then(ViewTable::selected_node)).cloned();
        let at = now.and_then(|now| names.iter().position(|name| *name == now));
        let wanted = match (at, next) {
            (Some(at), true) => (at + 1).min(names.len().saturating_sub(1)),
            (Some(at), false) => at.saturating_sub(1),
            (None, _) => 0,
        };
        self.views.only = names.get(wanted).map(|name| vec![name.clone()]);
        self.arrange_view();
    }

    pub(in crate::app) fn refresh_now(&mut self) -> Vec<Effect> {
        self.say(Severity::Info, "refreshing now");
        vec![Effect::Send(Command::LookNow)]
    }

    pub(in crate::app) fn mark_row(&mut self) {
        let page = self.drawn.page(Pane::View);
        let Some(table) = self.view_table_mut() else { return };
        if let Some(key) = table.selected_key() {
            if !table.marks.remove(&key) {
                table.marks.insert(key);
            }
            table.go(Move::Down, page);
        }
    }

    pub(in crate::app) fn choose_columns(&mut self) {
        if self.view_table_mut().is_some() {
            self.dialog = Some(Dialog::Columns(Cursor::default()));
        }
    }

    /// Shows or hides the selected column in the open list of columns.
    pub(in crate::app) fn toggle_column(&mut self) -> Vec<Effect> {
        let Some(Dialog::Columns(cursor)) = &self.dialog else { return Vec::new() };
        let at = cursor.at;
        self.changing_view(|table| {
            if !table.toggled.remove(&at) {
                table.toggled.insert(at);
            }
        });
        let Some(table) = self.view_table() else { return Vec::new() };
        let name = |at: &usize| table.view.columns.get(*at).map(|column| column.name.clone());
        let (view, chosen) = (table.view.name.clone(), table.toggled.iter().filter_map(name).collect());
        self.views.columns.insert(view, chosen);
        vec![Effect::SaveColumns(self.views.columns.clone())]
    }

    /// The statement of the selected or opened row, with its node and its row index.
    pub(in crate::app) fn statement_of_row(&self) -> Option<(NodeName, usize, String)> {
        let table = self.view_table()?;
        let column = table.view.statement?;
        let (node, row) = match (table.opened_row(), table.selected()) {
            (Some((node, row)), _) => (node, row),
            (None, Some(TableLine::Row(row))) => (&row.node, row.at),
            _ => return None,
        };
        match table.value(node, row, column) {
            Value::Text(text) if !text.trim().is_empty() => Some((node.clone(), row, text.to_owned())),
            _ => None,
        }
    }

    /// `y`: in an open row the selected cell; else the statement of the row if it has one, or its cells.
    pub(in crate::app) fn copied_row(&self) -> Option<String> {
        let table = self.view_table()?;
        if table.opened.is_some() {
            return self.copied_cell();
        }
        if let Some((_, _, statement)) = self.statement_of_row() {
            return Some(statement);
        }
        let copied = |cells: Vec<String>| Some(cells.join("\t"));
        match table.selected()? {
            TableLine::Row(row) => {
                let cells = table.columns().map(|column| table.value(&row.node, row.at, column).to_string());
                copied(std::iter::once(row.node.to_string()).chain(cells).collect())
            }
            TableLine::Across(across) => {
                let key = |column: &usize| table.value(&across.first.node, across.first.at, *column).to_string();
                let compared = table.view.compare?;
                let on = |(node, row): (&NodeName, &Option<usize>)| {
                    let value = row.map(|row| table.value(node, row, compared).to_string()).unwrap_or_default();
                    format!("{node}={value}")
                };
                let values = table.across().iter().zip(&across.rows).map(on);
                copied(table.view.key.iter().map(key).chain(values).collect())
            }
            TableLine::Group(at) => table.groups().get(*at).map(|group| group.value.clone()),
            TableLine::Note(note) => Some(note.message.clone()),
        }
    }

    /// The cell at the selected line of the open row.
    fn copied_cell(&self) -> Option<String> {
        let table = self.view_table()?;
        if let Some(note) = table.opened_note() {
            return Some(note.message.clone());
        }
        let (node, row, column) = self.copied_place()?;
        Some(table.value(&node, row, column).to_string())
    }

    /// The cell at the selected line of the open row: its node, row and column.
    pub(in crate::app) fn copied_place(&self) -> Option<(NodeName, usize, usize)> {
        let table = self.view_table()?;
        let line = table.opened.as_ref()?.cursor.at;
        let (node, row) = table.opened_row()?;
        let column = (*self.drawn.pane(Pane::View)?.columns.get(line)?)?;
        Some((node.clone(), row, column))
    }
}
