//! The cluster of `pgwatch demo`: a shop with something to see on every screen, in its tables and in its topology.
//!
//! It has a primary, two standbys and a logical subscriber. A replication slot has no reader, `standby1` has a
//! different setting, `standby2` one that waits for a restart, an index is never used and a sequence is half used. The
//! workload is in `trade.rs`.

use std::sync::Arc;
use std::thread;

use super::trade::Trade;
use super::{Builder, Cluster, DemoError, Install, Load, Server, Template};

/// Keeps the servers small however long the demo runs, with a checkpoint every half minute so that something happens.
const SETTINGS: &[(&str, &str)] = &[
    ("wal_level", "logical"),
    ("max_wal_size", "16MB"),
    ("min_wal_size", "8MB"),
    ("checkpoint_timeout", "30s"),
    ("archive_mode", "on"),
    ("archive_command", "true"),
];

/// How much WAL the slot without a reader may retain, on servers that support such a limit (13 and later).
const UNREAD_SLOT_LIMIT: &str = "32MB";

/// The same rows on both sides of the logical replication, which then has nothing to copy. `carts` is updated all the
/// time in an indexed column: vacuum removes its dead rows, slowly enough that the Progress view shows it.
const TABLES: &str = "
    create schema shop authorization app;
    set role app;
    create table shop.orders (
        id bigserial primary key, customer int not null, placed timestamptz not null default now(),
        total numeric(10, 2) not null, note text);
    create index orders_customer on shop.orders (customer);
    create index orders_note on shop.orders (note);
    create table shop.stock (item int primary key, amount bigint not null);
    create table shop.carts (id int primary key, customer int not null, changed timestamptz not null default now())
        with (autovacuum_vacuum_threshold = 100, autovacuum_vacuum_scale_factor = 0,
            autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 8);
    create index carts_changed on shop.carts (changed);
    create sequence shop.invoice_number as int;
    insert into shop.orders (customer, total, note)
        select n % 1000, 5 + n % 200, repeat(md5(n::text), 2) from generate_series(1, 10000) n;
    insert into shop.stock select item, 1000 from generate_series(1, 50) item;
    insert into shop.carts select n, n % 1000 from generate_series(1, 3000) n;
    select setval('shop.invoice_number', 1100000000);
    reset role;
    grant usage on schema shop to pgwatch, repl;
    grant select on all tables in schema shop to pgwatch, repl;
    grant select on all sequences in schema shop to pgwatch;
    analyze;";

const STATEMENTS: &str = "create extension pg_stat_statements;";

/// Resets the statistics, so that they leave out the creation of the tables. On a standby the extension may not have
/// been replayed yet.
const FORGET_STATEMENTS: &str = "
    do $$ begin perform pg_stat_statements_reset(); exception when undefined_function then null; end $$;";

const PUBLISH: &str = "create publication shop_orders for table shop.orders, shop.stock;";

/// The demo's servers. Dropping it stops and removes them all.
#[derive(Debug)]
pub struct Shop {
    cluster: Arc<Cluster>,
    subscriber: Cluster,
    has_statements: bool,
}

impl Shop {
    /// Creates and starts all servers, and fills the tables.
    pub fn open() -> Result<Self, DemoError> {
        let install = Install::find()?;
        let (major, has_statements) = (install.major(), install.has_library("pg_stat_statements"));
        let template = Template::create(install)?;
        let builder = || {
            let builder =
                SETTINGS.iter().fold(Cluster::builder(), |builder, (name, value)| builder.config(name, value));
            let builder = builder.template(&template);
            if major >= 13 { builder.config("max_slot_wal_keep_size", UNREAD_SLOT_LIMIT) } else { builder }
        };
        let filled = |builder: Builder<'_>| {
            let cluster = builder.start()?;
            let extension = if has_statements { STATEMENTS } else { "" };
            cluster.primary().psql(&format!("{TABLES}{extension}"))?;
            Ok::<_, DemoError>(cluster)
        };
        let (cluster, subscriber) = thread::scope(|scope| {
            let subscriber = scope.spawn(|| filled(builder().primary_name("subscriber")));
            let cluster = filled(builder().standbys(2));
            match subscriber.join() {
                Ok(subscriber) => Ok::<_, DemoError>((cluster?, subscriber?)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })?;
        connect(cluster.primary(), subscriber.primary(), major)?;
        differ(&cluster)?;
        for server in cluster.servers().iter().chain(subscriber.servers()) {
            server.psql(FORGET_STATEMENTS)?;
        }
        Ok(Self { cluster: Arc::new(cluster), subscriber, has_statements })
    }

    /// The primary and its standbys.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// All servers, the subscriber last.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        self.cluster.servers().iter().chain(self.subscriber.servers())
    }

    /// True if the servers have `pg_stat_statements`, which the Statements screen needs.
    pub fn has_statements(&self) -> bool {
        self.has_statements
    }

    /// The workload, ready to run.
    pub fn load(&self) -> Load {
        let primary = Trade::PRIMARY.iter().map(|&trade| (self.cluster.primary(), trade));
        let standbys = [("standby1", Trade::Analyse), ("standby1", Trade::Browse), ("standby2", Trade::Browse)];
        let standbys = standbys.into_iter().map(|(name, trade)| (self.cluster.server(name), trade));
        let subscriber = [(self.subscriber.primary(), Trade::Browse)];
        Load::trade(primary.chain(standbys).chain(subscriber))
    }
}

/// Sets up the logical replication, and a slot without a reader: only where the server can limit what it retains.
fn connect(publisher: &Server, subscriber: &Server, major: u32) -> Result<(), DemoError> {
    let slot = if major >= 13 { "select pg_create_physical_replication_slot('retired_standby', true);" } else { "" };
    publisher.psql(&format!("{PUBLISH}{slot}"))?;
    let (host, port, password) = (publisher.host(), publisher.port(), publisher.password().expose());
    subscriber
        .psql(&format!(
            "create subscription shop_orders
                connection 'host={host} port={port} user=repl password={password} dbname=postgres'
                publication shop_orders with (copy_data = false)"
        ))
        .map(drop)
}

/// Settings for the Drift view: one in force, with which the replay cancels reports that block it, and one that waits
/// for a restart.
fn differ(cluster: &Cluster) -> Result<(), DemoError> {
    for (name, setting, value) in
        [("standby1", "max_standby_streaming_delay", "2s"), ("standby2", "shared_buffers", "32MB")]
    {
        let standby = cluster.server(name);
        standby.set(setting, value)?;
        standby.psql("select pg_reload_conf()")?;
    }
    Ok(())
}
