//! `pgwatch check`: reads the configuration, and the user's own views and rules of alerts; connects to nothing.

use std::fmt::Write as _;

use super::args::{Source, exit};
use super::console::{Exit, list, load, print, watched};
use crate::config::Environment;
use crate::model::NodeConfig;
use crate::text::safe;

pub(super) fn run(source: &Source) -> Result<u8, Exit> {
    let (_, _, problems) = watched(&Environment::of_process(), true);
    let config = match load(source) {
        // Reports all faults at once.
        Err(Exit::Wrong(text)) => return Err(Exit::Wrong(text + &list(&problems))),
        loaded => loaded?,
    };
    if !problems.is_empty() {
        return Err(Exit::Wrong(list(&problems)));
    }
    let file = match &config.path {
        Some(path) => path.display().to_string(),
        None if source.flags().is_empty() => {
            return Err(Exit::Wrong("no file to check: name one with --config FILE".to_owned()));
        }
        None => "the command line".to_owned(),
    };
    let mut text = format!("{} is valid: ", safe(&file));
    let count = config.nodes.len();
    let _ = match (count, &config.cluster) {
        (0, None) => write!(text, "it names no nodes"),
        (1, None) => write!(text, "1 node"),
        (_, None) => write!(text, "{count} nodes"),
        (_, Some(cluster)) => write!(text, "{count} of its nodes in cluster {}", safe(cluster)),
    };
    for node in &config.nodes {
        let mut place = format!("{}@{}/{}", node.user, node.address(), node.database);
        let addresses =
            node.hosts().filter_map(|host| Some(host.addr.filter(|addr| addr.to_string() != host.name)?.to_string()));
        let addresses = addresses.collect::<Vec<_>>().join(", ");
        if !addresses.is_empty() {
            let _ = write!(place, ", at {addresses}");
        }
        if let Some(tunnel) = &node.tunnel {
            let _ = write!(place, " through {}", tunnel.name());
        }
        let _ = write!(text, "\n  {:<20} {}", node.name, safe(&place));
    }
    for (name, command) in shorthands(&config.nodes) {
        let _ = write!(text, "\n{} stands for\n  {}", safe(&name), safe(&command));
    }
    print(format!("{text}\n").as_bytes())?;
    Ok(exit::OK)
}

/// The commands of the nodes' `ssh:` and `kubernetes:`, each once, with the tunnel's name. pgwatch fills in the local end
/// when it starts one.
fn shorthands(nodes: &[NodeConfig]) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for node in nodes {
        let Some(tunnel) = node.tunnel.as_ref().filter(|tunnel| tunnel.stands_for().is_some()) else { continue };
        for host in node.hosts() {
            let named = tunnel.for_server(&host).ok().map(|command| (tunnel.name().to_owned(), command));
            found.extend(named.filter(|named| !found.contains(named)));
        }
    }
    found
}
