//! Faults of many nodes at once, and repeated faults of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use crate::fault::{Begun, Fault, Truth, begun};
use crate::network::proxied;
use crate::process::kill;
use crate::stage::{Set, Stage};
use crate::support::wait::within;

pub const FAULTS: [Fault; 3] = [
    Fault::new("ten nodes of twenty dying at once", Truth::Down, &["refused"], kill).on(twenty).dies(),
    Fault::new("all of twenty nodes dying at once", Truth::Down, &["refused"], kill_all).on(all).dies(),
    Fault::new("flapping every 2 s for a minute", Truth::Down, &["refused"], flap).on(proxied).lasting(60),
];

const TURN: Duration = Duration::from_secs(2);

fn twenty() -> Set {
    Set { twenty: true, ..Set::default() }
}

fn all() -> Set {
    Set { all: true, ..twenty() }
}

fn kill_all(stage: &mut Stage) -> Begun {
    let at = SystemTime::now();
    std::thread::scope(|scope| {
        for server in stage.cluster.servers() {
            scope.spawn(|| server.kill().expect("killed"));
        }
    });
    begun(at, |stage| stage.cluster.servers().iter().for_each(|server| server.start().expect("started again")))
}

/// Repeatedly closes its port and ends its sessions, then opens it again.
fn flap(stage: &mut Stage) -> Begun {
    let at = SystemTime::now();
    let proxy = Arc::clone(stage.proxy.as_ref().expect("the stage has a proxy"));
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let turns = std::thread::spawn(move || {
        let rest = || within(TURN, || stopped.load(Ordering::Relaxed).then_some(()));
        loop {
            proxy.refuse();
            proxy.reset();
            if rest().is_some() {
                return;
            }
            proxy.accept();
            if rest().is_some() {
                return;
            }
        }
    });
    begun(at, move |stage| {
        stop.store(true, Ordering::Relaxed);
        turns.join().expect("the turns end");
        stage.proxy.as_ref().expect("the stage has a proxy").accept();
    })
}
