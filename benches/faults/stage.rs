//! The set-up of a trial: a primary and two standbys under load, what is between, and a dashboard that watches them.

use std::fmt::Write as _;
use std::sync::Arc;

use pgwatch::demo::{Builder, Cluster, Load, Server};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::desk::Desk;
use crate::namespace::Link;
use crate::support::proxy::Proxy;
use crate::support::servers::cluster;

/// How the dashboard reaches the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Direct,
    /// The affected server through a proxy.
    Proxy,
    /// From a separate namespace, with a link to each node.
    Links,
}

/// Describes a stage to be set up.
#[derive(Clone, Copy)]
pub struct Set {
    pub victim: &'static str,
    pub way: Way,
    /// Twenty nodes on the three servers, ten of them on the affected one.
    pub twenty: bool,
    /// True if the fault affects all nodes.
    pub all: bool,
    /// More keys for the node of the affected server: `, database: shop`.
    pub more: &'static str,
    pub cluster: fn() -> Builder<'static>,
    /// Prepares the servers before the dashboard opens. Its result is dropped after the servers.
    pub prepare: fn(&Cluster) -> Option<Leftover>,
}

/// Something to be undone, by dropping it, once the servers are gone.
pub type Leftover = Box<dyn std::any::Any + Send>;

impl Default for Set {
    fn default() -> Self {
        Self { victim: "standby1", way: Way::Direct, twenty: false, all: false, more: "", cluster, prepare: |_| None }
    }
}

/// One of the dashboard's nodes.
struct Node {
    name: String,
    server: usize,
}

/// Servers, load and dashboard; dropped in this order.
pub struct Stage {
    pub desk: Desk,
    pub proxy: Option<Arc<Proxy>>,
    pub link: Option<Link>,
    /// Runs the load and the tasks of a fault.
    pub runtime: Runtime,
    pub cluster: Cluster,
    victim: usize,
    /// The nodes that the fault affects, and the others.
    pub hit: Vec<String>,
    pub others: Vec<String>,
    _leftover: Option<Leftover>,
    _files: TempDir,
}

impl Stage {
    pub fn new(set: &Set) -> Self {
        let cluster = (set.cluster)().standbys(2).start().expect("a primary with two standbys");
        let victim = cluster.servers().iter().position(|server| server.name() == set.victim).expect("the victim");
        let leftover = (set.prepare)(&cluster);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(Load::new(&cluster).run(CancellationToken::new()));

        let proxy = (set.way == Way::Proxy).then(|| Arc::new(Proxy::to(cluster.servers()[victim].port())));
        let link = (set.way == Way::Links).then(|| Link::new(cluster.servers().len()));
        let nodes = nodes(set, &cluster, victim);
        let files = tempfile::tempdir().expect("a temporary folder");
        let config = config(set, &nodes, &cluster, victim, proxy.as_deref(), link.as_ref());
        let (hit, others): (Vec<&Node>, Vec<&Node>) = nodes.iter().partition(|node| set.all || node.server == victim);
        let names = |nodes: &[&Node]| nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>();
        let every = names(&nodes.iter().collect::<Vec<_>>());
        let desk = Desk::open(&config, link.as_ref().map(Link::namespace), &every);
        let (hit, others) = (names(&hit), names(&others));
        Self { desk, proxy, link, runtime, cluster, victim, hit, others, _leftover: leftover, _files: files }
    }

    /// The server that the fault affects.
    pub fn victim(&self) -> &Server {
        &self.cluster.servers()[self.victim]
    }

    /// Its index among the servers.
    pub fn victim_number(&self) -> usize {
        self.victim
    }

    /// Ends our sessions on the affected server that `which` (SQL) selects.
    pub fn terminate(&self, which: &str) -> u32 {
        terminate(self.victim(), which)
    }
}

/// Ends our sessions on a server that `which` (SQL) selects.
pub fn terminate(server: &Server, which: &str) -> u32 {
    let sql = format!(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'pgwatch' and {which}"
    );
    server.psql(&sql).expect("the server ends sessions").parse().expect("a count")
}

fn nodes(set: &Set, cluster: &Cluster, victim: usize) -> Vec<Node> {
    if !set.twenty {
        let named = |(server, of): (usize, &Server)| Node { name: of.name().to_owned(), server };
        return cluster.servers().iter().enumerate().map(named).collect();
    }
    let others: Vec<usize> = (0..cluster.servers().len()).filter(|server| *server != victim).collect();
    let server = |i: usize| if i < 10 { victim } else { others[i % others.len()] };
    (0..20).map(|i| Node { name: format!("n{i:02}"), server: server(i) }).collect()
}

fn config(
    set: &Set,
    nodes: &[Node],
    cluster: &Cluster,
    victim: usize,
    proxy: Option<&Proxy>,
    link: Option<&Link>,
) -> String {
    let mut text = "nodes:\n".to_owned();
    for Node { name, server: number } in nodes {
        let server = &cluster.servers()[*number];
        let is_victim = *number == victim;
        let host = link.map_or_else(|| server.host().to_owned(), |link| link.address(*number));
        let port = proxy.filter(|_| is_victim).map_or(server.port(), Proxy::port);
        let (password, more) = (server.password().expose(), if is_victim { set.more } else { "" });
        writeln!(text, "  {name}: {{host: {host}, port: {port}, user: pgwatch, password: {password}{more}}}").unwrap();
    }
    text
}
