//! The columns that were chosen in earlier runs: a file next to the history, with a line for each view, which has its
//! name and the names of its columns.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// For each view the columns that were chosen.
type Chosen = BTreeMap<String, BTreeSet<String>>;

fn file(history: &Path) -> PathBuf {
    history.with_file_name("columns")
}

/// The choices of earlier runs. A file that cannot be read counts as empty: pgwatch works as well without it.
pub fn read(history: &Path) -> Chosen {
    parse(&std::fs::read_to_string(file(history)).unwrap_or_default())
}

fn parse(text: &str) -> Chosen {
    let line = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        Some((words.next()?, words.collect()))
    };
    text.lines().filter_map(line).collect()
}

pub fn write(history: &Path, chosen: &Chosen) -> io::Result<()> {
    let path = file(history);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text(chosen))
}

fn text(chosen: &Chosen) -> String {
    let chosen = chosen.iter().filter(|(_, columns)| !columns.is_empty());
    let line = |(view, columns): (&String, &BTreeSet<String>)| {
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
