//! The columns that were chosen in earlier runs: a file beside the history, a line for each view with its name and the names
//! of columns.

use std::io;
use std::path::{Path, PathBuf};

use crate::app::ChosenColumns;

fn file(history: &Path) -> PathBuf {
    history.with_file_name("columns")
}

/// A file that cannot be read is no choice: it is a comfort, not a fact.
pub(super) fn read(history: &Path) -> ChosenColumns {
    parse(&std::fs::read_to_string(file(history)).unwrap_or_default())
}

fn parse(text: &str) -> ChosenColumns {
    let line = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        Some((words.next()?, words.collect()))
    };
    text.lines().filter_map(line).collect()
}

pub(super) fn write(history: &Path, chosen: &ChosenColumns) -> io::Result<()> {
    let path = file(history);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text(chosen))
}

fn text(chosen: &ChosenColumns) -> String {
    let chosen = chosen.iter().filter(|(_, columns)| !columns.is_empty());
    let line = |(view, columns): (&String, &std::collections::BTreeSet<String>)| {
        let words: Vec<&str> = std::iter::once(view.as_str()).chain(columns.iter().map(String::as_str)).collect();
        words.join(" ") + "\n"
    };
    chosen.map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let chosen = parse("activity client query_id\nslots plugin\n\nio\n");
        assert_eq!(chosen["activity"].len(), 2);
        assert_eq!(text(&chosen), "activity client query_id\nslots plugin\n");
        assert_eq!(parse(&text(&chosen)).len(), 2);
    }
}
