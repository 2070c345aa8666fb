//! Faults of the network: packets dropped in both directions or in one, lost now and then, late; a link that goes down
//! (N3). The kernel drops them in the command's own network namespace; without one, a proxy does.

use std::time::{Duration, SystemTime};

use crate::fault::{Begun, Fault, Truth, begun};
use crate::namespace::{self, Drops};
use crate::stage::{Set, Stage, Way};
use crate::support::proxy::Link;
use crate::support::servers::cluster;

pub const FAULTS: [Fault; 11] = [
    Fault::new("packets dropped in both directions, 5 s", Truth::Down, SILENT, both).on(reached).lasting(5).cut(),
    Fault::new("packets dropped in both directions, 60 s", Truth::Down, SILENT, both).on(reached).lasting(60).cut(),
    Fault::new("packets to the server dropped, 5 s", Truth::Down, SILENT, to_server).on(reached).lasting(5).cut(),
    Fault::new("packets to the server dropped, 60 s", Truth::Down, SILENT, to_server).on(reached).lasting(60).cut(),
    Fault::new("packets from the server dropped, 5 s", Truth::Down, SILENT, to_client).on(reached).lasting(5).cut(),
    Fault::new("packets from the server dropped, 60 s", Truth::Down, SILENT, to_client).on(reached).lasting(60).cut(),
    Fault::new("link down, 5 s", Truth::Down, UNPLUGGED, unplug)
        .on(linked)
        .lasting(5)
        .cut()
        .where_possible(namespace::needed),
    Fault::new("link down, 60 s", Truth::Down, UNPLUGGED, unplug)
        .on(linked)
        .lasting(60)
        .cut()
        .where_possible(namespace::needed),
    Fault::new("answers 300 ms later", Truth::Degraded, &["timeout"], |stage| late(stage, 150)).on(proxied),
    Fault::new("answers 600 ms later", Truth::Degraded, &["timeout"], |stage| late(stage, 300)).on(proxied),
    Fault::new("5 % of the packets lost, 20 s", Truth::Alive, &["timeout"], lossy)
        .lasting(20)
        .where_possible(namespace::needed),
];

const SILENT: &[&str] = &["timeout"];
/// The kernel may give up on a neighbour that does not answer.
const UNPLUGGED: &[&str] = &["timeout", "unreachable"];

pub fn proxied() -> Set {
    Set { way: Way::Proxy, ..Set::default() }
}

fn reached() -> Set {
    Set { way: if namespace::is_inside() { Way::Direct } else { Way::Proxy }, ..Set::default() }
}

/// The dashboard reaches the servers from another network.
fn linked() -> Set {
    let servers = || cluster().config("listen_addresses", "*").hba("host all all 10.77.0.0/16 scram-sha-256");
    Set { way: Way::Links, cluster: servers, ..Set::default() }
}

fn both(stage: &mut Stage) -> Begun {
    cut(stage, Link::Blackhole, &["tcp dport", "tcp sport"])
}

fn to_server(stage: &mut Stage) -> Begun {
    cut(stage, Link::BlackholeToServer, &["tcp dport"])
}

fn to_client(stage: &mut Stage) -> Begun {
    cut(stage, Link::BlackholeToClient, &["tcp sport"])
}

fn cut(stage: &mut Stage, link: Link, ways: &[&str]) -> Begun {
    let at = SystemTime::now();
    if let Some(proxy) = &stage.proxy {
        proxy.set(link);
        return begun(at, |stage| pass(stage));
    }
    let drops = drops(stage, ways, "");
    begun(at, move |_| drop(drops))
}

fn lossy(stage: &mut Stage) -> Begun {
    let at = SystemTime::now();
    let drops = drops(stage, &["tcp dport", "tcp sport"], " numgen random mod 100 < 5");
    begun(at, move |_| drop(drops))
}

fn drops(stage: &Stage, ways: &[&str], which: &str) -> Drops {
    let port = stage.victim().port();
    let rules: Vec<String> = ways.iter().map(|way| format!("{way} {port}{which}")).collect();
    Drops::new(port, &rules)
}

fn unplug(stage: &mut Stage) -> Begun {
    let at = SystemTime::now();
    set_link(stage, "down");
    begun(at, |stage| set_link(stage, "up"))
}

fn set_link(stage: &Stage, way: &str) {
    stage.link.as_ref().expect("the stage has links").set(stage.victim_number(), way);
}

/// Delays each direction, so that an answer is late by twice that.
fn late(stage: &mut Stage, ms: u64) -> Begun {
    let at = SystemTime::now();
    let proxy = stage.proxy.as_ref().expect("the stage has a proxy");
    proxy.set(Link::Delay(Duration::from_millis(ms)));
    begun(at, |stage| pass(stage))
}

fn pass(stage: &Stage) {
    stage.proxy.as_ref().expect("the stage has a proxy").set(Link::Up);
}
