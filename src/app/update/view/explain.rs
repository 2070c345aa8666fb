//! `x`: the plan of a row's statement, from its own node. Never with ANALYZE, which would run the statement.

use crate::app::views::whole::Then;
use crate::app::{App, Effect};
use crate::fleet::Severity;
use crate::model::NodeName;
use crate::model::protocol::WholeText;
use crate::model::view::{NOT_SHOWN, Value, Version};
use crate::sql::{plan, secrets};

/// The first version that can plan a statement without the values of its parameters.
const GENERIC_PLAN: u32 = 16;

impl App {
    pub(in crate::app) fn can_explain(&self) -> bool {
        self.statement_of_row().is_some()
    }

    pub(in crate::app) fn explain(&mut self) -> Vec<Effect> {
        let Some((node, row, statement)) = self.statement_of_row() else { return Vec::new() };
        if let Err(why) = self.has_its_database(&node, row) {
            return self.not_explained(why);
        }
        let column =
            self.view_table().and_then(|table| table.view.statement.filter(|at| table.is_cut(&node, row, *at)));
        let Some(column) = column else { return self.explain_statement(node, &statement) };
        match self.whole_or_ask((&node, row, column), Then::Explain) {
            Ok(whole) => self.explain_whole(node, &whole),
            Err(effects) => effects,
        }
    }

    /// Explains a statement that was fetched.
    pub(in crate::app) fn explain_whole(&mut self, node: NodeName, whole: &WholeText) -> Vec<Effect> {
        if whole.cut {
            return self.not_explained("the statement is too long to be fetched as a whole".to_owned());
        }
        self.explain_statement(node, &whole.text)
    }

    fn explain_statement(&mut self, node: NodeName, statement: &str) -> Vec<Effect> {
        match self.explainable(&node, statement) {
            Ok(explain) => self.run_on(&explain, vec![node]),
            Err(why) => self.not_explained(why),
        }
    }

    fn not_explained(&mut self, why: String) -> Vec<Effect> {
        self.say(Severity::Warning, why);
        Vec::new()
    }

    /// Fails if the statement of a row belongs to another database than the one that pgwatch is connected to.
    fn has_its_database(&self, name: &NodeName, row: usize) -> Result<(), String> {
        let node = self.fleet.now().nodes.get(name).ok_or_else(|| format!("{name} is gone"))?;
        let table = self.view_table().ok_or("there is no row")?;
        let database = table.view.column("database").map(|column| table.value(name, row, column));
        if let Some(Value::Text(database)) = database
            && database != node.config.database
        {
            return Err(format!(
                "the statement belongs to database {database}, but pgwatch is connected to {}; add a node for that database",
                node.config.database
            ));
        }
        Ok(())
    }

    /// The `EXPLAIN` statement to run, or why there is none.
    fn explainable(&self, name: &NodeName, statement: &str) -> Result<String, String> {
        let node = self.fleet.now().nodes.get(name).ok_or_else(|| format!("{name} is gone"))?;
        if statement == NOT_SHOWN {
            return Err(
                "statements are not shown (show_statements is false), so there is nothing to explain".to_owned()
            );
        }
        if secrets::is_masked(statement) {
            return Err(
                "a part of the statement is hidden, as it may hold a secret, so it cannot be explained".to_owned()
            );
        }
        if !plan::parameters(statement)? {
            return Ok(format!("EXPLAIN {statement}"));
        }
        let version = node.server_version.as_deref().and_then(Version::parse);
        if version.is_some_and(|version| version.0 >= GENERIC_PLAN) {
            return Ok(format!("EXPLAIN (GENERIC_PLAN) {statement}"));
        }
        Err("the statement has parameters ($1); a plan without their values needs PostgreSQL 16".to_owned())
    }
}
