//! What pgwatch computes from answers: rates of counters, and the lag, which is nothing on a quiet cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use pgwatch::config::views;
use pgwatch::connection::{ConnectionManager, ManagerConfig};
use pgwatch::demo::{Cluster, Server};
use pgwatch::model::protocol::{Look, ViewRows};
use pgwatch::model::view::{Moment, Reading, Source};
use pgwatch::model::{Command, EventKind, NodeConfig};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::PATIENCE;
use crate::states::{rows, text, until};
use crate::support::servers::ConfigFile;
use crate::support::wait::{SOON, wait_for};
use crate::support::watched::blocking;
use crate::versions::installs;

/// What was answered when, by view and node.
type Answers = BTreeMap<(String, String), (SystemTime, Arc<ViewRows>)>;

/// Asks all views of these servers twice, and computes each rate again from the two values of its counter. Returns how
/// many rates there were, and those that are wrong.
pub(super) async fn rates(servers: &[&Server]) -> (usize, Vec<String>) {
    let nodes: Vec<NodeConfig> = servers.iter().map(|server| server.node_config()).collect();
    let (handle, mut events) = ConnectionManager::start(ManagerConfig::new(nodes.clone()));
    let looks = views::ours().values().map(|view| Look { view: Arc::clone(view), nodes: None, pace: None }).collect();
    handle.send(Command::Look(looks)).await.unwrap();
    let mut answers: [Answers; 2] = Default::default();
    for answers in &mut answers {
        let (begun, deadline) = (SystemTime::now(), Instant::now() + PATIENCE);
        let mut told = BTreeSet::new();
        handle.send(Command::LookNow).await.unwrap();
        while told.len() < nodes.len() * views::ours().len() {
            let Ok(Some(event)) = timeout_at(deadline, events.recv()).await else { break };
            if let EventKind::View { node, view, outcome } = event.kind
                && event.at >= begun
            {
                let asked = (view.to_string(), node.to_string());
                told.insert(asked.clone());
                drop(outcome.map(|answer| answers.insert(asked, (event.at, answer))));
            }
        }
    }
    handle.shutdown(false).await;
    let [first, last] = answers;
    let mut faults = Vec::new();
    let mut computed = 0;
    for (asked, (at, answer)) in &last {
        let (view, Some((before_at, before))) = (&views::ours()[&asked.0], first.get(asked)) else { continue };
        let before = Reading::new(view, Moment::same(*before_at), Arc::clone(before), None);
        let now = Reading::new(view, Moment::same(*at), Arc::clone(answer), Some(&before));
        let seconds = at.duration_since(*before_at).unwrap().as_secs_f64();
        let earlier: BTreeMap<String, usize> = (0..before.len()).map(|row| (before.key(view, row), row)).collect();
        for (column, of) in view.columns.iter().enumerate().filter_map(|(column, each)| match each.source {
            Source::Rate { of } => Some((column, of)),
            _ => None,
        }) {
            for row in 0..now.len() {
                let was = earlier.get(&now.key(view, row)).and_then(|row| before.value(view, *row, of).number());
                let change = now.value(view, row, of).number().zip(was).map(|(is, was)| is - was);
                let right = change.filter(|change| *change >= 0.0).map(|change| change / seconds);
                let told = now.value(view, row, column).number();
                computed += usize::from(told.is_some());
                let same = match (told, right) {
                    (Some(told), Some(right)) => (told - right).abs() <= right.abs() * 1e-6,
                    (told, right) => told == right,
                };
                if !same {
                    faults.push(format!("{asked:?}: {} is {told:?}, not {right:?}", view.columns[column].name));
                }
            }
        }
    }
    (computed, faults)
}

/// Nothing is written, so that nobody is behind: by pgwatch as by psql.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_cluster_has_no_lag() {
    for install in installs() {
        blocking(|| {
            let cluster = Cluster::builder().install(install).standbys(1).cascade().start().unwrap();
            let config = ConfigFile::new("", cluster.servers());
            let primary = cluster.primary();
            primary.psql("create table t as select 1 as id; checkpoint").unwrap();
            let lags: [(&str, &[&str], &[&str]); 3] = [
                ("receivers", &["standby1", "cascade1"], &["replay_lag_ms", "behind_bytes"]),
                ("senders", &["primary", "standby1"], &["replay_lag_ms"]),
                ("topology", &["primary", "standby1"], &["lag_bytes", "lag_ms"]),
            ];
            for (view, nodes, columns) in lags {
                // A server writes WAL by itself now and then.
                wait_for(&format!("no lag in {view}"), SOON, || {
                    let end = primary.psql("select pg_current_wal_lsn()").unwrap();
                    for standby in &cluster.servers()[1..] {
                        until(standby, "the end of WAL", &format!("select pg_last_wal_replay_lsn() >= '{end}'"));
                    }
                    let told = rows(&config, view);
                    let none = nodes.iter().all(|node| {
                        let of_sender =
                            |row: &BTreeMap<String, Value>| view != "topology" || text(&row["kind"]) == "sender";
                        let mut lines = told[*node].iter().filter(|row| of_sender(row)).peekable();
                        lines.peek().is_some()
                            && lines.all(|row| {
                                columns.iter().all(|column| ["0", "0.0"].contains(&text(&row[*column]).as_str()))
                                    && row.get("why").is_none_or(Value::is_null)
                            })
                    });
                    none.then_some(())
                });
            }
        });
    }
}
