//! What happens to servers and to the network before them: one fault after another, each of which can be mended.

use std::time::Duration;

use fastrand::Rng;
use pgwatch::demo::{Cluster, Server};

use super::super::proxy::{Link, Proxy};
use super::super::servers::{cluster, sessions};

const LINKS: [Link; 6] = [
    Link::Up,
    Link::Up,
    Link::Blackhole,
    Link::BlackholeToClient,
    Link::HangNew,
    Link::Delay(Duration::from_millis(150)),
];

/// Two servers, each with a proxy in front, and their current faults.
pub struct Weather {
    cluster: Cluster,
    proxies: Vec<Proxy>,
    state: Vec<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The server runs or is starting.
    Runs,
    Killed,
    Frozen,
}

impl Weather {
    /// Makes and starts the servers.
    pub fn start() -> Self {
        let cluster = cluster().standbys(1).config("max_connections", "100").start().unwrap();
        let proxies: Vec<Proxy> = cluster.servers().iter().map(|server| Proxy::to(server.port())).collect();
        Self { state: vec![State::Runs; proxies.len()], proxies, cluster }
    }

    pub fn servers(&self) -> &[Server] {
        self.cluster.servers()
    }

    /// One of the servers, directly or through its proxy: places where a node is healthy in calm weather.
    pub fn good_place(&self, number: usize) -> (&'static str, u16) {
        let at = number % self.proxies.len();
        let through = number / self.proxies.len() % 2 == 1;
        let port = if through { self.proxies[at].port() } else { self.servers()[at].port() };
        ("127.0.0.1", port)
    }

    /// Usually a good place; now and then one where nothing listens, or an address that does not exist.
    pub fn place(&self, rng: &mut Rng) -> (&'static str, u16) {
        match rng.u32(..16) {
            0 => ("127.0.0.1", 1),
            1 => ("no-such-host.invalid", 5432),
            _ => self.good_place(rng.usize(..4)),
        }
    }

    /// Makes or mends one fault; returns its name.
    pub fn change(&mut self, rng: &mut Rng) -> &'static str {
        let at = rng.usize(..self.state.len());
        let (server, proxy) = (&self.cluster.servers()[at], &self.proxies[at]);
        let (state, kind) = match (self.state[at], rng.u32(..20)) {
            (state, 0..6) => {
                proxy.set(*rng.choice(&LINKS).unwrap());
                (state, "cut or mend a link")
            }
            (state, 6..10) => {
                proxy.reset();
                (state, "reset connections")
            }
            (State::Runs, 10..14) => {
                let ours = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgwatch'";
                // The server may be starting, or full.
                drop(server.psql(ours));
                (State::Runs, "terminate backends")
            }
            (State::Runs, 14..17) if server.freeze().is_ok() => (State::Frozen, "freeze"),
            (State::Runs, _) if server.kill().is_ok() => (State::Killed, "kill"),
            // The server ended by itself, or was killed.
            (State::Runs | State::Killed, _) => {
                server.spawn().unwrap();
                (State::Runs, "start")
            }
            (State::Frozen, _) => {
                server.thaw().unwrap();
                (State::Runs, "thaw")
            }
        };
        self.state[at] = state;
        kind
    }

    /// Mends everything, and waits until the servers accept sessions.
    pub fn calm(&mut self) {
        for (server, state) in self.cluster.servers().iter().zip(&mut self.state) {
            if *state == State::Frozen {
                server.thaw().unwrap();
            }
            if server.postmaster_pid().is_some() {
                server.wait_ready().unwrap();
            } else {
                server.start().unwrap();
            }
            *state = State::Runs;
        }
        for proxy in &self.proxies {
            proxy.set(Link::Up);
        }
    }

    /// Our sessions on all servers, in calm weather.
    pub fn sessions(&self) -> usize {
        self.servers().iter().map(sessions).sum()
    }
}
