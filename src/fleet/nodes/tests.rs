//! What is known of one node, and counts of all.

use super::*;

fn node() -> Node {
    Node::new(NodeConfig::new(NodeName::parse("a").unwrap(), "localhost"), SystemTime::UNIX_EPOCH)
}

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

fn facts(second: u64, role: Role, commits: u64) -> Arc<Facts> {
    Arc::new(Facts { commits: Some(commits), rollbacks: Some(0), ..Facts::unknown(role, at(second)) })
}

#[test]
fn rates_are_taken_over_three_seconds_and_start_again_with_the_counters() {
    let mut node = node();
    let steps = [
        // A server that flushes its statistics on its own schedule.
        (0, Role::Standby, 100, None),
        (1, Role::Standby, 103, Some(3.0)),
        (2, Role::Standby, 104, Some(2.0)),
        (3, Role::Standby, 106, Some(2.0)),
        (4, Role::Standby, 109, Some(2.0)),
        (5, Role::Standby, 110, Some(2.0)),
        // After a crash: never a negative rate.
        (6, Role::Standby, 2, None),
        (7, Role::Standby, 4, Some(2.0)),
        // A promotion and a pause.
        (8, Role::Primary, 6, None),
        (18, Role::Primary, 26, Some(2.0)),
    ];
    for (second, role, commits, rate) in steps {
        node.set_facts(at(second), facts(second, role, commits));
        assert_eq!(node.rates.transactions, rate, "at {second} s");
    }
    assert!(node.earlier.len() <= 4, "{}", node.earlier.len());
}

#[test]
fn a_ping_is_steady_while_the_node_is_well() {
    let mut node = node();
    let mut probed = |second: u64, state: HealthState, ms: u64| {
        let latency = Some(Duration::from_millis(ms));
        let health = Health { state, latency, last_success: Some(at(second)), ..Health::new(at(0)) };
        node.set_health(at(second), Arc::new(health));
        node.ping().map(|ping| ping.as_millis())
    };
    let pings = [1, 1, 9, 1, 1].into_iter().zip(1..).map(|(ms, second)| probed(second, HealthState::Healthy, ms));
    assert_eq!(pings.collect::<Vec<_>>(), [Some(1); 5]);
    assert_eq!(probed(6, HealthState::Degraded, 812), Some(812), "trouble is told at once");
    assert_eq!(probed(7, HealthState::Unhealthy, 812), None);
}
