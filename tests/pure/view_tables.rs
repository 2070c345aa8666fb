//! Tables and screens, driven by keys and read on the drawn screen: the way back, which table opens, numbers and
//! totals, nodes that are removed, that fail, or that have nothing to show.

mod explain;
mod history;
mod nodes;
mod numbers;
mod tabs;
mod totals;
mod whole;

use std::time::Duration;

use pgwatch::model::{EventKind, HealthState, Role, ServerFacts};
use pgwatch::tui::ColorDepth;

use crate::scene::{self, NOW, Scene, config, healthy, name, theme};

/// The screen as text.
fn screen(scene: &mut Scene, width: u16, height: u16) -> String {
    scene::text(&scene.draw(width, height, &theme("dark", ColorDepth::True)))
}

/// Connected nodes, each with its role, its version and the name of its cluster.
fn fleet(nodes: &[(&str, Role, &str, Option<u64>)]) -> Scene {
    let configs = nodes.iter().map(|(node, ..)| config(node, "10.0.0.1")).collect();
    let mut scene = Scene::new(configs, NOW).with_views();
    for (node, role, version, system) in nodes {
        scene.event(EventKind::Connected {
            node: name(node),
            role: Some(*role),
            server_version: (*version).to_owned(),
            connect_time: Duration::from_millis(6),
            attempt: 1,
        });
        scene.health(node, HealthState::Connecting, healthy(NOW, Duration::from_millis(1)));
        let server = ServerFacts { system_identifier: *system, ..ServerFacts::default() };
        scene.event(EventKind::Server { node: name(node), server: server.into() });
    }
    screen(&mut scene, 120, 40);
    scene
}
