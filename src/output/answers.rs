//! The answers to one statement on many nodes, as JSON, CSV and tables.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::csv::record;
use super::json::millis;
use super::table::{Align, Table};
use crate::model::protocol::{NodeOutcome, NodeRows};
use crate::model::{Column, NodeName, RowSet};
use crate::text;

/// What all nodes answered to one statement.
#[derive(Debug)]
pub struct Answers {
    pub statement: String,
    pub elapsed: Duration,
    /// In the order of the file.
    pub nodes: Vec<Answer>,
}

/// What one node answered.
#[derive(Debug)]
pub struct Answer {
    pub node: NodeName,
    pub outcome: Arc<NodeOutcome>,
}

impl Answers {
    pub fn all_ok(&self) -> bool {
        self.nodes.iter().all(|answer| answer.outcome.result.is_ok())
    }

    /// `3 of 5 nodes answered in 5.0 s`
    pub fn summary(&self) -> String {
        let answered = self.answered().count();
        format!("{answered} of {} nodes answered in {}", self.nodes.len(), text::duration(self.elapsed))
    }

    fn answered(&self) -> impl Iterator<Item = (&NodeName, &NodeRows)> {
        self.nodes.iter().filter_map(|answer| Some((&answer.node, answer.outcome.result.as_ref().ok()?)))
    }

    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }

    /// One header with the columns of all nodes, in the order in which they first appear. A cell is empty where its node
    /// lacks the column.
    pub fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut header: Vec<(&str, usize)> = Vec::new();
        for (_, rows) in self.answered() {
            for key in keys(rows.rows.columns()) {
                if !header.contains(&key) {
                    header.push(key);
                }
            }
        }
        record(out, [Some("node")].into_iter().chain(header.iter().map(|(name, _)| Some(*name))))?;
        for (node, NodeRows { rows, .. }) in self.answered() {
            let own: Vec<_> = keys(rows.columns()).collect();
            let places: Vec<_> = header.iter().map(|key| own.iter().position(|column| column == key)).collect();
            for row in 0..rows.len() {
                let cells = places.iter().map(|place| place.and_then(|column| rows.cell(row, column)));
                record(out, [Some(node.as_str())].into_iter().chain(cells))?;
            }
        }
        Ok(())
    }

    /// One table for each set of columns, shared by all nodes that answered with it.
    pub fn write_tables(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut written: Vec<&[Column]> = vec![&[]];
        for (_, NodeRows { rows, .. }) in self.answered() {
            let columns = rows.columns();
            if written.contains(&columns) {
                continue;
            }
            if written.len() > 1 {
                writeln!(out)?;
            }
            written.push(columns);
            self.table(columns).write(out, |_, line| line)?;
        }
        Ok(())
    }

    fn table(&self, columns: &[Column]) -> Table<'_> {
        let headers = columns.iter().map(|column| (column.name.clone(), align(&column.type_name)));
        let mut table = Table::new([("node".to_owned(), Align::Left)].into_iter().chain(headers));
        for (node, NodeRows { rows, .. }) in self.answered().filter(|(_, rows)| rows.rows.columns() == columns) {
            for row in 0..rows.len() {
                let cells = rows.row(row).map(|cell| cell.unwrap_or("NULL"));
                table.push([node.as_str()].into_iter().chain(cells));
            }
        }
        table
    }
}

/// What identifies a column: its name, and how many columns of that name precede it. `select 1 as a, 2 as a` has two
/// columns `a`.
fn keys(columns: &[Column]) -> impl Iterator<Item = (&str, usize)> {
    columns.iter().enumerate().map(|(at, column)| {
        let before = columns.iter().take(at).filter(|other| other.name == column.name).count();
        (column.name.as_str(), before)
    })
}

fn align(type_name: &str) -> Align {
    match type_name {
        "int2" | "int4" | "int8" | "oid" | "float4" | "float8" | "numeric" | "money" => Align::Right,
        _ => Align::Left,
    }
}

impl Serialize for Answers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("statement", &self.statement)?;
        map.serialize_entry("elapsed_ms", &millis(self.elapsed))?;
        map.serialize_entry("nodes", &self.nodes)?;
        map.end()
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("node", &self.node)?;
        map.serialize_entry("ok", &self.outcome.result.is_ok())?;
        map.serialize_entry("elapsed_ms", &millis(self.outcome.elapsed))?;
        match &self.outcome.result {
            Ok(rows) => {
                map.serialize_entry("columns", &JsonColumns(rows.rows.columns()))?;
                map.serialize_entry("rows", &JsonRows(&rows.rows))?;
                map.serialize_entry("row_count", &rows.row_count)?;
                map.serialize_entry("truncated", &rows.truncated.is_some())?;
                map.serialize_entry("notices", &rows.notices)?;
            }
            Err(error) => map.serialize_entry("error", error)?,
        }
        map.end()
    }
}

struct JsonColumns<'a>(&'a [Column]);

impl Serialize for JsonColumns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct JsonColumn<'a> {
            name: &'a str,
            r#type: &'a str,
        }
        serializer.collect_seq(self.0.iter().map(|column| JsonColumn { name: &column.name, r#type: &column.type_name }))
    }
}

struct JsonRows<'a>(&'a RowSet);

impl Serialize for JsonRows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0.len()))?;
        for row in 0..self.0.len() {
            rows.serialize_element(&JsonRow(self.0, row))?;
        }
        rows.end()
    }
}

struct JsonRow<'a>(&'a RowSet, usize);

impl Serialize for JsonRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cells = self.0.row(self.1).zip(self.0.columns());
        serializer.collect_seq(cells.map(|(cell, column)| cell.map(|text| JsonValue(text, &column.type_name))))
    }
}

/// A value in the server's own text, and the name of its type.
pub(super) struct JsonValue<'a>(pub(super) &'a str, pub(super) &'a str);

impl Serialize for JsonValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(text, type_name) = *self;
        match (type_name, text) {
            ("bool", "t") => serializer.serialize_bool(true),
            ("bool", "f") => serializer.serialize_bool(false),
            // Copied digit for digit. Values that JSON cannot express (NaN, Infinity) stay text.
            ("int2" | "int4" | "oid" | "float4" | "float8" | "json" | "jsonb", _) => {
                match serde_json::from_str::<&RawValue>(text) {
                    Ok(raw) => raw.serialize(serializer),
                    Err(_) => serializer.serialize_str(text),
                }
            }
            _ => serializer.serialize_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::protocol::ServerNotice;
    use crate::model::{ErrorKind, NodeError};

    fn columns(columns: &[(&str, &str)]) -> Vec<Column> {
        let column =
            |(name, type_name): &(&str, &str)| Column { name: (*name).to_owned(), type_name: (*type_name).to_owned() };
        columns.iter().map(column).collect()
    }

    fn answer(node: &str, result: Result<NodeRows, NodeError>) -> Answer {
        let outcome = NodeOutcome { elapsed: Duration::from_micros(3100), result };
        Answer { node: NodeName::parse(node).unwrap(), outcome: Arc::new(outcome) }
    }

    fn rows(types: &[(&str, &str)], lines: &[&[Option<&str>]]) -> NodeRows {
        let mut rows = RowSet::new(columns(types));
        for line in lines {
            rows.push(line.iter().copied());
        }
        NodeRows { row_count: rows.len() as u64, rows, ..NodeRows::default() }
    }

    fn answers(nodes: Vec<Answer>) -> Answers {
        Answers { statement: "select 1".to_owned(), elapsed: Duration::from_millis(5), nodes }
    }

    fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_keep_their_types_in_json() {
        for (type_name, text, json) in [
            ("bool", "t", "true"),
            ("bool", "f", "false"),
            ("int2", "-7", "-7"),
            ("int4", "42", "42"),
            ("oid", "4294967295", "4294967295"),
            ("float8", "1e+20", "1e+20"),
            ("float8", "0.30000000000000004", "0.30000000000000004"),
            ("float4", "-0", "-0"),
            ("float8", "NaN", "\"NaN\""),
            ("float8", "-Infinity", "\"-Infinity\""),
            ("jsonb", r#"{"a": [1, 2.50]}"#, r#"{"a": [1, 2.50]}"#),
            ("json", "{\"a\":\n 1, \"a\": 2}", "{\"a\":\n 1, \"a\": 2}"),
            ("json", "null", "null"),
            ("json", "{broken", "\"{broken\""),
            ("int8", "9223372036854775807", "\"9223372036854775807\""),
            ("numeric", "1.10", "\"1.10\""),
            ("_int4", "{1,2}", "\"{1,2}\""),
            ("text", "a\"\u{1b}", "\"a\\\"\\u001b\""),
            ("", "1", "\"1\""),
        ] {
            assert_eq!(serde_json::to_string(&JsonValue(text, type_name)).unwrap(), json, "{type_name} {text}");
        }
    }

    #[test]
    fn the_object_has_the_promised_shape() {
        let mut with_notice = rows(&[("one", "int4"), ("n", "text")], &[&[Some("1"), None]]);
        let notice =
            ServerNotice { severity: "NOTICE".to_owned(), sqlstate: "00000".to_owned(), message: "hello".to_owned() };
        with_notice.notices.push(notice);
        let down = answer("reporting", Err(NodeError::new(ErrorKind::Refused, "refused")));
        let json = written(|out| answers(vec![answer("primary", Ok(with_notice)), down]).write_json(out));
        insta::assert_snapshot!(json, @r#"{"statement":"select 1","elapsed_ms":5.0,"nodes":[{"node":"primary","ok":true,"elapsed_ms":3.1,"columns":[{"name":"one","type":"int4"},{"name":"n","type":"text"}],"rows":[[1,null]],"row_count":1,"truncated":false,"notices":[{"severity":"NOTICE","sqlstate":"00000","message":"hello"}]},{"node":"reporting","ok":false,"elapsed_ms":3.1,"error":{"kind":"refused","sqlstate":null,"message":"refused","hint":null}}]}"#);
    }

    #[test]
    fn csv_distinguishes_null_from_empty_and_merges_columns() {
        let one = rows(&[("a", "text"), ("a", "text")], &[&[Some(""), None], &[Some("x,\"y\"\n"), Some("2")]]);
        let two = rows(&[("b", "text"), ("a", "text")], &[&[Some("3"), Some(" 4 ")]]);
        let down = answer("down", Err(NodeError::new(ErrorKind::Refused, "refused")));
        let all = answers(vec![answer("n1", Ok(one)), down, answer("n2", Ok(two))]);
        let lines = "node,a,a,b\nn1,\"\",,\nn1,\"x,\"\"y\"\"\n\",2,\nn2, 4 ,,3\n";
        assert_eq!(written(|out| all.write_csv(out)), lines);
    }

    #[test]
    fn tables_are_shared_by_nodes_with_the_same_columns() {
        let same = |value| rows(&[("count", "int8")], &[&[Some(value)]]);
        let other = rows(&[("name", "text")], &[&[None], &[Some("\u{202e}x")]]);
        let nodes = vec![answer("n1", Ok(same("12"))), answer("n2", Ok(other)), answer("n3", Ok(same("7")))];
        insta::assert_snapshot!(written(|out| answers(nodes).write_tables(out)), @r"
        node  count
        n1       12
        n3        7

        node  name
        n2    NULL
        n2    \u202ex
        ");
    }
}
