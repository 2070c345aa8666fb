//! Which of several nodes that hold copies of the same data speaks for all of them.

use crate::fleet::identity::{self, ClusterId};
use crate::fleet::nodes::{Node, Nodes};
use crate::model::view::Copies;
use crate::model::{NodeName, Role};

/// True if another node says what this one would say: the primary for its standbys; without a primary, the first
/// standby for the others; and of several names of one server the first. Each node that does not tell its system
/// identifier speaks for itself, and so do primaries of the same identifier, since they are not copies any more.
pub(in crate::fleet) fn says_another(nodes: &Nodes, node: &NodeName, copies: Option<Copies>) -> bool {
    let (Some(copies), Some(own)) = (copies, nodes.get(node)) else { return false };
    let Some(data) = data(own, copies) else { return false };
    let mut is_before = true;
    nodes.iter().any(|other| {
        if other.name() == node {
            is_before = false;
            return false;
        }
        let is_copy = other.health.state.answers() && self::data(other, copies) == Some(data);
        is_copy
            && match (other.role, own.role) {
                (Some(Role::Primary), Some(Role::Standby)) => true,
                (Some(Role::Standby), Some(Role::Standby)) => is_before,
                (Some(Role::Primary), Some(Role::Primary)) => is_before && identity::is_same_server(other, own),
                _ => false,
            }
    })
}

/// What a node holds a copy of; `None` if it does not tell.
fn data(node: &Node, copies: Copies) -> Option<(ClusterId<'_>, Option<&str>)> {
    let database = (copies == Copies::Database).then_some(node.config.database.as_str());
    Some((node.cluster()?, database))
}
