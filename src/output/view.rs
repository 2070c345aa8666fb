//! The answers of nodes to a view, as JSON, CSV and a table.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

use super::answers::JsonValue;
use super::csv::record;
use super::json::{millis, time};
use super::table::{Align, Table};
use crate::model::view::{CellKind, Reading, Unit, Value, cell};
use crate::model::{NodeError, NodeName, View};

/// A view and what each node answered to it.
#[derive(Debug)]
pub struct ViewDocument<'a> {
    pub view: &'a View,
    /// When the last answers came. The table shows ages at this time.
    pub at: SystemTime,
    /// In the order of the file.
    pub nodes: Vec<ViewAnswer<'a>>,
}

/// What one node answered.
#[derive(Debug)]
pub struct ViewAnswer<'a> {
    pub node: &'a NodeName,
    pub answer: Result<&'a Reading, &'a NodeError>,
    /// The rows of the answer that programs get, in its order.
    pub rows: Vec<usize>,
    /// How long the node took to fail, if it failed by itself.
    pub failed_after: Option<Duration>,
}

impl ViewDocument<'_> {
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }

    pub fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let names = self.view.reported().map(|(_, column)| Some(column.name.as_str()));
        record(out, [Some("node")].into_iter().chain(names))?;
        for ViewAnswer { node, answer, rows, .. } in &self.nodes {
            let Ok(reading) = answer else { continue };
            for row in rows {
                let cells: Vec<Option<String>> = self
                    .view
                    .reported()
                    .map(|(column, _)| written(self.view, column, reading.value(self.view, *row, column)))
                    .collect();
                record(out, [Some(node.as_str())].into_iter().chain(cells.iter().map(Option::as_deref)))?;
            }
        }
        Ok(())
    }

    /// One table of the given rows, in the order given: people see them as the dashboard sorts them.
    pub fn write_table(&self, rows: &[(NodeName, usize)], out: &mut dyn Write) -> io::Result<()> {
        let view = self.view;
        let readings: HashMap<&NodeName, &Reading> =
            self.nodes.iter().filter_map(|node| Some((node.node, node.answer.ok()?))).collect();
        let value = |node: &NodeName, row: usize, column: usize| match readings.get(node) {
            Some(reading) => reading.value(view, row, column),
            None => Value::Unknown,
        };
        // The times of a node's rows are those of its server.
        let clock = |node: &NodeName| readings.get(node).map_or(self.at, |reading| reading.clock(self.at));
        let shown: Vec<usize> = view.reported().filter(|(_, column)| !column.hidden).map(|(at, _)| at).collect();
        let heads = shown.iter().map(|at| {
            let column = &view.columns[*at];
            (column.title.clone(), if column.kind.is_number() { Align::Right } else { Align::Left })
        });
        let mut cells = Vec::new();
        for (node, row) in rows {
            let values = shown.iter().map(|at| cell(&view.columns[*at], value(node, *row, *at), clock(node)));
            cells.push((node.as_str(), values.collect::<Vec<_>>()));
        }
        let mut table = Table::new([("NODE".to_owned(), Align::Left)].into_iter().chain(heads));
        for (node, row) in &cells {
            table.push([*node].into_iter().chain(row.iter().map(AsRef::as_ref)));
        }
        table.write(out, |_, line| line)
    }
}

/// A value as programs read it; `None` is an unknown one.
fn written(view: &View, column: usize, value: Value<'_>) -> Option<String> {
    match value {
        Value::Unknown => None,
        Value::Rate(rate) if view.columns.get(column).is_some_and(|column| column.kind == CellKind::Int8) => {
            Some(format!("{rate:.0}"))
        }
        Value::Rate(rate) => rate.is_finite().then(|| format!("{rate:.3}")),
        Value::Text(text) => Some(match view.columns.get(column).map(|column| column.kind) {
            Some(CellKind::Time) => moment(text)?,
            _ => text.to_owned(),
        }),
    }
}

/// Seconds since 1970 as RFC 3339.
fn moment(text: &str) -> Option<String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite())?;
    let since = Duration::try_from_secs_f64(seconds).ok()?;
    Some(time(SystemTime::UNIX_EPOCH.checked_add(since)?))
}

impl Serialize for ViewDocument<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct JsonColumn<'a> {
            name: &'a str,
            unit: Option<&'a str>,
            r#type: &'a str,
        }
        let columns = self.view.reported().map(|(_, column)| JsonColumn {
            name: &column.name,
            unit: column.unit.map(Unit::as_str),
            r#type: column.kind.pg_type(),
        });
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("view", &self.view.name)?;
        map.serialize_entry("at", &time(self.at))?;
        map.serialize_entry("columns", &columns.collect::<Vec<_>>())?;
        map.serialize_entry("nodes", &JsonNodes(self))?;
        map.end()
    }
}

struct JsonNodes<'a>(&'a ViewDocument<'a>);

impl Serialize for JsonNodes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.nodes.iter().map(|node| JsonNode(self.0.view, node)))
    }
}

struct JsonNode<'a>(&'a View, &'a ViewAnswer<'a>);

impl Serialize for JsonNode<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(view, ViewAnswer { node, answer, rows, failed_after }) = *self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("node", node)?;
        map.serialize_entry("ok", &answer.is_ok())?;
        match answer {
            Ok(reading) => {
                map.serialize_entry("elapsed_ms", &millis(reading.answer.elapsed))?;
                let rows: Vec<JsonRow<'_>> = rows.iter().map(|row| JsonRow(view, reading, *row)).collect();
                map.serialize_entry("rows", &rows)?;
                map.serialize_entry("truncated", &reading.answer.truncated)?;
                if let Some(why) = &reading.answer.missing {
                    map.serialize_entry("missing", why)?;
                }
                if let Some(why) = &reading.answer.not_applicable {
                    map.serialize_entry("not_applicable", why)?;
                }
            }
            Err(error) => {
                map.serialize_entry("elapsed_ms", &failed_after.map(millis))?;
                map.serialize_entry("error", error)?;
            }
        }
        map.end()
    }
}

struct JsonRow<'a>(&'a View, &'a Reading, usize);

impl Serialize for JsonRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(view, reading, row) = *self;
        let mut cells = serializer.serialize_seq(Some(view.reported().count()))?;
        for (at, column) in view.reported() {
            match reading.value(view, row, at) {
                Value::Unknown => cells.serialize_element(&None::<f64>)?,
                Value::Rate(_) if column.kind == CellKind::Int8 => {
                    cells.serialize_element(&written(view, at, reading.value(view, row, at)))?;
                }
                // JSON has no infinity: a rate without end is written as unknown.
                Value::Rate(rate) => {
                    cells.serialize_element(&rate.is_finite().then_some((rate * 1000.0).round() / 1000.0))?;
                }
                Value::Text(text) if column.kind == CellKind::Time => cells.serialize_element(&moment(text))?,
                Value::Text(text) => cells.serialize_element(&JsonValue(text, column.kind.pg_type()))?,
            }
        }
        cells.end()
    }
}
