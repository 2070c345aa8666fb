//! Names, servers and clusters.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::{Facts, Health, HealthState, NodeConfig, NodeName, ServerFacts};

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

/// A name, its system identifier, the second of its start, its port and its cluster of the file.
type Spec<'a> = (&'a str, Option<u64>, u64, u16, Option<&'a str>);

/// Primaries that answer, with 10 transactions a second.
fn nodes(all: &[Spec<'_>]) -> Nodes {
    let config = |(name, _, _, _, cluster): &Spec<'_>| NodeConfig {
        cluster: cluster.map(str::to_owned),
        ..NodeConfig::new(NodeName::parse(name).unwrap(), "h")
    };
    let configs = all.iter().map(config);
    let mut nodes = Nodes::new(configs.collect(), at(0));
    for (name, system, started, port, _) in all {
        let node = nodes.get_mut(&NodeName::parse(name).unwrap()).unwrap();
        node.set_health(at(0), Arc::new(Health { state: HealthState::Healthy, ..Health::new(at(0)) }));
        node.server = Some(Arc::new(ServerFacts {
            system_identifier: *system,
            started_at: Some(at(*started)),
            port: Some(*port),
            ..ServerFacts::default()
        }));
        node.is_identified = true;
        for second in 0..2 {
            let facts =
                Facts { commits: Some(second * 10), rollbacks: Some(0), ..Facts::unknown(Role::Primary, at(second)) };
            node.set_facts(at(second), Arc::new(facts));
        }
    }
    nodes
}

#[test]
fn a_server_is_told_by_its_cluster_its_start_and_its_own_port() {
    let cases = [
        ("two databases, a pooler, a virtual address", (Some(7), 100, 5432, None), true),
        ("a standby that started at the same moment", (Some(7), 100, 5433, None), false),
        ("a standby on another machine", (Some(7), 101, 5432, None), false),
        ("another cluster", (Some(8), 100, 5432, None), false),
    ];
    for (case, (system, started, port, cluster), same) in cases {
        let nodes = nodes(&[("a", Some(7), 100, 5432, None), ("b", system, started, port, cluster)]);
        let [a, b] = ["a", "b"].map(|name| nodes.get(&NodeName::parse(name).unwrap()).unwrap());
        assert_eq!(is_same_server(a, b), same, "{case}");
        assert_eq!(nodes.servers().count(), if same { 1 } else { 2 }, "{case}");
        let sum = if same { 10.0 } else { 20.0 };
        assert_eq!(nodes.transactions(at(1), Duration::from_secs(1)), Some(sum), "{case}");
    }
}

#[test]
fn a_split_brain_needs_two_servers_of_one_cluster() {
    let count = |other: Spec<'_>| {
        let nodes = nodes(&[("a", Some(7), 100, 5432, None), other]);
        split_brain(&nodes, nodes.iter().next().unwrap()).len()
    };
    assert_eq!(count(("b", Some(7), 101, 5432, None)), 2);
    assert_eq!(count(("b", Some(7), 100, 5432, None)), 0, "one server");
    assert_eq!(count(("b", Some(8), 101, 5432, None)), 0, "two clusters");
    assert_eq!(count(("b", Some(7), 101, 5432, Some("restored"))), 0, "a clone, says the user");
    assert_eq!(count(("b", None, 101, 5432, None)), 0, "unknown");
}

#[test]
fn a_server_that_has_not_said_who_it_is_may_be_another_one() {
    let mut nodes = nodes(&[("a", Some(7), 100, 5432, None), ("b", Some(7), 101, 5432, None)]);
    nodes.get_mut(&NodeName::parse("b").unwrap()).unwrap().is_identified = false;
    assert!(split_brain(&nodes, nodes.iter().next().unwrap()).is_empty());
}
