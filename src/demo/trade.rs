//! The workload of the demo's shop: reads and writes of different cost, a queue of locks most of the time, a forgotten
//! transaction, a report that spills to disk. Each is a loop on its own session. Together they take a few per cent of
//! one core, as they mostly sleep.

use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::{Client, Error};

/// How many orders are kept, about 12 MB with indexes; the oldest are deleted.
const KEPT: i64 = 50_000;
const OFTEN: Duration = Duration::from_millis(250);
const NOW_AND_THEN: Duration = Duration::from_secs(5);
/// How long the bookkeeping keeps a row locked, and how long it then waits.
const LOCKED: Duration = Duration::from_secs(8);
const FREE: Duration = Duration::from_millis(500);

/// A program of the shop.
#[derive(Debug, Clone, Copy)]
pub(super) enum Trade {
    /// Adds orders and deletes the oldest.
    Order,
    /// Updates carts, which leaves dead rows.
    Cart,
    /// Reads single items.
    Browse,
    /// Sums over all orders.
    Report,
    /// Fetches a result larger than `work_mem` piece by piece.
    Export,
    /// Locks a row and keeps it locked for a while.
    Bill,
    /// Locks another row, then waits for the bookkeeping's.
    Ship,
    /// Waits for the shipping.
    TakeBack,
    /// Leaves a transaction open. It has only read, so vacuum is not held up.
    Forget,
    /// Runs a long report on a standby, which the replay cancels if it blocks a vacuum record.
    Analyse,
}

impl Trade {
    /// The programs that run on the primary.
    pub(super) const PRIMARY: [Self; 10] = [
        Self::Order,
        Self::Cart,
        Self::Browse,
        Self::Browse,
        Self::Report,
        Self::Export,
        Self::Bill,
        Self::Ship,
        Self::TakeBack,
        Self::Forget,
    ];

    /// Its `application_name`.
    pub(super) fn application(self) -> &'static str {
        match self {
            Self::Order => "checkout",
            Self::Cart => "carts",
            Self::Browse => "web",
            Self::Report => "report",
            Self::Export => "export",
            Self::Bill => "billing",
            Self::Ship => "shipping",
            Self::TakeBack => "returns",
            Self::Forget => "import",
            Self::Analyse => "analytics",
        }
    }

    pub(super) async fn forever(self, client: &Client) -> Result<(), Error> {
        match self {
            Self::Order => order(client).await,
            Self::Cart => cart(client).await,
            Self::Browse => browse(client).await,
            Self::Report => report(client).await,
            Self::Export => export(client).await,
            Self::Bill => bill(client).await,
            Self::Ship => ship(client).await,
            Self::TakeBack => take_back(client).await,
            Self::Forget => forget(client).await,
            Self::Analyse => analyse(client).await,
        }
    }
}

async fn order(client: &Client) -> Result<(), Error> {
    let insert = "insert into shop.orders (customer, total, note) \
                  select (random() * 999)::int, 5 + random() * 200, repeat(md5(random()::text), 2) \
                  from generate_series(1, 5) returning id";
    let insert = client.prepare(insert).await?;
    // The first items are reserved for the programs that wait for each other.
    let take =
        client.prepare("update shop.stock set amount = amount - 1 where item = 10 + (random() * 40)::int").await?;
    let trim = client.prepare("delete from shop.orders where id <= $1").await?;
    loop {
        client.batch_execute("begin").await?;
        let newest: Option<i64> = client.query(&insert, &[]).await?.last().map(|row| row.get(0));
        client.execute(&take, &[]).await?;
        client.batch_execute("commit").await?;
        if let Some(oldest) = newest.filter(|id| id % 1000 == 0).map(|id| id - KEPT).filter(|id| *id > 0) {
            client.execute(&trim, &[&oldest]).await?;
        }
        sleep(OFTEN).await;
    }
}

async fn cart(client: &Client) -> Result<(), Error> {
    let change = "update shop.carts set changed = now() \
                  where id in (select 1 + (random() * 2999)::int from generate_series(1, 10))";
    let change = client.prepare(change).await?;
    loop {
        client.execute(&change, &[]).await?;
        sleep(OFTEN).await;
    }
}

/// On a standby this fails, and is retried, until the tables have been replayed.
async fn browse(client: &Client) -> Result<(), Error> {
    let one = client.prepare("select * from shop.orders where id = $1").await?;
    let of_customer = "select id, placed, total from shop.orders where customer = $1 order by id desc limit 20";
    let of_customer = client.prepare(of_customer).await?;
    let in_stock = client.prepare("select count(*) from shop.stock where amount > 0").await?;
    loop {
        client.query(&one, &[&fastrand::i64(1..10_000)]).await?;
        client.query(&of_customer, &[&fastrand::i32(0..1000)]).await?;
        client.query(&in_stock, &[]).await?;
        sleep(OFTEN).await;
    }
}

async fn report(client: &Client) -> Result<(), Error> {
    let best =
        "select customer, sum(total) as turnover from shop.orders group by customer order by turnover desc limit 10";
    let best = client.prepare(best).await?;
    loop {
        client.query(&best, &[]).await?;
        client.batch_execute("select pg_sleep(2) /* a report that takes its time */").await?;
        sleep(NOW_AND_THEN).await;
    }
}

async fn export(client: &Client) -> Result<(), Error> {
    client.batch_execute("set work_mem = '64kB'").await?;
    loop {
        // A cursor that outlives its transaction: its rows are in a temporary file, and it blocks nothing.
        let declare = "declare export cursor with hold for select id, customer, total from shop.orders order by total";
        client.batch_execute(declare).await?;
        for _ in 0..20 {
            client.batch_execute("fetch 100 from export").await?;
            sleep(Duration::from_secs(1)).await;
        }
        client.batch_execute("close export").await?;
    }
}

async fn bill(client: &Client) -> Result<(), Error> {
    loop {
        client.batch_execute("begin; update shop.stock set amount = amount + 1 where item = 1").await?;
        client.batch_execute("select nextval('shop.invoice_number')").await?;
        sleep(LOCKED).await;
        client.batch_execute("commit").await?;
        sleep(FREE).await;
    }
}

async fn ship(client: &Client) -> Result<(), Error> {
    loop {
        client.batch_execute("begin; update shop.stock set amount = amount - 1 where item = 2").await?;
        client.batch_execute("update shop.stock set amount = amount - 1 where item = 1").await?;
        client.batch_execute("commit").await?;
        sleep(FREE).await;
    }
}

async fn take_back(client: &Client) -> Result<(), Error> {
    loop {
        sleep(FREE).await;
        client.batch_execute("update shop.stock set amount = amount + 1 where item = 2").await?;
    }
}

async fn forget(client: &Client) -> Result<(), Error> {
    client.batch_execute("begin; select count(*) from shop.stock").await?;
    std::future::pending().await
}

async fn analyse(client: &Client) -> Result<(), Error> {
    loop {
        client
            .batch_execute("select count(*), pg_sleep(7) from shop.carts where changed > now() - interval '1 hour'")
            .await?;
        sleep(FREE).await;
    }
}
