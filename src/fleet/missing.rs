//! What a server did not answer of the figures, and why. Pure.

use super::nodes::Node;
use crate::model::facts::Part;
use crate::model::{NodeError, membership};

impl Node {
    /// The role that the server hides other roles' sessions from, and what would help: `plain: GRANT pg_monitor TO "plain"`.
    pub fn hidden_from(&self) -> String {
        let server = self.server.as_deref();
        let user = server.and_then(|server| server.acts_for.as_deref()).unwrap_or(&self.config.user);
        let held = server.and_then(|server| server.monitors.as_deref()).unwrap_or("none");
        let version = server.map_or(0, |server| server.version_num);
        match membership("pg_monitor", user, held, version) {
            Some(remedy) => format!("{user}: {remedy}"),
            None => format!("{user}, which has pg_monitor"),
        }
    }

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
