//! The statements and commands of earlier runs: a file of one line each, readable by its owner alone.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The newest `kept` lines, oldest first. Older ones are dropped from the file once it has twice as many. A file that
/// cannot be read counts as empty: pgwatch works as well without it.
pub fn read(path: &Path, kept: usize) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<String> = text.lines().filter(|line| !line.is_empty()).map(unescape).collect();
    if lines.len() > 2 * kept {
        let newest: Vec<String> = text.lines().skip(lines.len() - kept).map(|line| format!("{line}\n")).collect();
        let _ = std::fs::write(path, newest.concat());
    }
    lines.into_iter().rev().take(kept).rev().collect()
}

pub fn append(path: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(format!("{}\n", escape(line)).as_bytes())
}

/// A statement may have many lines; in the file it has one.
fn escape(line: &str) -> String {
    line.replace('\\', "\\\\").replace('\n', "\\n")
}

fn unescape(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, chars.as_str().chars().next()) {
            ('\\', Some('n')) => {
                chars.next();
                text.push('\n');
            }
            ('\\', Some('\\')) => {
                chars.next();
                text.push('\\');
            }
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_many_lines_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/history");
        let lines = ["select 1;", "select\n  'a\\nb',\n 2", "\\", "show work_mem"];
        for line in lines {
            append(&path, line).unwrap();
        }
        assert_eq!(read(&path, 100), lines);
        assert_eq!(read(&folder.path().join("none"), 100), Vec::<String>::new());
    }
}
