//! Messages: the update of the state for an event of the manager, a key and a tick.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gungraun::{library_benchmark, library_benchmark_group};
use pgwatch::app::{App, Effect, Key, Msg, update};
use pgwatch::model::protocol::{NodeOutcome, QueryProgress};
use pgwatch::model::{Event, EventKind, Health, HealthState};

use crate::scene::fleet::fleet;
use crate::scene::{name, rows};

/// A state and the message that it is to handle.
type Given = (App, Msg);

fn event(app: App, now: u64, kind: EventKind) -> Given {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
    (app, Msg::Event(Event { seq: u64::MAX, at, kind }))
}

/// A probe was answered.
fn checked() -> Given {
    let fleet = fleet(20);
    let kind = fleet.checked(5);
    event(fleet.scene.app, fleet.scene.now, kind)
}

/// A node of many became slow.
fn health() -> Given {
    let fleet = fleet(100);
    let EventKind::Checked { node, health } = fleet.checked(5) else { panic!("a probe reports that it was answered") };
    let health = Health { state: HealthState::Degraded, ..(*health).clone() };
    let kind = EventKind::Health { node, from: HealthState::Healthy, health: Arc::new(health) };
    event(fleet.scene.app, fleet.scene.now, kind)
}

/// A refresh brought figures.
fn figures() -> Given {
    let fleet = fleet(20);
    let kind = fleet.figures(5);
    event(fleet.scene.app, fleet.scene.now, kind)
}

/// A node answered a statement with a thousand rows of five columns.
fn answer() -> Given {
    let mut scene = fleet(20).scene;
    let batch = scene.run("select * from wide");
    let columns = ["a", "b", "c", "d", "e"].map(|name| (name, "text"));
    let result = Ok(rows(&columns, std::iter::repeat_n(vec![Some("a value"); 5], 1_000)));
    let outcome = Arc::new(NodeOutcome { elapsed: Duration::from_millis(5), result });
    let progress = QueryProgress::NodeDone { node: name("node-000"), outcome };
    event(scene.app, scene.now, EventKind::Query { batch, progress })
}

/// A key, but not the first one, which reads the key map.
fn key(keys: &str) -> Given {
    let mut scene = fleet(20).scene;
    scene.press(keys);
    (scene.app, Msg::Key(Key::sequence(keys).remove(0)))
}

/// A tick with `nodes` nodes.
fn tick(nodes: usize) -> Given {
    let scene = fleet(nodes).scene;
    (scene.app, Msg::Tick(SystemTime::UNIX_EPOCH + Duration::from_secs(scene.now + 1)))
}

#[library_benchmark]
#[bench::checked(checked())]
#[bench::health_100_nodes(health())]
#[bench::figures(figures())]
#[bench::answer_of_1000_rows(answer())]
#[bench::key_down(key("j"))]
#[bench::tick_20_nodes(tick(20))]
fn message((mut app, msg): Given) -> (App, Vec<Effect>) {
    let effects = update(&mut app, msg);
    (app, effects)
}

library_benchmark_group!(name = messages, benchmarks = [message]);
