//! The figures of the Nodes screen and of the node's page, of roles with and without unusual settings.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use pgwatch::model::facts::{Sender, Setting};
use pgwatch::model::{EventKind, Facts, NodeName, ServerFacts};

use super::{Pass, Stage};
use crate::support::watched::{Watched, blocking};
use crate::versions::installs;

/// What the figures say of a server while it stands still, without the sessions, which come and go.
fn steady(major: u32, facts: &Facts, server: &ServerFacts) -> String {
    let facts = Facts {
        server_time: SystemTime::UNIX_EPOCH,
        clock_ahead: 0,
        connections: None,
        active: None,
        idle: None,
        idle_in_transaction: None,
        oldest_transaction: None,
        commits: facts.commits.map(|_| 0),
        rollbacks: facts.rollbacks.map(|_| 0),
        blocks_read: facts.blocks_read.map(|_| 0),
        blocks_hit: facts.blocks_hit.map(|_| 0),
        wal_position: facts.wal_position.map(|_| 0),
        received: facts.received.map(|_| 0),
        commit_age: facts.commit_age.map(|_| 0.0),
        receiver_silent: facts.receiver_silent.map(|_| Duration::ZERO),
        senders: facts.senders.as_ref().map(|senders| senders.iter().map(standing).collect()),
        logical_senders: facts.logical_senders.iter().map(standing).collect(),
        elapsed: Duration::ZERO,
        ..facts.clone()
    };
    // What a role sets for itself is shown as its own.
    let names = server.settings.iter().map(|setting| Setting {
        value: String::new(),
        source: String::new(),
        ..setting.clone()
    });
    let settings = names.collect();
    let server = ServerFacts {
        settings,
        // From 19 on a role can have its own, which hides that of the server.
        receiver_timeout: server.receiver_timeout.filter(|_| major < 19),
        acts_for: None,
        pooling: None,
        reached_at: None,
        configured: None,
        login_warnings: Vec::new(),
        ..server.clone()
    };
    format!("{facts:#?} {server:#?}")
}

fn standing(sender: &Sender) -> Sender {
    Sender { replayed: None, lag: None, ..sender.clone() }
}

/// The figures of a role with unusual settings are those of one without, directly and through a pooler.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_do_not_depend_on_the_settings_of_the_role() {
    let mut faults = Vec::new();
    for install in installs() {
        let stage = blocking(|| Stage::new(install));
        let poolers = stage.poolers().await;
        let mut told: Vec<BTreeMap<NodeName, String>> = Vec::new();
        let passes: Vec<Pass<'_>> = stage.passes(&poolers);
        for name in ["pg_monitor", "unusual settings", "a pooler"] {
            let pass = passes.iter().find(|pass| pass.name == name).unwrap();
            let nodes = pass.nodes();
            let mut watched = Watched::healthy(nodes.clone()).await;
            let mut figures = BTreeMap::new();
            for node in nodes {
                let facts = watched.ever("figures", |event| match &event.kind {
                    EventKind::Facts { node: of, facts } if *of == node.name => Some(facts.clone().unwrap()),
                    _ => None,
                });
                let facts = facts.await;
                let server = watched.ever("settings", |event| match &event.kind {
                    EventKind::Server { node: of, server } if *of == node.name => Some(server.clone()),
                    _ => None,
                });
                figures.insert(node.name.clone(), steady(stage.major, &facts, &*server.await));
            }
            watched.stop().await;
            if let Some(plain) = told.first() {
                faults.extend(figures.iter().filter(|(node, of)| plain[*node] != **of).map(|(node, of)| {
                    format!("PostgreSQL {}, {name}, {node}: {of}\n\ninstead of {}", stage.major, plain[node])
                }));
            }
            told.push(figures);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
