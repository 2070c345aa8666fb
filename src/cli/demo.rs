//! `pgwatch demo`: a real primary with two standbys, a logical subscriber and a load, created in a temporary folder and
//! removed at the end.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::args::{DashboardOptions, exit};
use super::console::{Exit, block_on, complain, print_with};
use super::dashboard;
use super::status;
use crate::config::alerts::Rules;
use crate::config::{Config, Environment};
use crate::demo::{Server, Shop, faults};
use crate::output::status::StatusDocument;
use crate::run::signals::Signals;

/// How long the nodes may take to become healthy when there is no dashboard that shows their progress.
const PATIENCE: Duration = Duration::from_mins(1);
const STOPPING: Duration = Duration::from_secs(1);
const ASK_AGAIN: Duration = Duration::from_millis(200);
const NO_STATEMENTS: &str = "The screen Statements stays empty: this PostgreSQL has no pg_stat_statements (Debian, Ubuntu: \
                             apt-get install postgresql-contrib; Fedora: dnf install postgresql-contrib).";

pub(super) fn run(with_faults: bool, options: &DashboardOptions) -> Result<u8, Exit> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        dashboard::can_draw(&Environment::of_process())?;
    }
    block_on(async {
        let mut signals = Signals::listen()?;
        complain("Starting a PostgreSQL primary, two standbys and a subscriber in a temporary folder ...");
        let shop = tokio::select! {
            opened = tokio::task::spawn_blocking(Shop::open) => {
                opened?.map_err(|error| Exit::Failed(format!("pgwatch demo: {error}")))?
            }
            // The servers have a guard that ends them with this process.
            _ = signals.next() => return Ok(exit::OK),
        };
        if !shop.has_statements() {
            complain(NO_STATEMENTS);
        }
        let background = Background::start(&shop, with_faults);
        let config = Config {
            nodes: shop.servers().map(Server::node_config).collect(),
            cluster: Some("demo".to_owned()),
            ..Config::default()
        };
        let code = if io::stdin().is_terminal() && io::stdout().is_terminal() {
            // The dashboard listens to signals itself.
            drop(signals);
            dashboard::open(config, options, None).await
        } else {
            tokio::select! {
                code = print_status_once(&config) => code,
                _ = signals.next() => Ok(exit::OK),
            }
        };
        background.stop().await;
        tokio::task::spawn_blocking(move || drop(shop)).await?;
        code
    })?
}

/// Prints the status once all nodes are healthy: without a terminal there is no dashboard to open.
async fn print_status_once(config: &Config) -> Result<u8, Exit> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Without rules of alerts: what they would find is part of the demo, not a failure of it.
        let asked = match status::ask(config, Rules::new()).await? {
            Ok(asked) => asked,
            Err(_signalled) => return Ok(exit::OK),
        };
        let document = StatusDocument::new(SystemTime::now(), config.cluster.as_deref(), &asked);
        let is_healthy = status::exit_code(&document) == exit::OK;
        if is_healthy || Instant::now() > deadline {
            print_with(|out| document.write_table(out, false))?;
            return Ok(if is_healthy { exit::OK } else { exit::FAILED });
        }
        sleep(ASK_AGAIN).await;
    }
}

/// The load and the faults of the demo cluster, as tasks.
struct Background {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Background {
    fn start(demo: &Shop, with_faults: bool) -> Self {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(demo.load().run(stop.clone()));
        if with_faults {
            tasks.spawn(faults::rota(Arc::clone(demo.cluster()), stop.clone()));
        }
        Self { tasks, stop }
    }

    async fn stop(mut self) {
        self.stop.cancel();
        // Does not wait for a server that is just starting: the cluster's guard ends it with this process.
        let _ = timeout(STOPPING, async { while self.tasks.join_next().await.is_some() {} }).await;
    }
}
