//! A file that the user asked for by name.

use std::io::{self, Write};
use std::path::Path;

use super::files::write_whole;

/// Writes the file, which only its owner can read. An existing file of that name is left alone. Blocks as long as the
/// disk does.
///
/// # Errors
/// Like the success, a sentence for people.
pub fn write(path: &Path, contents: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<String, String> {
    let written = write_whole(path, contents);
    let path = path.display();
    match written {
        Ok(()) => Ok(format!("written to {path}")),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(format!("{path} already exists: choose another name"))
        }
        Err(error) => Err(format!("could not write {path}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::model::protocol::{NodeOutcome, NodeRows};
    use crate::model::{Column, NodeName, RowSet};
    use crate::output::answers::{Answer, Answers};

    #[test]
    fn answers_go_into_a_new_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut rows = RowSet::new(vec![Column { name: "a".to_owned(), type_name: "text".to_owned() }]);
        rows.push([None]);
        rows.push([Some("")]);
        let outcome = NodeOutcome {
            elapsed: Duration::from_millis(3),
            result: Ok(NodeRows { rows, row_count: 2, ..NodeRows::default() }),
        };
        let answers = Answers {
            statement: "select".to_owned(),
            elapsed: Duration::from_millis(4),
            nodes: vec![Answer { node: NodeName::default(), outcome: Arc::new(outcome) }],
        };
        let csv = folder.path().join("answers.csv");
        assert_eq!(write(&csv, |out| answers.write_csv(out)), Ok(format!("written to {}", csv.display())));
        assert_eq!(std::fs::read_to_string(&csv).unwrap(), "node,a\nnode,\nnode,\"\"\n");
        assert!(write(&csv, |out| answers.write_csv(out)).unwrap_err().contains("already"));
        let json = folder.path().join("answers.json");
        assert!(write(&json, |out| answers.write_json(out)).is_ok());
        assert!(std::fs::read_to_string(&json).unwrap().contains("\"rows\":[[null],[\"\"]]"));
    }
}
