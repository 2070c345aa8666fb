//! A question answered with `y` or `n`. `Enter` takes the selected choice, which is No at first.

use crate::model::NodeName;
use crate::sql::acts::Act;

/// An open question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    /// What the question is about.
    pub about: About,
    /// The choice that `Enter` takes: true for Yes.
    pub yes: bool,
}

/// What happens if the answer is yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// Removes these nodes from the dashboard.
    Removal(Vec<NodeName>),
    /// Runs a statement that does something which no rollback undoes.
    Run {
        /// The statement.
        statement: String,
        /// The nodes that it would run on.
        nodes: Vec<NodeName>,
        /// What it does that no rollback undoes.
        acts: Vec<Act>,
    },
}

/// How many names of a long list a question shows.
const NAMES: usize = 12;
/// How many letters of a long statement a question shows.
const LETTERS: usize = 300;

impl Confirm {
    /// Asks whether to remove these nodes.
    pub fn removal(nodes: Vec<NodeName>) -> Self {
        Self { about: About::Removal(nodes), yes: false }
    }

    /// Asks whether to run the statement on these nodes, because it does `acts`.
    pub fn run(statement: &str, nodes: Vec<NodeName>, acts: Vec<Act>) -> Self {
        Self { about: About::Run { statement: statement.to_owned(), nodes, acts }, yes: false }
    }

    /// The title of the dialog.
    pub fn title(&self) -> String {
        let (verb, nodes) = match &self.about {
            About::Removal(nodes) => ("Remove", nodes),
            About::Run { nodes, .. } => ("Run this on", nodes),
        };
        match nodes.as_slice() {
            [one] => format!("{verb} {one}?"),
            several => format!("{verb} {} nodes?", several.len()),
        }
    }

    /// What happens if the answer is yes: one paragraph per item.
    pub fn lines(&self) -> Vec<String> {
        match &self.about {
            About::Removal(nodes) => vec![
                listed(nodes),
                "pgwatch waits for your queries there, then closes its sessions.".to_owned(),
                "For this session: the server and the configuration file are not changed.".to_owned(),
            ],
            About::Run { statement, nodes, acts } => {
                let mut lines = vec![listed(nodes)];
                lines.extend(acts.iter().map(|act| format!("{} {}.", act.name, act.does)));
                lines
                    .push("A read-only transaction does not prevent that, and a rollback does not undo it.".to_owned());
                let letters = statement.split_whitespace().collect::<Vec<_>>().join(" ");
                match letters.char_indices().nth(LETTERS) {
                    Some((end, _)) => lines.push(format!("{}…", letters.get(..end).unwrap_or_default())),
                    None => lines.push(letters),
                }
                lines
            }
        }
    }

    /// The label of the Yes button.
    pub fn word(&self) -> &'static str {
        match self.about {
            About::Removal(_) => "remove",
            About::Run { .. } => "run",
        }
    }
}

fn listed(nodes: &[NodeName]) -> String {
    let mut names: Vec<String> = nodes.iter().take(NAMES).map(ToString::to_string).collect();
    if nodes.len() > NAMES {
        names.push(format!("and {} more", nodes.len() - NAMES));
    }
    names.join(", ")
}
