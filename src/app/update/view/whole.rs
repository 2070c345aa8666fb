//! The whole of a text that is cut in the table: it is asked for when its row is opened, copied or explained.

use crate::app::views::ViewTable;
use crate::app::views::table::RowKey;
use crate::app::views::whole::{Then, Whole};
use crate::app::{App, Effect};
use crate::fleet::Severity;
use crate::model::protocol::{TextRequest, WholeText};
use crate::model::view::{CellKind, Value};
use crate::model::{Command, NodeError, NodeName};

impl App {
    /// The text of a cell as a whole, if it was asked for: it belongs to what the table shows now.
    pub fn whole(&self, table: &ViewTable, node: &NodeName, row: usize, column: usize) -> Option<&Whole> {
        let is_cut = table.is_cut(node, row, column);
        let Value::Text(beginning) = table.value(node, row, column) else { return None };
        let key = is_cut.then(|| table.key(node, row)).flatten()?;
        self.views.whole.iter().find(|whole| {
            whole.column == column
                && whole.view == table.view.name
                && (&whole.row.0, whole.row.1.as_str()) == (node, key.as_str())
                && whole.beginning == beginning
        })
    }

    /// Asks for the cut texts of the row that is shown in full.
    pub(in crate::app) fn fetch_opened(&mut self) -> Vec<Effect> {
        let wanted: Vec<(NodeName, usize, usize)> = self
            .view_table()
            .and_then(|table| {
                let (node, row) = table.opened_row()?;
                let texts = table.view.columns.iter().enumerate().filter(|(_, column)| column.kind == CellKind::Text);
                let cut = texts.filter(|(at, _)| table.is_cut(node, row, *at));
                let new = cut.filter(|(at, _)| self.whole(table, node, row, *at).is_none());
                Some(new.map(|(at, _)| (node.clone(), row, at)).collect())
            })
            .unwrap_or_default();
        wanted.into_iter().filter_map(|(node, row, column)| self.fetch(&node, row, column, None)).collect()
    }

    /// Asks for one text as a whole.
    fn fetch(&mut self, node: &NodeName, row: usize, column: usize, then: Option<Then>) -> Option<Effect> {
        let table = self.view_table()?;
        let key: RowKey = (node.clone(), table.key(node, row)?);
        let cells = table.view.key.iter().map(|column| match table.value(node, row, *column) {
            Value::Text(text) => Some(text.to_owned()),
            _ => None,
        });
        let (cells, view) = (cells.collect(), table.view.clone());
        let beginning = table.value(node, row, column).to_string();
        self.views.texts_asked += 1;
        let id = self.views.texts_asked;
        // Only the row shown in full is looked at, and at most one key waits for a text.
        self.views.whole.retain(|whole| whole.row == key && whole.column != column);
        self.views.whole.push(Whole { id, view: view.name.clone(), row: key, column, beginning, outcome: None, then });
        Some(Effect::Send(Command::Text(TextRequest { id, node: node.clone(), view, key: cells, column })))
    }

    /// The text of a cell as a whole, or a question for it, after which `then` is done.
    pub(in crate::app) fn whole_or_ask(
        &mut self,
        (node, row, column): (&NodeName, usize, usize),
        then: Then,
    ) -> Result<WholeText, Vec<Effect>> {
        let known = self.view_table().and_then(|table| self.whole(table, node, row, column)).cloned();
        match known.map(|whole| (whole.id, whole.outcome)) {
            Some((_, Some(Ok(whole)))) => return Ok(whole),
            Some((id, None)) => {
                self.views.whole.iter_mut().filter(|whole| whole.id == id).for_each(|whole| whole.then = Some(then));
                self.say(Severity::Info, "the whole text is being fetched");
                return Err(Vec::new());
            }
            _ => {}
        }
        self.say(Severity::Info, "fetching the whole text first");
        Err(self.fetch(node, row, column, Some(then)).into_iter().collect())
    }

    /// Takes in a whole text, and does what waited for it.
    pub(in crate::app) fn text_came(&mut self, id: u64, outcome: Result<Option<WholeText>, NodeError>) -> Vec<Effect> {
        let Some(whole) = self.views.whole.iter_mut().find(|whole| whole.id == id) else { return Vec::new() };
        self.dirty = true;
        let outcome = match outcome {
            Ok(Some(text)) if whole.goes_on(&text.text) => Ok(text),
            Ok(_) => Err("the session has gone on to another statement, or the row is gone".to_owned()),
            Err(error) => Err(error.message),
        };
        whole.outcome = Some(outcome.clone());
        let (then, node) = (whole.then.take(), whole.row.0.clone());
        match (then, outcome) {
            (None, _) => Vec::new(),
            (Some(_), Err(why)) => {
                self.say(Severity::Warning, format!("the whole text could not be fetched: {why}"));
                Vec::new()
            }
            (Some(Then::Copy), Ok(whole)) => self.copy_whole(&whole),
            (Some(Then::Explain), Ok(whole)) => self.explain_whole(node, &whole),
        }
    }

    /// Copies a text that was fetched.
    pub(in crate::app) fn copy_whole(&mut self, whole: &WholeText) -> Vec<Effect> {
        let said = if whole.cut { "sent to the terminal, as far as it was fetched" } else { "sent to the terminal" };
        self.say(Severity::Info, said);
        vec![Effect::Copy(whole.text.to_string())]
    }

    /// The cut text that `y` copies: of an open row the selected cell, else the statement of the row.
    pub(in crate::app) fn copied_cut(&self) -> Option<(NodeName, usize, usize)> {
        let table = self.view_table()?;
        let (node, row, column) = if table.opened.is_some() {
            self.copied_place()?
        } else {
            let (node, row, _) = self.statement_of_row()?;
            (node, row, table.view.statement?)
        };
        table.is_cut(&node, row, column).then_some((node, row, column))
    }
}
