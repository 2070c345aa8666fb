//! Refused connections, and accepted ones that lead nowhere: ports, proxies, TLS, and refusals by the server itself.

use std::sync::OnceLock;
use std::time::SystemTime;

use pgwatch::demo::{Builder, Cluster};
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

use crate::fault::{Begun, Fault, Truth, begun};
use crate::mute::{self, After};
use crate::network::proxied;
use crate::stage::{Set, Stage, terminate};
use crate::support::proxy::Link;
use crate::support::servers::cluster;
use crate::support::tls::{Authority, Pair, with_tls};
use crate::support::wait::{SOON, wait_for};

pub const FAULTS: [Fault; 11] = [
    Fault::new("connections reset", Truth::Alive, &["connection_lost"], reset).on(proxied),
    Fault::new("port refused, connections reset", Truth::Down, &["refused"], refuse).on(proxied).dies(),
    Fault::new("a proxy that accepts and never answers", Truth::Down, &["timeout"], hang).on(proxied).late(),
    Fault::new("a server that answers the startup, then nothing", Truth::Down, &["timeout"], |stage| {
        turn_mute(stage, After::Startup)
    })
    .on(proxied)
    .late(),
    Fault::new("a TLS handshake that stalls", Truth::Down, &["timeout"], |stage| turn_mute(stage, After::TlsRequest))
        .on(proxied)
        .late(),
    Fault::new("the certificate has expired", Truth::Down, &["tls"], expire).on(encrypted),
    Fault::new("password changed, sessions ended", Truth::Down, &["authentication"], change_password).on(primary),
    Fault::new("database dropped", Truth::Down, &["no_database"], drop_database).on(shop),
    Fault::new("database renamed", Truth::Down, &["no_database"], rename_database).on(shop),
    Fault::new("the role's connection limit is reached", Truth::Degraded, FULL, limit_role).on(every),
    Fault::new("too many connections", Truth::Degraded, FULL, fill),
];

const FULL: &[&str] = &["too_many_connections"];

fn primary() -> Set {
    Set { victim: "primary", ..Set::default() }
}

/// Standbys replay the change, so that all nodes are affected.
fn every() -> Set {
    Set { all: true, ..primary() }
}

/// The primary's node is connected to a database that can be dropped.
fn shop() -> Set {
    let prepare = |cluster: &Cluster| {
        cluster.primary().psql("create database shop").expect("a database");
        None
    };
    Set { more: ", database: shop", prepare, ..primary() }
}

fn reset(stage: &mut Stage) -> Begun {
    let at = SystemTime::now();
    proxy(stage).reset();
    begun(at, |_| ())
}

fn refuse(stage: &mut Stage) -> Begun {
    let at = SystemTime::now();
    proxy(stage).refuse();
    proxy(stage).reset();
    begun(at, |stage| proxy(stage).accept())
}

/// It goes on with what it has accepted.
fn hang(stage: &mut Stage) -> Begun {
    let at = SystemTime::now();
    proxy(stage).set(Link::Blackhole);
    proxy(stage).reset();
    begun(at, |stage| proxy(stage).set(Link::Up))
}

/// The mute server ends, so that the system closes its connections, and a proper one takes its place.
fn turn_mute(stage: &mut Stage, after: After) -> Begun {
    let mute = mute::listen(&stage.runtime, after);
    let at = SystemTime::now();
    proxy(stage).point(mute);
    proxy(stage).reset();
    begun(at, |stage| {
        proxy(stage).point(stage.victim().port());
        proxy(stage).reset();
    })
}

fn proxy(stage: &Stage) -> &crate::support::proxy::Proxy {
    stage.proxy.as_deref().expect("the stage has a proxy")
}

/// The authority, a valid certificate and an expired one.
struct Certificates {
    folder: TempDir,
    good: Pair,
    expired: Pair,
    authority: Authority,
}

fn certificates() -> &'static Certificates {
    static MADE: OnceLock<Certificates> = OnceLock::new();
    MADE.get_or_init(|| {
        let authority = Authority::new("faults");
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("ca.crt"), authority.pem()).expect("a certificate");
        let (good, expired) = (authority.server("127.0.0.1"), authority.expired("127.0.0.1"));
        Certificates { folder, good, expired, authority }
    })
}

fn encrypted() -> Set {
    static MORE: OnceLock<String> = OnceLock::new();
    let more = MORE.get_or_init(|| {
        let root = certificates().folder.path().join("ca.crt");
        format!(", sslmode: verify-full, sslrootcert: {}", root.display())
    });
    let servers = || -> Builder<'static> {
        let Certificates { good, authority, .. } = certificates();
        with_tls(cluster(), good, authority)
    };
    Set { more, cluster: servers, ..Set::default() }
}

/// Affects only new sessions.
fn expire(stage: &mut Stage) -> Begun {
    show(stage, &certificates().expired);
    let at = SystemTime::now();
    stage.terminate("true");
    begun(at, |stage| show(stage, &certificates().good))
}

fn show(stage: &Stage, pair: &Pair) {
    let server = stage.victim();
    for (name, contents) in [("server.crt", &pair.cert), ("server.key", &pair.key)] {
        // Overwritten, so that owner and mode stay.
        std::fs::write(server.data_dir().join(name), contents).expect("the file is written");
    }
    let loaded = server.psql("select pg_conf_load_time()").expect("it answers");
    server.psql("select pg_reload_conf()").expect("it reads its configuration");
    let anew = || (server.psql("select pg_conf_load_time()").ok()? != loaded).then_some(());
    wait_for("the certificate is read", SOON, anew);
}

fn change_password(stage: &mut Stage) -> Begun {
    stage.victim().psql("alter role pgwatch password 'another'").expect("changed");
    let at = SystemTime::now();
    stage.terminate("true");
    begun(at, |stage| {
        let server = stage.victim();
        server.psql(&format!("alter role pgwatch password '{}'", server.password().expose())).expect("changed back");
    })
}

fn drop_database(stage: &mut Stage) -> Begun {
    let at = SystemTime::now();
    stage.victim().psql("drop database shop with (force)").expect("dropped");
    begun(at, |stage| drop(stage.victim().psql("create database shop").expect("made anew")))
}

fn rename_database(stage: &mut Stage) -> Begun {
    stage.victim().psql("alter database shop allow_connections false").expect("closed");
    let at = SystemTime::now();
    stage.terminate("true");
    wait_for("renamed", SOON, || stage.victim().psql("alter database shop rename to gone").ok());
    stage.victim().psql("alter database gone allow_connections true").expect("opened");
    begun(at, |stage| drop(stage.victim().psql("alter database gone rename to shop").expect("renamed back")))
}

/// The sessions of the probes stay, but no new ones are granted. A role is the same on all servers of a cluster.
fn limit_role(stage: &mut Stage) -> Begun {
    limit_sessions(stage, "1");
    let at = SystemTime::now();
    for server in stage.cluster.servers() {
        terminate(server, &format!("not ({})", crate::process::PROBE));
    }
    begun(at, |stage| limit_sessions(stage, "-1"))
}

/// Sets the limit; returns when the standbys have replayed it.
fn limit_sessions(stage: &Stage, limit: &str) {
    stage.cluster.primary().psql(&format!("alter role pgwatch connection limit {limit}")).expect("limited");
    let limited = "select rolconnlimit from pg_roles where rolname = 'pgwatch'";
    for server in stage.cluster.servers() {
        wait_for("the limit is there", SOON, || (server.psql(limited).ok()? == limit).then_some(()));
    }
}

/// Other clients take all sessions.
fn fill(stage: &mut Stage) -> Begun {
    let server = stage.victim();
    let mut config = Config::new();
    config.host(server.host()).port(server.port()).user("app").password(server.password().expose()).dbname("postgres");
    let at = SystemTime::now();
    let mut held: Vec<Client> = Vec::new();
    while let Ok((client, connection)) = stage.runtime.block_on(config.connect(NoTls)) {
        stage.runtime.spawn(connection);
        held.push(client);
    }
    begun(at, move |stage| {
        drop(held);
        let gone = "select count(*) < 10 from pg_stat_activity where usename = 'app'";
        wait_for("the others are gone", SOON, || (stage.victim().psql(gone).ok()? == "t").then_some(()));
    })
}
