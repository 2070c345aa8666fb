//! The filter of a view's table: text, regex, `!`, `column:text`, and `column>5`, which compares.

use crate::app::filter::Filter;
use crate::config::condition;
use crate::model::View;
use crate::model::condition::Condition;
use crate::model::view::{Reading, Value};

/// What `column:` calls the node.
pub(super) const NODE: &str = "node";

#[derive(Debug, Clone, Default)]
pub struct RowFilter {
    source: String,
    /// Text or a regex, anywhere or in one column.
    text: Filter,
    compare: Option<Compare>,
}

#[derive(Debug, Clone)]
struct Compare {
    column: usize,
    condition: Condition,
    invert: bool,
}

impl RowFilter {
    pub(super) fn new(source: &str, view: &View) -> Self {
        let compare = comparison(source, view);
        let names = std::iter::once(NODE).chain(view.columns.iter().map(|column| column.name.as_str()));
        let text = if compare.is_some() { Filter::default() } else { Filter::new(source, names) };
        Self { source: source.to_owned(), text, compare }
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.compare.is_none()
    }

    pub(super) fn passes(&self, view: &View, node: &str, reading: &Reading, row: usize) -> bool {
        if let Some(Compare { column, condition, invert }) = &self.compare {
            return meets(condition, reading.value(view, row, *column)) != *invert;
        }
        self.text.matches(view.columns.len() + 1, |column| match column.checked_sub(1) {
            None => node.to_owned(),
            Some(column) => reading.value(view, row, column).to_string(),
        })
    }
}

/// Whether a value meets a condition.
pub(super) fn meets(condition: &Condition, value: Value<'_>) -> bool {
    match value {
        Value::Unknown => false,
        Value::Text(text) => condition.holds(Some(text)),
        Value::Rate(rate) => condition.holds_number(Some(rate)),
    }
}

/// `duration>5s`, `! state = idle`; a column that there is, and a condition on it.
fn comparison(source: &str, view: &View) -> Option<Compare> {
    let trimmed = source.trim();
    let (invert, rest) = match trimmed.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, trimmed),
    };
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let (name, condition) = rest.split_at_checked(end)?;
    // `duration` will do for `duration_ms`, whose unit people write behind the value.
    let column = view.column(name).or_else(|| view.column(&format!("{name}_ms")))?;
    let of = view.columns.get(column)?;
    let condition = condition::parse(condition, of.kind, of.unit)?;
    Some(Compare { column, condition, invert })
}
