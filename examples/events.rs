//! Prints the events of the nodes of a configuration file until Ctrl-C: `cargo run --example events -- FILE`
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::path::Path;
use std::time::SystemTime;

use pgwatch::config::{self, Environment};
use pgwatch::connection::{ConnectionManager, ManagerConfig};
use pgwatch::model::{Command, EventKind};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("give a configuration file")?;
    let config = config::load(Path::new(&file), None, &Environment::of_process())
        .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let (handle, mut events) = ConnectionManager::start(ManagerConfig::new(config.nodes));
    let started = SystemTime::now();
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => handle.try_send(Command::Shutdown { drain: false })?,
            event = events.recv() => {
                let Some(event) = event else { return Ok(()) };
                let at = event.at.duration_since(started).unwrap_or_default().as_secs_f64();
                match &event.kind {
                    EventKind::Health { node, from, health } => {
                        let error = health.error.as_ref().map(ToString::to_string).unwrap_or_default();
                        println!("{at:9.3} {node}: {} -> {} {error}", from.as_str(), health.state.as_str());
                    }
                    EventKind::Checked { .. } | EventKind::Pool { .. } => {}
                    other => println!("{at:9.3} {other:?}"),
                }
            }
        }
    }
}
