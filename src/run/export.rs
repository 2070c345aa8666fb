//! Answers into a file, in the words of `pgwatch query --format csv` and `json`.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::app::{Export, ExportFormat, Msg};
use crate::config::Environment;
use crate::output::answers::{Answer, Answers};

/// Writes the file, which only its owner can read; says what to tell. It gets its name when it is whole, and a file that
/// has the name already is left alone. Blocks as long as the disk does.
pub(super) fn write(export: Export) -> Msg {
    let Export { path, format, statement, elapsed, nodes } = export;
    let path = Environment::of_process().expand(&path);
    let nodes = nodes.into_iter().map(|(node, outcome)| Answer { node, outcome }).collect();
    let answers = Answers { statement, elapsed, nodes };
    let written = write_whole(&path, |out| match format {
        ExportFormat::Csv => answers.write_csv(out),
        ExportFormat::Json => answers.write_json(out),
    });
    let path = path.display();
    match written {
        Ok(()) => Msg::Done(format!("written to {path}")),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Msg::Failed(format!("{path} already exists: choose another name"))
        }
        Err(error) => Msg::Failed(format!("could not write {path}: {error}")),
    }
}

fn write_whole(path: &Path, contents: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<()> {
    if path.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    let mut out = BufWriter::new(&mut file);
    contents(&mut out)?;
    out.flush()?;
    drop(out);
    file.persist_noclobber(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::model::protocol::{NodeOutcome, NodeRows};
    use crate::model::{Column, NodeName, RowSet};

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
        let export = Export {
            path: folder.path().join("answers.csv"),
            format: ExportFormat::Csv,
            statement: "select".to_owned(),
            elapsed: Duration::from_millis(4),
            nodes: vec![(NodeName::default(), Arc::new(outcome))],
        };
        assert!(matches!(write(export.clone()), Msg::Done(_)));
        assert_eq!(std::fs::read_to_string(&export.path).unwrap(), "node,a\nnode,\nnode,\"\"\n");
        assert!(matches!(write(export.clone()), Msg::Failed(text) if text.contains("already")));
        let json = Export { path: folder.path().join("answers.json"), format: ExportFormat::Json, ..export };
        assert!(matches!(write(json.clone()), Msg::Done(_)));
        assert!(std::fs::read_to_string(&json.path).unwrap().contains("\"rows\":[[null],[\"\"]]"));
    }
}
