//! What is known at one time.

use std::sync::Arc;
use std::time::SystemTime;

use super::journal::Journal;
use super::nodes::Nodes;
use super::readings::Readings;

/// The cluster at one time. A copy is cheap: it shares each part with the original until one of the two changes it.
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
