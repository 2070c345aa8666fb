//! Screen 2: the cluster as its nodes tell it, from the primaries down, and what is wrong with its shape.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::events;
use crate::app::topology::{Branch, Edge};
use crate::app::{App, Pane};
use crate::model::Role;
use crate::tui::canvas::{Canvas, to_app};
use crate::tui::widgets::badge;
use crate::tui::widgets::data_table::select;
use crate::tui::widgets::filtered::{filtered, none_left};
use crate::tui::widgets::pane::Pane as Frame;
use crate::tui::widgets::pen::Pen;
use crate::tui::{Theme, text};

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let faults = canvas.app.topology.faults.len() as u16;
    let lower = if faults == 0 { 3 } else { (faults + 2).min(area.height / 2) };
    picture(canvas, Rect { height: area.height - lower, ..area });
    shape(canvas, Rect { y: area.bottom() - lower, height: lower, ..area });
}

fn picture(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let branches = &app.topology.branches;
    let cursor = &app.topology.cursor;
    let window = cursor.window(branches.len(), usize::from(area.height.saturating_sub(3)));
    let foot = text::part(&window, branches.len());
    let loud = filtered(Vec::new(), &app.topology.filter, app.topology.branches_left_out);
    let frame = Frame { title: "Topology", loud: &loud, note: "as the nodes tell it", foot: &foot, focused: false };
    let inner = canvas.pane(Pane::Topology, area, frame);
    let columns = Columns::of(branches, usize::from(inner.width));
    columns.heads(&mut Pen::row(canvas.buf, inner, 0), theme);
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    for (row, at) in (0..rows.height).zip(window.clone()) {
        let Some(branch) = branches.get(at) else { continue };
        let line = Rect { y: rows.y + row, height: 1, ..rows };
        columns.line(&mut Pen::new(canvas.buf, line), branch, app, theme);
        if at == cursor.at {
            select(canvas.buf, line, canvas.is_focused(Pane::Topology), theme);
        }
    }
    if branches.is_empty() && app.topology.branches_left_out > 0 {
        Pen::row(canvas.buf, rows, 0).put(&none_left("node", &app.topology.filter), theme.dim);
    }
    if let Some(pane) = canvas.last_pane() {
        pane.rows = to_app(rows);
        pane.first = window.start;
        pane.len = branches.len();
    }
}

/// What is wrong, or that nothing is.
fn shape(canvas: &mut Canvas<'_>, area: Rect) {
    let (app, theme) = (canvas.app, canvas.theme);
    let left_out = app.topology.faults_left_out;
    let loud = if left_out > 0 { format!("{left_out} left out") } else { String::new() };
    let inner = Frame { title: "Shape", loud: &loud, ..Frame::default() }.draw(canvas.buf, area, theme);
    let faults = &app.topology.faults;
    if faults.is_empty() && left_out > 0 {
        Pen::row(canvas.buf, inner, 0).put(&none_left("sentence", &app.topology.filter), theme.dim);
    } else if faults.is_empty() {
        let answered =
            app.sheets.get("topology").is_some_and(|sheet| sheet.nodes().any(|(_, node)| node.reading.is_some()));
        let said = if answered { "Nothing is wrong with it." } else { "Asking the nodes …" };
        Pen::row(canvas.buf, inner, 0).put(said, theme.dim);
    }
    for (row, fault) in (0..inner.height).zip(faults) {
        let (sign, style) = events::sign(fault.severity, theme);
        Pen::row(canvas.buf, inner, row).sign(sign, style).gap(1).put(&fault.text, theme.text);
    }
}

/// Where things stand in a line: the same in all of them.
struct Columns {
    name: usize,
    state: usize,
    slot: usize,
    /// There is room for positions.
    wide: bool,
}

const LAG: usize = 8;

impl Columns {
    fn of(branches: &[Branch], width: usize) -> Self {
        let name = |branch: &Branch| text::width(&branch.name) + 3 * branch.more.len() + 2;
        let slot = |branch: &Branch| branch.edge.as_ref().and_then(|edge| edge.slot.as_deref()).map_or(0, text::width);
        Self {
            name: branches.iter().map(name).max().unwrap_or(0).clamp(12, width / 3),
            state: 20,
            slot: branches.iter().map(slot).max().unwrap_or(0).clamp(4, 20),
            wide: width >= 110,
        }
    }

    fn heads(&self, pen: &mut Pen<'_>, theme: &Theme) {
        let dim = theme.dim;
        pen.column("NODE", self.name, dim).gap(2).column("ROLE", 8, dim).gap(1).column_right("TL", 3, dim).gap(2);
        pen.column("RECEIVES", self.state, dim).gap(1).column_right("LAG", LAG, dim).gap(1);
        pen.column_right("BYTES", LAG, dim).gap(2).column("SLOT", self.slot, dim).gap(2);
        if self.wide {
            pen.column("POSITION", 14, dim).gap(1);
        }
        pen.put("NOTE", dim);
    }

    fn line(&self, pen: &mut Pen<'_>, branch: &Branch, app: &App, theme: &Theme) {
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
        let name = if node.is_some() && !branch.gone { theme.text } else { theme.dim };
        pen.sign(sign, style).gap(1).put(&branch.name, name).to(start + self.name as u16).gap(2);
        let role = match (branch.role, node) {
            (Some(Role::Primary), _) => "primary",
            (Some(Role::Standby), _) => "standby",
            (None, Some(_)) => text::UNKNOWN,
            (None, None) => "unknown",
        };
        let timeline = branch.timeline.as_deref().unwrap_or(text::UNKNOWN);
        pen.column(role, 8, theme.dim).gap(1).column_right(timeline, 3, theme.dim).gap(2);
        match &branch.edge {
            Some(edge) => self.edge(pen, edge, app, branch.gone, theme),
            None => {
                pen.column("", self.state + 2 * LAG + self.slot + 4, theme.dim).gap(2);
            }
        }
        if self.wide {
            pen.column(branch.position.as_deref().unwrap_or(text::UNKNOWN), 14, theme.dim).gap(1);
        }
        note(pen, branch, theme);
    }

    fn edge(&self, pen: &mut Pen<'_>, edge: &Edge, app: &App, gone: bool, theme: &Theme) {
        let state = edge.state.as_deref().unwrap_or(text::UNKNOWN);
        let well = matches!(state, "streaming" | "running");
        let style = match state {
            _ if gone => theme.dim,
            "stopped" | "no worker" => theme.bad,
            _ if well => theme.ok,
            _ => theme.warn,
        };
        pen.column(&edge.receives(), self.state, style).gap(1);
        let lag = edge.lag();
        let said = lag.map_or_else(|| text::UNKNOWN.to_owned(), text::duration);
        pen.column_right(&said, LAG, if gone { theme.dim } else { lag_style(lag, app, theme) }).gap(1);
        let bytes = edge.lag_bytes.map_or_else(|| text::UNKNOWN.to_owned(), text::bytes);
        pen.column_right(&bytes, LAG, theme.dim).gap(2);
        pen.column(edge.slot.as_deref().unwrap_or(text::UNKNOWN), self.slot, theme.dim).gap(2);
    }
}

/// Coloured by the thresholds of the file.
fn lag_style(lag: Option<std::time::Duration>, app: &App, theme: &Theme) -> Style {
    let limit = &app.thresholds.replication_lag;
    match lag {
        Some(lag) if lag >= limit.critical => theme.bad,
        Some(lag) if lag >= limit.warning => theme.warn,
        Some(_) => theme.text,
        None => theme.dim,
    }
}

fn note(pen: &mut Pen<'_>, branch: &Branch, theme: &Theme) {
    let (word, said) = branch.note();
    let style = if branch.gone && branch.node.is_some() { theme.warn } else { theme.dim };
    pen.put(word, style).put(said, theme.text);
}
