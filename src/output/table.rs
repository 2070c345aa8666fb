//! Tables for people. Each column is as wide as its widest cell, two blanks separate columns, and every text is made
//! safe for a terminal.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::text::{safe, width};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// A table that collects its rows: nothing can be written before the widths are known.
#[derive(Debug)]
pub(super) struct Table<'a> {
    headers: Vec<(String, Align)>,
    rows: Vec<Vec<Cow<'a, str>>>,
}

impl<'a> Table<'a> {
    pub(super) fn new<S: AsRef<str>>(headers: impl IntoIterator<Item = (S, Align)>) -> Self {
        let header = |(name, align): (S, Align)| (safe(name.as_ref()).into_owned(), align);
        Self { headers: headers.into_iter().map(header).collect(), rows: Vec::new() }
    }

    pub(super) fn push(&mut self, cells: impl IntoIterator<Item = &'a str>) {
        self.rows.push(cells.into_iter().map(safe).collect());
    }

    /// Writes the headers and a line for each row. `line` may change a finished line, for example add colours.
    pub(super) fn write(&self, out: &mut dyn Write, line: impl Fn(usize, String) -> String) -> io::Result<()> {
        let widths: Vec<usize> = (0..self.headers.len()).map(|column| self.width(column)).collect();
        let headers: Vec<Cow<'_, str>> = self.headers.iter().map(|(name, _)| Cow::Borrowed(name.as_str())).collect();
        writeln!(out, "{}", self.line(&headers, &widths))?;
        for (row, cells) in self.rows.iter().enumerate() {
            writeln!(out, "{}", line(row, self.line(cells, &widths)))?;
        }
        Ok(())
    }

    fn width(&self, column: usize) -> usize {
        let header = self.headers.get(column).map_or(0, |(name, _)| width(name));
        let cells = self.rows.iter().filter_map(|cells| cells.get(column)).map(|cell| width(cell));
        cells.chain([header]).max().unwrap_or_default()
    }

    fn line(&self, cells: &[Cow<'_, str>], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, wanted), (_, align)) in cells.iter().zip(widths).zip(&self.headers) {
            let blanks = " ".repeat(wanted.saturating_sub(width(cell)));
            let (before, after) = if *align == Align::Right { (blanks.as_str(), "") } else { ("", blanks.as_str()) };
            for part in [if line.is_empty() { "" } else { "  " }, before, cell, after] {
                line.push_str(part);
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_is_obeyed() {
        let mut table = Table::new([("node", Align::Left), ("n", Align::Right), ("text", Align::Left)]);
        table.push(["primary", "1204771", "a\u{1b}[2Jb"]);
        table.push(["r", "7", "é\n漢"]);
        let mut out = Vec::new();
        table.write(&mut out, |_, line| line).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        node           n  text
        primary  1204771  a\x1b[2Jb
        r              7  é\n漢
        ");
    }
}
