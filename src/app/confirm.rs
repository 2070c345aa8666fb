//! A question that is answered with `y` or `n`; `Enter` takes the choice, which stands on No.

use crate::model::NodeName;

/// An open question. All of them are about nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    /// Nodes to remove from the dashboard.
    pub remove: Vec<NodeName>,
    /// The choice that `Enter` takes.
    pub yes: bool,
}

impl Confirm {
    pub fn removal(nodes: Vec<NodeName>) -> Self {
        Self { remove: nodes, yes: false }
    }

    pub fn title(&self) -> String {
        match self.remove.as_slice() {
            [one] => format!("Remove {one}?"),
            several => format!("Remove {} nodes?", several.len()),
        }
    }

    /// What a yes does, a paragraph a line.
    pub fn lines(&self) -> Vec<String> {
        let names: Vec<&str> = self.remove.iter().map(NodeName::as_str).collect();
        vec![
            names.join(", "),
            "Queries there are waited for, then our sessions are closed.".to_owned(),
            "The server and the configuration file stay as they are.".to_owned(),
        ]
    }
}
