//! What is known at one time.

use std::sync::Arc;
use std::time::SystemTime;

use super::journal::Journal;
use super::nodes::Nodes;
use super::readings::Readings;

/// The cluster at one time. A copy is cheap: it shares each part with the original until one of the two changes it.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The time this picture shows: every age in it counts up to here.
    pub at: SystemTime,
    pub nodes: Nodes,
    pub journal: Arc<Journal>,
    pub readings: Readings,
}
