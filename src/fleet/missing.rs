//! What a server did not answer of the figures, and why. Pure.

use super::nodes::Node;
use crate::model::NodeError;
use crate::model::facts::Part;

impl Node {
    /// What the server did not answer in the last refresh and when it was last asked about itself, each reason once: the
    /// parts that it took away, and the error.
    pub fn reasons(&self) -> Vec<(Vec<Part>, &NodeError)> {
        let facts = self.facts.iter().flat_map(|(_, facts)| &facts.missing);
        let server = self.server.iter().flat_map(|server| &server.missing);
        let mut reasons: Vec<(Vec<Part>, &NodeError)> = Vec::new();
        for missing in facts.chain(server) {
            match reasons.iter_mut().find(|(_, error)| error.message == missing.error.message) {
                Some((parts, _)) => parts.push(missing.part),
                None => reasons.push((vec![missing.part], &missing.error)),
            }
        }
        reasons
    }

    /// Why the server did not answer one of these parts; `None` if it did.
    pub fn why_missing(&self, parts: &[Part]) -> Option<&NodeError> {
        let reasons = self.reasons().into_iter();
        reasons.filter(|(missing, _)| missing.iter().any(|part| parts.contains(part))).map(|(_, error)| error).next()
    }
}
