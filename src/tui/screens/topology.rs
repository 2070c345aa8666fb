//! Screen 2: the topology as the nodes report it, from the primaries down, and its problems.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::app::{App, Pane};
use crate::fleet::nodes::Level;
use crate::fleet::topology::{Branch, Edge, ShapeFault, VIEWS};
use crate::model::Role;
use crate::text;
use crate::tui::Theme;
use crate::tui::canvas::Canvas;
use crate::tui::widgets::badge;
use crate::tui::widgets::border::{Border, inside};
use crate::tui::widgets::data_table::select;
use crate::tui::widgets::filtered::{filtered, none_left};
use crate::tui::widgets::pen::Pen;
use crate::tui::widgets::severity;
use crate::tui::widgets::wrapped::{self, Rows};

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    // The room after the sign.
    let width = inside(area).width.saturating_sub(2);
    let faults: usize =
        canvas.app.topology.faults.iter().map(|fault| usize::from(wrapped::height(&fault.text, width))).sum();
    let lower = if faults == 0 { 3 } else { (faults as u16 + 2).min(area.height / 2) };
    picture(canvas, Rect { height: area.height - lower, ..area });
    shape(canvas, Rect { y: area.bottom() - lower, height: lower, ..area });
}

fn picture(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let branches = &app.topology.branches;
    let cursor = &app.topology.cursor;
    let columns = Columns::of(branches, inside(area.intersection(canvas.buf.area)).width, app.wrap);
    let height = app.wrap.then_some(|at: usize| branches.get(at).map_or(1, |branch| columns.height(branch)));
    let shown = Rows::of(cursor, branches.len(), area.height.saturating_sub(3), height);
    let window = shown.window.clone();
    let foot = text::part(&window, branches.len());
    let loud = filtered(Vec::new(), &app.topology.filter, app.topology.branches_left_out);
    let border = Border { title: "Topology", loud: &loud, note: "as the nodes tell it", foot: &foot, focused: false };
    let inner = canvas.pane(Pane::Topology, area, border);
    columns.heads(&mut Pen::row(canvas.buf, inner, 0), theme);
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    for (at, line) in shown.areas(rows) {
        let Some(branch) = branches.get(at) else { continue };
        columns.line(canvas.buf, line, branch, app, theme);
        if at == cursor.at {
            select(canvas.buf, line, canvas.is_focused(Pane::Topology), theme);
        }
    }
    if branches.is_empty() && app.topology.branches_left_out > 0 {
        Pen::row(canvas.buf, rows, 0).put(&none_left("node", &app.topology.filter), theme.dim);
    }
    canvas.note_rows(rows, &shown, branches.len());
}

/// The problems, or that there are none.
fn shape(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let left_out = app.topology.faults_left_out;
    let loud = if left_out > 0 { format!("{left_out} left out") } else { String::new() };
    let faults = &app.topology.faults;
    let room = inside(area);
    let beyond = faults.len() - visible(faults, room.width.saturating_sub(2), room.height);
    let foot = if beyond > 0 { format!("{beyond} more") } else { String::new() };
    let border = Border { title: "Problems", loud: &loud, foot: &foot, ..Border::default() };
    let inner = border.draw(canvas.buf, area, theme);
    if faults.is_empty() && left_out > 0 {
        Pen::row(canvas.buf, inner, 0).put(&none_left("problem", &app.topology.filter), theme.dim);
    } else if faults.is_empty() {
        let readings = app.picture().readings.of(VIEWS[0]);
        let answered = readings.is_some_and(|of| of.nodes().any(|(_, node)| node.newest().is_some()));
        let said = if answered { "No problems found." } else { "Asking the nodes …" };
        Pen::row(canvas.buf, inner, 0).put(said, theme.dim);
    }
    let mut rest = inner;
    for fault in faults {
        let (sign, style) = severity::sign(fault.severity, theme);
        let height = wrapped::height(&fault.text, inner.width.saturating_sub(2)).min(rest.height);
        Pen::new(canvas.buf, Rect { height, ..rest }).sign(sign, style);
        let said = Rect { x: rest.x + 2, width: rest.width.saturating_sub(2), height, ..rest };
        wrapped::put(canvas.buf, said.intersection(rest), &fault.text, theme.text);
        rest = Rect { y: rest.y + height, height: rest.height - height, ..rest };
    }
}

/// How many of the problems are shown in full within this height.
fn visible(faults: &[ShapeFault], width: u16, height: u16) -> usize {
    let mut used = 0;
    faults
        .iter()
        .take_while(|fault| {
            used += wrapped::height(&fault.text, width);
            used <= height
        })
        .count()
}

/// The widths of the parts of a line, the same in all lines.
struct Columns {
    name: usize,
    state: usize,
    slot: usize,
    /// True if there is room for WAL positions.
    wide: bool,
    /// Columns left for the note.
    note: u16,
    /// True if that is too little for a wrapped note, which is then below its row.
    below: bool,
}

const LAG: usize = 8;
/// Minimum width of a wrapped note, in columns.
const NOTE: u16 = 24;
const POSITION: u16 = 14;

impl Columns {
    fn of(branches: &[Branch], width: u16, wrap: bool) -> Self {
        let name = |branch: &Branch| text::width(&branch.name) + 3 * branch.more.len() + 2;
        let slot = |branch: &Branch| branch.edge.as_ref().and_then(|edge| edge.slot.as_deref()).map_or(0, text::width);
        let name = branches.iter().map(name).max().unwrap_or(0).clamp(12, usize::from(width / 3).max(12));
        let slot = branches.iter().map(slot).max().unwrap_or(0).clamp(4, 20);
        let state = 20;
        let before = name + 2 + 8 + 1 + 3 + 2 + state + 1 + LAG + 1 + LAG + 2 + slot + 2;
        let left = width.saturating_sub(before as u16);
        // A wrapped note is more important than the positions.
        let wide = width >= 110 && !(wrap && left < NOTE + POSITION + 1);
        let note = if wide { left.saturating_sub(POSITION + 1) } else { left };
        let below = wrap && note < NOTE;
        Self { name, state, slot, wide, note: if below { width } else { note }, below }
    }

    /// The height of a branch in lines if long text is wrapped.
    fn height(&self, branch: &Branch) -> u16 {
        let (cells, note) = self.heights(branch);
        if self.below { cells + note } else { cells.max(note) }
    }

    /// The heights of its columns and of its note, in lines.
    fn heights(&self, branch: &Branch) -> (u16, u16) {
        let edge = branch.edge.as_ref();
        let cells = [
            wrapped::height(&branch.name, self.name_room(branch)),
            wrapped::height(&edge.map(Edge::receives).unwrap_or_default(), self.state as u16),
            wrapped::height(edge.and_then(|edge| edge.slot.as_deref()).unwrap_or_default(), self.slot as u16),
        ];
        let (word, said) = branch.note();
        let note = format!("{word}{said}");
        let room = if self.below { self.note.saturating_sub(indent(branch)) } else { self.note };
        let note = if note.is_empty() { 0 } else { wrapped::height(&note, room) };
        (cells.into_iter().max().unwrap_or(1), note)
    }

    /// Columns left for a name after its branch and its sign.
    fn name_room(&self, branch: &Branch) -> u16 {
        (self.name as u16).saturating_sub(indent(branch))
    }

    fn heads(&self, pen: &mut Pen<'_>, theme: &Theme) {
        let dim = theme.dim;
        pen.column("NODE", self.name, dim).gap(2).column("ROLE", 8, dim).gap(1).column_right("TL", 3, dim).gap(2);
        pen.column("RECEIVES", self.state, dim).gap(1).column_right("LAG", LAG, dim).gap(1);
        pen.column_right("BYTES", LAG, dim).gap(2).column("SLOT", self.slot, dim).gap(2);
        if self.wide {
            pen.column("POSITION", usize::from(POSITION), dim).gap(1);
        }
        pen.put(if self.below { "" } else { "NOTE" }, dim);
    }

    fn line(&self, buf: &mut Buffer, area: Rect, branch: &Branch, app: &App, theme: &Theme) {
        for row in 1..area.height {
            // The branches continue next to a name of several lines.
            let mut pen = Pen::row(buf, area, row);
            for more in &branch.more {
                pen.put(if *more { "│  " } else { "   " }, theme.border);
            }
        }
        let mut pen = Pen::new(buf, area);
        let start = pen.x();
        if let Some((own, above)) = branch.more.split_last() {
            for more in above {
                pen.put(if *more { "│  " } else { "   " }, theme.border);
            }
            let logical = branch.edge.as_ref().is_some_and(|edge| edge.logical);
            pen.put(if *own { "├" } else { "└" }, theme.border).put(if logical { "┄ " } else { "─ " }, theme.border);
        }
        let node = branch.node.as_ref().and_then(|node| app.picture().nodes.get(node));
        let (sign, style) = match node {
            Some(node) => badge::sign(node.health.state, theme),
            None => ("○", theme.dim),
        };
        let old = branch.silence().is_some();
        let name = if node.is_some() && !old { theme.text } else { theme.dim };
        pen.sign(sign, style).gap(1);
        let named = Rect { x: pen.x(), width: self.name_room(branch).min(pen.room() as u16), ..area };
        pen.to(start + self.name as u16).gap(2);
        let role = match (branch.role, node) {
            (Some(Role::Primary), _) => "primary",
            (Some(Role::Standby), _) => "standby",
            (None, Some(_)) => text::UNKNOWN,
            (None, None) => "unknown",
        };
        let timeline = branch.timeline.as_deref().unwrap_or(text::UNKNOWN);
        pen.column(role, 8, theme.dim).gap(1).column_right(timeline, 3, theme.dim).gap(2);
        match &branch.edge {
            Some(edge) => {
                let level = node.map_or(Level::Normal, |node| node.lag_level(&app.fleet.thresholds));
                self.edge(&mut pen, edge, level, old, theme);
            }
            None => {
                pen.gap(self.state + 2 * LAG + self.slot + 6);
            }
        }
        if self.wide {
            let position = branch.position.as_deref().unwrap_or(text::UNKNOWN);
            pen.column(position, usize::from(POSITION), theme.dim).gap(1);
        }
        let noted = if self.below && area.height > 1 {
            let (above, indent) = (self.heights(branch).0, indent(branch));
            let line = Rect { x: area.x + indent, width: area.width.saturating_sub(indent), ..area };
            Rect { y: area.y + above, height: area.height.saturating_sub(above), ..line }.intersection(area)
        } else {
            Rect { x: pen.x(), width: pen.room() as u16, ..area }
        };
        wrapped::put(buf, named, &branch.name, name);
        note(buf, noted, branch, theme);
        if let Some(edge) = branch.edge.as_ref().filter(|_| area.height > 1) {
            self.rest_of_edge(buf, area, edge, old, theme);
        }
    }

    /// The further lines of an edge.
    fn rest_of_edge(&self, buf: &mut Buffer, area: Rect, edge: &Edge, old: bool, theme: &Theme) {
        let part = |from: usize, width: usize| {
            let x = area.x.saturating_add(from as u16).min(area.right());
            Rect { x, width: (width as u16).min(area.right() - x), ..area }
        };
        let state = self.name + 2 + 8 + 1 + 3 + 2;
        wrapped::put(buf, part(state, self.state), &edge.receives(), state_style(edge, old, theme));
        let slot = state + self.state + 1 + LAG + 1 + LAG + 2;
        wrapped::put(buf, part(slot, self.slot), edge.slot.as_deref().unwrap_or(text::UNKNOWN), theme.dim);
    }

    fn edge(&self, pen: &mut Pen<'_>, edge: &Edge, level: Level, old: bool, theme: &Theme) {
        pen.column(&edge.receives(), self.state, state_style(edge, old, theme)).gap(1);
        let said = edge.lag_said().unwrap_or_else(|| text::UNKNOWN.to_owned());
        let style = match level {
            _ if old || edge.lag().is_none() => theme.dim,
            Level::Critical => theme.bad,
            Level::Warning => theme.warn,
            Level::Normal => theme.text,
        };
        pen.column_right(&said, LAG, style).gap(1);
        let bytes = edge.lag_bytes.map_or_else(|| text::UNKNOWN.to_owned(), text::bytes);
        pen.column_right(&bytes, LAG, theme.dim).gap(2);
        pen.column(edge.slot.as_deref().unwrap_or(text::UNKNOWN), self.slot, theme.dim).gap(2);
    }
}

/// Width of its branch and its sign, in columns.
fn indent(branch: &Branch) -> u16 {
    3 * branch.more.len() as u16 + 2
}

fn state_style(edge: &Edge, old: bool, theme: &Theme) -> Style {
    match edge.state.as_deref() {
        _ if old => theme.dim,
        Some("stopped" | "no worker") => theme.bad,
        Some("streaming" | "running") => theme.ok,
        _ => theme.warn,
    }
}

fn note(buf: &mut Buffer, area: Rect, branch: &Branch, theme: &Theme) {
    let (word, said) = branch.note();
    let style = if branch.silence().is_some() { theme.warn } else { theme.dim };
    if area.height > 1 {
        wrapped::put(buf, area, &format!("{word}{said}"), if said.is_empty() { style } else { theme.text });
    } else {
        Pen::new(buf, area).put(word, style).put(said, theme.text);
    }
}
