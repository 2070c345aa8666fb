//! The rows of one node's answer as the server's own text in one buffer: 100,000 rows take three allocations, not a
//! million.

use std::fmt;

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The name that the server gave it; names may repeat.
    pub name: String,
    /// The type's name in `pg_type` (`int4`, `_text`); `""` where the server did not say.
    pub type_name: String,
}

/// Rows as text. Cells are addressed by row and column; NULL is `None`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RowSet {
    columns: Vec<Column>,
    text: String,
    /// The end of each cell in `text`, row by row; the highest bit marks NULL.
    ends: Vec<u32>,
    rows: usize,
}

const NULL: u32 = 1 << 31;

impl fmt::Debug for RowSet {
    /// Leaves the values out: there may be megabytes of them, and they must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        f.debug_struct("RowSet").field("rows", &self.rows).field("columns", &columns).finish_non_exhaustive()
    }
}

impl RowSet {
    /// No rows of these columns.
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, ..Self::default() }
    }

    /// Appends a row. Missing cells are NULL; surplus cells are dropped, and so is text beyond 2 GB in total (callers
    /// limit an answer long before).
    pub fn push<'a>(&mut self, cells: impl IntoIterator<Item = Option<&'a str>>) {
        let mut cells = cells.into_iter();
        for _ in 0..self.columns.len() {
            let cell = cells.next().flatten().filter(|text| self.text.len() + text.len() < NULL as usize);
            if let Some(text) = cell {
                self.text.push_str(text);
            }
            let end = self.text.len() as u32;
            self.ends.push(if cell.is_some() { end } else { end | NULL });
        }
        self.rows += 1;
    }

    /// The columns, in the order of the cells.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Memory held for text and cell ends, in bytes.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.ends.len() * size_of::<u32>()
    }

    /// A cell; `None` for NULL and for a row or column that does not exist.
    pub fn cell(&self, row: usize, column: usize) -> Option<&str> {
        if column >= self.columns.len() || row >= self.rows {
            return None;
        }
        let at = row * self.columns.len() + column;
        let end = *self.ends.get(at)?;
        if end & NULL != 0 {
            return None;
        }
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| end & !NULL);
        self.text.get(start as usize..end as usize)
    }

    /// The cells of one row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = Option<&str>> {
        (0..self.columns.len()).map(move |column| self.cell(row, column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str) -> Column {
        Column { name: name.to_owned(), type_name: "text".to_owned() }
    }

    #[test]
    fn cells_keep_null_apart_from_empty() {
        let mut rows = RowSet::new(vec![column("a"), column("b")]);
        rows.push([Some("x"), None]);
        rows.push([Some(""), Some("é")]);
        rows.push([None]);
        assert_eq!(rows.row(0).collect::<Vec<_>>(), [Some("x"), None]);
        assert_eq!(rows.row(1).collect::<Vec<_>>(), [Some(""), Some("é")]);
        assert_eq!(rows.row(2).collect::<Vec<_>>(), [None, None]);
        assert_eq!(rows.cell(3, 0), None);
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn rows_without_columns_are_counted() {
        let mut rows = RowSet::new(Vec::new());
        rows.push([]);
        rows.push([]);
        assert_eq!((rows.len(), rows.row(0).count()), (2, 0));
    }
}
