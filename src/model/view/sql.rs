//! The statement that asks one server for a view.

use std::fmt::Write as _;

use super::View;
use super::by_server::{Lacks, Version};
use super::column::{CellKind, Source, Unit, ViewColumn};
use crate::model::{Role, quoted};

/// Placeholder in a view's texts for the schema of its extension.
const SCHEMA: &str = "@extschema@";

impl View {
    /// The statement for a server of this version (of the extension, where the view has one) and role; `schema` is the
    /// schema of the extension. Each row has one cell for each of [`View::asked`], NULL where the server does not have
    /// it.
    ///
    /// # Errors
    /// Which version or role is needed.
    pub fn sql(&self, version: Version, role: Role, schema: Option<&str>) -> Result<String, Lacks> {
        let from = self.from.choose(version, role)?;
        let mut sql = String::new();
        if let Some(with) = &self.with {
            let _ = write!(sql, "with {} ", with.choose(version, role)?);
        }
        let cells: Vec<String> = self.columns.iter().filter_map(|column| cell(column, version, role)).collect();
        let _ = write!(sql, "select {} from {from}", cells.join(", "));
        Ok(schema.map_or_else(|| sql.clone(), |schema| sql.replace(SCHEMA, &quoted(schema))))
    }
}

fn cell(column: &ViewColumn, version: Version, role: Role) -> Option<String> {
    let Source::Sql { sql, .. } = &column.source else { return None };
    let sql = sql.choose(version, role).unwrap_or("null");
    let value = match (column.kind, column.unit) {
        (CellKind::Time, _) => format!("date_part('epoch', ({sql})::timestamptz)"),
        (CellKind::Interval, Some(Unit::Ms)) => format!("date_part('epoch', ({sql})::interval) * 1000"),
        (CellKind::Interval, _) => format!("date_part('epoch', ({sql})::interval)"),
        (kind, _) => format!("({sql})::{}", kind.as_str()),
    };
    Some(format!("{value} as \"{}\"", column.name))
}
