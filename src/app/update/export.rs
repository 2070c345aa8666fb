//! Exports answers to a file (`E`, `:export FILE`): which answers, which file, in which format. The file is written
//! elsewhere.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::app::typing::prompt::Prompt;
use crate::app::{App, Effect, Export, ExportFormat};
use crate::fleet::batch::Answer;

/// The default name of the file.
const NAME: &str = "answers.csv";

impl App {
    /// True if there is an answer to write.
    pub(in crate::app) fn can_export(&self) -> bool {
        let batch = self.fleet.batch();
        batch.is_some_and(|batch| batch.nodes.iter().any(|node| node.answer.rows().is_some()))
    }

    /// Puts a name into the command line, to be changed or accepted.
    pub(in crate::app) fn ask_export(&mut self) {
        let mut prompt = Prompt::command("export ");
        prompt.input.insert_selected(NAME);
        prompt.meaning = self.meaning(prompt.input.text());
        self.prompt = Some(prompt);
    }

    pub(in crate::app) fn export(&self, name: &str) -> Result<Vec<Effect>, String> {
        let path = PathBuf::from(name);
        let end = path.extension().map(OsStr::to_ascii_lowercase);
        let format = match end.as_ref().and_then(|end| end.to_str()) {
            Some("csv") => ExportFormat::Csv,
            Some("json") => ExportFormat::Json,
            _ => return Err("export FILE: the name must end in .csv or .json".to_owned()),
        };
        let Some(batch) = self.fleet.batch().filter(|_| self.can_export()) else {
            return Err("there are no answers yet; run a statement first".to_owned());
        };
        let nodes = batch.nodes.iter().filter_map(|node| match &node.answer {
            Answer::Done(outcome) => Some((node.node.clone(), Arc::clone(outcome))),
            Answer::Waiting | Answer::Reading(_) => None,
        });
        Ok(vec![Effect::Export(Box::new(Export {
            path,
            format,
            statement: batch.statement.clone(),
            elapsed: batch.elapsed.unwrap_or_default(),
            nodes: nodes.collect(),
        }))])
    }
}
