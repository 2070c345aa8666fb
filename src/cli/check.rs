//! `pgwatch check`: reads the configuration, connects to nothing.

use std::fmt::Write as _;

use super::args::{Source, exit};
use super::{Stop, load, print};

pub(super) fn run(source: &Source) -> Result<u8, Stop> {
    let config = load(source)?;
    let file = match &config.path {
        Some(path) => path.display().to_string(),
        None if source.flags().is_empty() => {
            return Err(Stop::Wrong("there is no file to check: name one with --config FILE".to_owned()));
        }
        None => "the command line".to_owned(),
    };
    let mut text = format!("{file} is right: ");
    let count = config.nodes.len();
    let _ = match (count, &config.cluster) {
        (1, None) => write!(text, "1 node"),
        (_, None) => write!(text, "{count} nodes"),
        (_, Some(cluster)) => write!(text, "{count} of its nodes in cluster {cluster}"),
    };
    for node in &config.nodes {
        let _ = write!(text, "\n  {:<20} {}@{}/{}", node.name, node.user, node.address(), node.database);
    }
    print(format!("{text}\n").as_bytes())?;
    Ok(exit::OK)
}
