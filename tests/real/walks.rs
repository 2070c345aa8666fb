//! Two walks through the whole program, each through its real parts: what a key does, and what a dying node does.
//! A key -> `app::update` -> the connection manager -> a real server -> an event -> `app::update` -> `tui::draw`.

use pgwatch::app::Effect;
use pgwatch::fleet::nodes::Figures;
use pgwatch::model::{Command, HealthState, NodeConfig};

use crate::live::{Live, row};
use crate::support::servers::{assert_no_sessions, cluster};
use crate::support::wait::SOON;
use crate::support::watched::{blocking, name};

fn healthy(frame: &str) -> usize {
    frame.lines().filter(|line| line.contains("● healthy")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_becomes_rows_on_the_screen() {
    let cluster = blocking(|| cluster().standbys(1).start().unwrap());
    let nodes: Vec<NodeConfig> = cluster.servers().iter().map(pgwatch::demo::Server::node_config).collect();
    let mut live = Live::start(nodes);
    live.until("both nodes healthy", |frame| healthy(frame) == 2).await;

    let asked = live.press(":select 41 + 1 as answer, pg_is_in_recovery() as standby<enter>");
    let request = asked.iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(request)) => Some(request),
        _ => None,
    });
    let request = request.expect("the key asks for a run");
    assert_eq!(request.nodes, [name("primary"), name("standby1")]);
    assert_eq!(request.statement, "select 41 + 1 as answer, pg_is_in_recovery() as standby");

    live.press("9");
    let frame = live.until("both answers", |frame| frame.contains("2 of 2 answered")).await;
    // Its line has the node on the left and its own answer on the right.
    let answer = |node: &str| {
        let lines: Vec<&str> =
            frame.lines().filter(|line| line.trim_start_matches(['│', ' ', '▸']).starts_with(node)).collect();
        (*lines.last().unwrap_or(&"")).to_owned()
    };
    assert!(frame.contains("answer") && frame.contains("standby"), "{frame}");
    for (node, recovery) in [("primary", " f "), ("standby1", " t ")] {
        assert!(answer(node).contains(" 42 ") && answer(node).contains(recovery), "{node}\n{frame}");
    }
    live.watched.stop().await;
    blocking(|| cluster.servers().iter().for_each(|server| assert_no_sessions(server, SOON)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dying_node_says_so_on_the_screen() {
    let cluster = blocking(|| cluster().standbys(1).start().unwrap());
    let nodes: Vec<NodeConfig> = cluster.servers().iter().map(pgwatch::demo::Server::node_config).collect();
    let standby = cluster.server("standby1");
    let address = standby.node_config().address();
    let mut live = Live::start(nodes);
    live.until("both nodes healthy", |frame| healthy(frame) == 2).await;
    // With figures, so that some can become stale.
    let fresh = |frame: &str| row(frame, "standby1").contains("/60");
    live.until("figures of the standby", fresh).await;

    blocking(|| standby.kill().unwrap());
    let refused = format!("connection refused by {address}");
    let told = |frame: &str| {
        let row = row(frame, "standby1");
        // The state, since when, why, and the next try.
        row.contains("✖ down ") && row.contains(&refused) && row.contains(" · try ") && row.contains(" in ")
    };
    let frame = live.until("state, reason and the next try", told).await;
    assert!(!row(&frame, "standby1").contains("/60"), "a dead node shows no figures as if they were new:\n{frame}");
    assert_eq!(healthy(&frame), 1, "{frame}");
    assert!(frame.contains("✖ 1"), "{frame}");

    // The state in memory: the node's figures are kept and marked as stale.
    let app = &live.scene.app;
    let node = app.picture().nodes.get(&name("standby1")).unwrap();
    assert!(matches!(node.health.state, HealthState::Unhealthy | HealthState::Reconnecting));
    assert!(matches!(node.figures(app.picture().at, app.fleet.refresh), Figures::Stale(..)));

    // The node's page: since when, and how old the figures are.
    live.press("j<enter>");
    let at_length = |frame: &str| {
        ["✖ down", "since ", "figures of ", " ago", &refused, "try "].iter().all(|word| frame.contains(word))
    };
    live.until("since when and stale figures", at_length).await;

    // The journal has the whole story, in one line and its details.
    live.press("0");
    live.until("the journal", |frame| frame.contains(&format!("{refused}; "))).await;
    live.press("/what=down<enter><enter>");
    let frame = live.until("its details", |frame| frame.contains("connection lost")).await;
    let at = |what: &str| frame.lines().position(|line| line.contains(what));
    let (degraded, unhealthy) = (at("healthy → degraded"), at("degraded → unhealthy"));
    assert!(degraded.is_some() && degraded < unhealthy, "{frame}");

    // The node recovers by itself.
    blocking(|| standby.start().unwrap());
    live.press("1");
    live.until("healthy again with new figures", |frame| healthy(frame) == 2 && fresh(frame)).await;
    live.watched.stop().await;
    blocking(|| cluster.servers().iter().for_each(|server| assert_no_sessions(server, SOON)));
}
