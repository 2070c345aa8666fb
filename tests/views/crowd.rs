//! Two thousand sessions on one server: pgwatch shows all of them, and they are those that psql counts.

use pgwatch::demo::Server;

use crate::live::Live;
use crate::live::picture::pictures;
use crate::states::{Row, configs, rows, same};
use crate::support::servers::{ConfigFile, cluster};
use crate::support::watched::blocking;

/// As many sessions as a large server has: the screen shows them, and the rows are those that psql counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_sessions_are_shown_and_counted() {
    let cluster = blocking(|| {
        // Without a password, whose check takes both sides ten times as long as the rest of a login.
        let cluster = cluster().hba("host all app 127.0.0.1/32 trust").config("autovacuum", "off");
        cluster.config("max_connections", "2050").start().unwrap()
    });
    let server = cluster.primary();
    let mut crowd = Vec::new();
    while crowd.len() < 2000 {
        crowd.push(idle_session(server).await);
    }
    let mut live = Live::start(configs(&cluster));
    let hidden = |frame: &str| frame.contains(" rows are hidden");
    pictures(&mut live, "crowd", "3", &[], &[("application", &["crowd"])], hidden).await;
    live.press("iG");
    live.until("the last of them", |frame| frame.contains("–2,0")).await;
    let config = ConfigFile::new("", [server]);
    let told = blocking(|| rows(&config, "activity").remove("primary").unwrap());
    let of_crowd: Vec<Row> = told.into_iter().filter(|row| row["application"] == "crowd").collect();
    let by_psql = "select pid, state from pg_stat_activity where application_name = 'crowd'";
    blocking(|| same(server, &of_crowd, &["pid", "state"], by_psql));
    live.watched.stop().await;
    drop(crowd);
}

/// An idle session that lasts until its client is dropped.
async fn idle_session(server: &Server) -> tokio_postgres::Client {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(server.port()).user("app").dbname("postgres").application_name("crowd");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    #[allow(clippy::disallowed_methods, reason = "it ends with its client")]
    tokio::spawn(connection);
    client.simple_query("select 1").await.unwrap();
    client
}
