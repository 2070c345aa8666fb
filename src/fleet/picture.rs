//! What is known at one time.

use std::sync::Arc;
use std::time::SystemTime;

use super::journal::Journal;
use super::nodes::Nodes;
use super::readings::Readings;

/// The cluster at one time. The fleet has the current picture, and keeps another one while a frozen screen shows it
/// ([`Fleet::keep`](super::Fleet::keep)). A copy is cheap: it shares the nodes, the journal and the answers with the
/// original until one of the two changes them.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The time of this picture: all ages in it are counted up to here.
    pub at: SystemTime,
    /// All nodes.
    pub nodes: Nodes,
    /// What happened up to that time.
    pub journal: Arc<Journal>,
    /// What the nodes answered to views.
    pub readings: Readings,
}
