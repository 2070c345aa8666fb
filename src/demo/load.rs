//! A small steady load: a table that grows to a limit, a few sessions, sometimes one that waits for another's lock,
//! reads on the standbys. It takes a few per cent of one core. The demo has a larger one: `trade`.
//!
//! Each worker is a loop on its own connection: the writer every 200 ms, readers every 500 ms, the two that compete for
//! a lock every few seconds. A worker whose server dies retries every second.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_postgres::{Client, Config, Error, NoTls};
use tokio_util::sync::CancellationToken;

use super::trade::Trade;
use super::{Cluster, Server};

const WRITE: Duration = Duration::from_millis(200);
const READ: Duration = Duration::from_millis(500);
/// The lock is free for 16 s, then held for 4 s, so a client that takes it every third second sometimes waits.
const FREE: Duration = Duration::from_secs(16);
const HELD: Duration = Duration::from_secs(4);
const COME: Duration = Duration::from_secs(3);
const RETRY: Duration = Duration::from_secs(1);
/// How many rows are kept, about 60 MB; the oldest are deleted.
const KEPT: i64 = 500_000;

const TABLES: &str = "\
    create schema if not exists shop;
    create table if not exists shop.orders (
        id bigserial primary key, customer int not null, placed timestamptz not null default now(), note text);
    create table if not exists shop.stock (item int primary key, amount bigint not null);
    insert into shop.stock select item, 1000 from generate_series(1, 20) item on conflict do nothing;";

/// The load of one cluster, ready to run.
#[derive(Debug)]
pub struct Load(Vec<(Config, Work)>);

#[derive(Debug, Clone, Copy)]
enum Work {
    Write,
    Read,
    HoldLock,
    WantLock,
    Trade(Trade),
}

impl Load {
    /// The load for all servers of a cluster.
    pub fn new(cluster: &Cluster) -> Self {
        let mut workers: Vec<(Config, Work)> = Vec::new();
        for work in [Work::Write, Work::Read, Work::Read, Work::HoldLock, Work::WantLock] {
            workers.push((config(cluster.primary(), "demo"), work));
        }
        workers.extend(cluster.servers().iter().skip(1).map(|standby| (config(standby, "demo"), Work::Read)));
        Self(workers)
    }

    /// The load of the demo's shop: which program runs on which server.
    pub(super) fn trade<'a>(workers: impl IntoIterator<Item = (&'a Server, Trade)>) -> Self {
        let worker = |(server, trade): (&Server, Trade)| (config(server, trade.application()), Work::Trade(trade));
        Self(workers.into_iter().map(worker).collect())
    }

    /// Runs until `stop`. Dropping the future ends it as well: the sessions close with their connections.
    pub async fn run(self, stop: CancellationToken) {
        let mut workers = JoinSet::new();
        for (config, work) in self.0 {
            workers.spawn(keep_working(config, work));
        }
        stop.cancelled().await;
        workers.shutdown().await;
    }
}

fn config(server: &Server, application: &str) -> Config {
    let mut config = Config::new();
    config.host(server.host()).port(server.port()).user("app").password(server.password().expose()).dbname("postgres");
    config.application_name(application).connect_timeout(Duration::from_secs(5));
    config
}

/// Connects, works until an error, and starts again, as the demo kills servers on purpose.
async fn keep_working(config: Config, work: Work) {
    loop {
        if let Err(error) = connect_and_work(&config, work).await {
            tracing::debug!(?work, %error, "the demo's load lost its server");
        }
        sleep(RETRY).await;
    }
}

async fn connect_and_work(config: &Config, work: Work) -> Result<(), Error> {
    let (client, connection) = config.connect(NoTls).await?;
    // Both run in this task; when one ends, so does the other.
    tokio::select! {
        end = connection => end,
        end = work.forever(&client) => end,
    }
}

impl Work {
    async fn forever(self, client: &Client) -> Result<(), Error> {
        match self {
            Self::Write => write(client).await,
            Self::Read => read(client).await,
            Self::HoldLock => hold_lock(client).await,
            Self::WantLock => want_lock(client).await,
            Self::Trade(trade) => trade.forever(client).await,
        }
    }
}

async fn write(client: &Client) -> Result<(), Error> {
    client.batch_execute(TABLES).await?;
    let insert = client
        .prepare(
            "insert into shop.orders (customer, note) \
             select (random() * 999)::int, repeat('x', 40) from generate_series(1, 10) returning id",
        )
        .await?;
    let trim = client.prepare("delete from shop.orders where id <= $1").await?;
    loop {
        let newest: Option<i64> = client.query(&insert, &[]).await?.last().map(|row| row.get(0));
        if let Some(oldest) = newest.filter(|id| id % 1000 == 0).map(|id| id - KEPT).filter(|id| *id > 0) {
            client.execute(&trim, &[&oldest]).await?;
        }
        sleep(WRITE).await;
    }
}

/// Fails, and is retried, until the tables exist; on a standby, until they have been replayed.
async fn read(client: &Client) -> Result<(), Error> {
    let recent = client.prepare("select count(*) from (select from shop.orders order by id desc limit 200) o").await?;
    loop {
        client.query(&recent, &[]).await?;
        if fastrand::u8(..) < 4 {
            client.batch_execute("select pg_sleep(2) /* a slow report */").await?;
        }
        sleep(READ).await;
    }
}

async fn hold_lock(client: &Client) -> Result<(), Error> {
    loop {
        sleep(FREE).await;
        client.batch_execute("begin; update shop.stock set amount = amount + 1 where item = 1").await?;
        sleep(HELD).await;
        client.batch_execute("commit").await?;
    }
}

async fn want_lock(client: &Client) -> Result<(), Error> {
    loop {
        client.batch_execute("update shop.stock set amount = amount - 1 where item = 1").await?;
        sleep(COME).await;
    }
}
