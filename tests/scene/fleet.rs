//! Nodes of any number, for tests where the number matters and not what each of them reports: clusters of a primary and two
//! standbys, each tenth node slow, one down, and the last minute of each known.

use std::sync::Arc;
use std::time::Duration;

use pgwatch::model::{EventKind, Facts, Health, HealthState, Role, ServerFacts};

use super::{NOW, Part, Scene, at, config, facts, goes_down, healthy, ms, name, part, pool, probes, server_facts};

/// A scene and the nodes that report to it every second.
#[derive(Clone)]
pub struct Fleet {
    pub scene: Scene,
    nodes: Vec<(Part, Facts)>,
}

/// This many nodes with their last minute; the last two seconds of it have figures.
pub fn fleet(nodes: usize) -> Fleet {
    let parts: Vec<Part> = (0..nodes).map(numbered).collect();
    let configs = parts.iter().map(|part| config(part.name, part.host)).collect();
    let mut scene = Scene::new(configs, NOW - 62);
    for (n, part) in parts.iter().enumerate() {
        scene.comes_up(part);
        let server = ServerFacts { system_identifier: Some(n as u64 / 3), ..server_facts(part) };
        scene.event(EventKind::Server { node: name(part.name), server: Arc::new(server) });
    }
    let nodes = parts.into_iter().map(|part| (part, facts(&part, NOW - 62))).collect();
    let mut fleet = Fleet { scene, nodes };
    for _ in 0..60 {
        fleet.probed();
    }
    if let Some((lost, _)) = fleet.nodes.get(2) {
        goes_down(&mut fleet.scene, lost.name);
        fleet.nodes.remove(2);
    }
    fleet.second();
    fleet.second();
    fleet
}

fn numbered(n: usize) -> Part {
    // A `Part` is made of constants elsewhere, so these few names are leaked.
    let name: &'static str = Box::leak(format!("node-{n:03}").into_boxed_str());
    let role = if n.is_multiple_of(3) { Role::Primary } else { Role::Standby };
    let latency = if n % 10 == 7 { ms(300) } else { Duration::from_micros(400 + n as u64 % 7 * 90) };
    Part { lag: (role == Role::Standby).then_some(ms(12)), ..part(name, "10.2.0.1", role, latency) }
}

impl Fleet {
    /// A second in which every node is probed.
    fn probed(&mut self) {
        self.scene.tick(1);
        for (part, _) in &self.nodes {
            let kind = checked(part, self.scene.now);
            self.scene.event(kind);
        }
    }

    /// A second in which every node is probed and reports its figures.
    pub fn second(&mut self) {
        self.probed();
        for at in 0..self.nodes.len() {
            let figures = self.figures(at);
            let (part, _) = &self.nodes[at];
            let pool = EventKind::Pool { node: name(part.name), pool: pool(part), probes: probes() };
            self.scene.event(figures);
            self.scene.event(pool);
        }
    }

    /// What a probe of the `nth` node that is up reports.
    pub fn checked(&self, nth: usize) -> EventKind {
        checked(&self.nodes[nth].0, self.scene.now)
    }

    /// What a refresh of it reports.
    pub fn figures(&self, nth: usize) -> EventKind {
        let (part, first) = &self.nodes[nth];
        let now = self.scene.now;
        let commits = first.commits.map(|commits| commits + now.saturating_sub(NOW - 62) * part.tps);
        let facts = Facts { server_time: at(now), commits, ..first.clone() };
        EventKind::Facts { node: name(part.name), facts: Ok(Arc::new(facts)) }
    }
}

fn checked(part: &Part, now: u64) -> EventKind {
    let latency = part.latency + Duration::from_micros(now * 7919 % 97);
    let state = if latency >= ms(250) { HealthState::Degraded } else { HealthState::Healthy };
    EventKind::Checked { node: name(part.name), health: Arc::new(Health { state, ..healthy(now, latency) }) }
}
