//! The heights of the lines of a table if long text is wrapped.

use super::{Grid, Shows, times};
use crate::app::views::{Across, Group, GroupCell, RowAt, TableLine};
use crate::model::view::{CellKind, Source, Value, cell_within};
use crate::text;
use crate::tui::screens::view::cell::clock;
use crate::tui::screens::view::note::whole_note;
use crate::tui::widgets::data_table::{GUTTER, Placed};
use crate::tui::widgets::wrapped;

impl Grid<'_> {
    /// The height of a line of the table if long text is wrapped.
    pub(in crate::tui::screens::view) fn height(&self, line: &TableLine, placed: &[Placed], width: u16) -> u16 {
        let of = |cell: &dyn Fn(Shows, &Placed) -> u16| {
            let cells = placed.iter().filter_map(|place| Some(cell(*self.of.get(place.nth)?, place)));
            cells.max().unwrap_or(1)
        };
        match line {
            TableLine::Row(row) => of(&|shows, place| match shows {
                Shows::Node => wrapped::height(row.node.as_str(), place.width),
                Shows::Data(at) => {
                    let taken = if place.nth + 1 == self.fixed { 2 * u16::from(row.depth) } else { 0 };
                    self.cell_height(at, row, place.width.saturating_sub(taken))
                }
                Shows::Across(_) => 1,
            }),
            TableLine::Across(across) => of(&|shows, place| match shows {
                Shows::Data(at) => self.cell_height(at, &across.first, place.width),
                Shows::Across(at) => self.across_height(across, at, place.width),
                Shows::Node => 1,
            }),
            TableLine::Group(at) => of(&|shows, place| match (shows, self.table.groups().get(*at)) {
                (Shows::Data(column), Some(group)) => self.group_height(group, column, place.width),
                _ => 1,
            }),
            TableLine::Note(note) => wrapped::height(&whole_note(note), width.saturating_sub(GUTTER + 2)),
        }
    }

    fn cell_height(&self, at: usize, row: &RowAt, width: u16) -> u16 {
        let Some(column) = self.table.view.columns.get(at) else { return 1 };
        let is_one_line = column.kind.is_number() || column.kind == CellKind::Lsn;
        if is_one_line || matches!(column.source, Source::Trend { .. }) {
            return 1;
        }
        let value = self.table.value(&row.node, row.at, at);
        wrapped::height(&cell_within(column, value, clock(self.app, self.table, &row.node), usize::from(width)), width)
    }

    fn across_height(&self, across: &Across, at: usize, width: u16) -> u16 {
        let node = self.table.across().get(at).zip(across.rows.get(at).copied().flatten());
        let compared = self.table.view.compare.unwrap_or_default();
        match node.map(|(node, row)| self.table.value(node, row, compared)) {
            Some(Value::Text(said)) => wrapped::height(said, width),
            _ => 1,
        }
    }

    fn group_height(&self, group: &Group, at: usize, width: u16) -> u16 {
        if Some(at) == self.table.group {
            return wrapped::height(&group.value, width.saturating_sub(text::width(&times(group)) as u16));
        }
        match group.cells.get(at) {
            Some(GroupCell::Same(row)) => self.cell_height(at, row, width),
            _ => 1,
        }
    }
}
