//! What the manager reports is what the screen shows: a stale figure never looks fresh, an unknown one is never 0.

use std::sync::Arc;
use std::time::Duration;

use pgwatch::app::{Effect, Msg, Pane, Reread, update};
use pgwatch::fleet::Severity;
use pgwatch::fleet::nodes::Figures;
use pgwatch::model::protocol::DisconnectReason;
use pgwatch::model::{Command, ErrorKind, EventKind, Facts, HealthState, NodeConfig, NodeError, Role, ServerFacts};

use super::dashboard::{Dashboard, name};

fn facts(dashboard: &Dashboard, commits: u64) -> Arc<Facts> {
    Arc::new(Facts {
        connections: Some(12),
        max_connections: Some(100),
        commits: Some(commits),
        rollbacks: Some(0),
        ..Facts::unknown(Role::Primary, dashboard.now())
    })
}

fn tell_facts(dashboard: &mut Dashboard, commits: u64) {
    let facts = facts(dashboard, commits);
    dashboard.tell(EventKind::Facts { node: name("primary"), facts: Ok(facts) });
}

#[test]
fn stale_figures_are_marked_as_old() {
    let mut dashboard = Dashboard::healthy();
    let refresh = Duration::from_secs(1);
    let figures = |dashboard: &Dashboard| {
        let picture = dashboard.app.picture();
        match picture.nodes.get(&name("primary")).unwrap().figures(picture.at, refresh) {
            Figures::Fresh(_) => "fresh".to_owned(),
            Figures::Stale(_, age) => format!("{} s old", age.as_secs()),
            Figures::Unknown => "unknown".to_owned(),
        }
    };
    assert_eq!(figures(&dashboard), "unknown");
    assert_eq!(dashboard.app.picture().nodes.transactions(dashboard.now(), refresh), None);
    tell_facts(&mut dashboard, 100);
    assert_eq!(figures(&dashboard), "fresh");
    dashboard.wait(2);
    tell_facts(&mut dashboard, 300);
    assert_eq!(dashboard.app.picture().nodes.transactions(dashboard.now(), refresh), Some(100.0));
    dashboard.wait(4);
    assert_eq!(figures(&dashboard), "4 s old", "no refresh came");
    tell_facts(&mut dashboard, 300);
    dashboard.health("primary", HealthState::Unhealthy, None);
    assert_eq!(figures(&dashboard), "0 s old", "the node is gone");
    assert_eq!(dashboard.app.picture().nodes.transactions(dashboard.now(), refresh), None);
}

/// N1: later figures may wait for a common frame, but the first ones of a node are what a person waits for.
#[test]
fn the_first_figures_of_a_node_are_drawn_at_once_n1() {
    let mut dashboard = Dashboard::healthy();
    let refresh = |dashboard: &Dashboard, node| EventKind::Facts { node: name(node), facts: Ok(facts(dashboard, 1)) };
    assert!(dashboard.app.awaits(&refresh(&dashboard, "primary")));
    tell_facts(&mut dashboard, 1);
    assert!(!dashboard.app.awaits(&refresh(&dashboard, "primary")), "it has figures");
    assert!(dashboard.app.awaits(&refresh(&dashboard, "replica")), "the other one has none yet");
    let denied = NodeError::new(ErrorKind::Permission, "permission denied for view");
    dashboard.tell(EventKind::Facts { node: name("replica"), facts: Err(denied) });
    assert!(!dashboard.app.awaits(&refresh(&dashboard, "replica")), "why there are none is told");
    assert!(!dashboard.app.awaits(&refresh(&dashboard, "unheard-of")));
}

#[test]
fn a_failed_refresh_keeps_the_old_figures_and_is_reported_once() {
    let mut dashboard = Dashboard::healthy();
    tell_facts(&mut dashboard, 1);
    let error = NodeError::new(ErrorKind::Permission, "permission denied for view");
    for _ in 0..3 {
        dashboard.tell(EventKind::Facts { node: name("primary"), facts: Err(error.clone()) });
    }
    let lines = dashboard.app.picture().journal.iter().filter(|line| line.what == "no figures").count();
    assert_eq!(lines, 1);
    let node = dashboard.app.selected().unwrap();
    assert_eq!(node.facts_error.as_ref(), Some(&error));
    assert!(node.facts.is_some());
    tell_facts(&mut dashboard, 2);
    assert!(dashboard.app.selected().unwrap().facts_error.is_none());
}

#[test]
fn the_counts_and_the_journal_follow_an_outage() {
    let mut dashboard = Dashboard::healthy();
    let counts = dashboard.app.picture().nodes.counts();
    assert_eq!((counts.healthy, counts.degraded, counts.down), (3, 0, 0));
    let error = NodeError::new(ErrorKind::Refused, "connection refused by 10.0.0.1:5432");
    dashboard.tell(EventKind::Disconnected { node: name("replica"), reason: DisconnectReason::Error(error.clone()) });
    assert_eq!(dashboard.newest(), "replica: connection lost: connection refused by 10.0.0.1:5432");
    dashboard.health("replica", HealthState::Unhealthy, Some(error));
    assert_eq!(dashboard.newest(), "replica: down: connection refused by 10.0.0.1:5432; 3 probes missed");
    let entry = dashboard.app.picture().journal.newest().unwrap().clone();
    assert_eq!(
        entry.steps.iter().map(|step| step.what.as_str()).collect::<Vec<_>>(),
        ["connection lost", "healthy → unhealthy"],
        "one kill is one line"
    );
    dashboard.wait(14);
    let picture = dashboard.app.picture();
    let node = picture.nodes.get(&name("replica")).unwrap();
    assert_eq!(node.down_for(picture.at), Some(Duration::from_secs(14)));
    assert_eq!(picture.nodes.counts().down, 1);
    let worst: Vec<_> = node.history.seconds().iter().map(|second| second.state).collect();
    assert!(worst.len() >= 14 && worst.iter().all(|state| *state == HealthState::Unhealthy), "{worst:?}");
    dashboard.connect("replica", Role::Standby);
    assert_eq!(dashboard.newest(), "replica: connected: in 6.0 ms, PostgreSQL 17.2, standby; down for 14 s");
    dashboard.health("replica", HealthState::Healthy, None);
    assert_eq!(dashboard.app.picture().journal.newest().unwrap().severity, Severity::Good);
}

#[test]
fn nodes_come_and_go_while_it_runs() {
    let mut dashboard = Dashboard::healthy();
    dashboard.press("j");
    dashboard.tell(EventKind::NodeAdded { node: Box::new(NodeConfig::new(name("fourth"), "h")) });
    assert_eq!(dashboard.rows(), ["primary", "replica", "reporting", "fourth"]);
    assert_eq!(dashboard.newest(), "fourth: node added: h:5432/postgres");
    let told = dashboard.app.picture().journal.len();
    dashboard.tell(EventKind::NodeAdded { node: Box::new(NodeConfig::new(name("primary"), "h")) });
    assert_eq!(dashboard.app.picture().journal.len(), told, "the nodes of the start are not news");
    dashboard.tell(EventKind::NodeRemoved { node: name("primary"), sessions_closed: 2, cancelled: 1 });
    assert_eq!(dashboard.newest(), "primary: node removed: 2 sessions closed, 1 query cancelled");
    assert_eq!((dashboard.rows()[0], dashboard.selected()), ("replica", "replica"));
}

/// A node that is removed while its page is open closes the page, which arranges the entries again.
#[test]
fn an_entry_is_listed_once_whatever_else_its_event_changes() {
    let mut dashboard = Dashboard::healthy();
    dashboard.press("/primary<enter><enter>dy");
    dashboard.tell(EventKind::NodeRemoved { node: name("primary"), sessions_closed: 2, cancelled: 1 });
    assert_eq!(dashboard.listed("node removed"), 1);
}

#[test]
fn removing_asks_first_and_selects_no() {
    for (keys, removed) in
        [("d<enter>", 0), ("dn", 0), ("d<esc>", 0), ("dy", 1), ("d<tab><enter>", 1), ("d<left><enter>", 1)]
    {
        let mut dashboard = Dashboard::healthy();
        let commands = dashboard.press(keys);
        assert_eq!(commands, vec![Command::RemoveNode(name("primary")); removed], "{keys}");
        assert!(dashboard.app.dialog.is_none(), "{keys}");
    }
    let mut dashboard = Dashboard::healthy();
    dashboard.press("<space><space>d");
    let pgwatch::app::Dialog::Confirm(confirm) = dashboard.app.dialog.clone().unwrap() else { panic!("no question") };
    assert_eq!(confirm.title(), "Remove 2 nodes?");
    assert_eq!(confirm.lines()[0], "primary, replica");
}

#[test]
fn the_events_screen_stays_with_the_selected_line() {
    let mut dashboard = Dashboard::healthy();
    dashboard.press("0");
    let newest = |dashboard: &Dashboard| dashboard.app.events_table.selected().copied();
    assert_eq!(newest(&dashboard), Some(3), "the newest is on top");
    dashboard.health("primary", HealthState::Degraded, None);
    assert_eq!(newest(&dashboard), Some(4), "at the top the newest stays selected");
    dashboard.press("j");
    dashboard.health("primary", HealthState::Healthy, None);
    assert_eq!(newest(&dashboard), Some(3), "below it the line is held");
    dashboard.press("f");
    assert_eq!(newest(&dashboard), Some(5));
    dashboard.press("!");
    assert_eq!(dashboard.app.events_table.rows, [4], "problems only");
    dashboard.health("replica", HealthState::Unhealthy, None);
    assert_eq!(dashboard.app.events_table.rows, [6, 4]);
    dashboard.press("<esc>/node:replica<enter>");
    assert_eq!(dashboard.app.events_table.rows, [6, 2]);
}

#[test]
fn the_detail_screen_shows_only_its_node() {
    let mut dashboard = Dashboard::healthy();
    dashboard.press("<enter>");
    assert_eq!(dashboard.app.events_table.rows, [1]);
    dashboard.press("]");
    assert_eq!(dashboard.app.events_table.rows, [2]);
    dashboard.health("reporting", HealthState::Degraded, None);
    dashboard.health("replica", HealthState::Degraded, None);
    assert_eq!(dashboard.app.events_table.rows, [5, 2]);
}

#[test]
fn a_file_that_became_invalid_changes_nothing() {
    let mut dashboard = Dashboard::healthy();
    let effects = update(&mut dashboard.app, Msg::Reloaded(Err(vec!["x.yaml:3:1: unknown key".to_owned()])));
    assert!(effects.is_empty());
    assert_eq!(dashboard.app.reload_errors.len(), 1);
    let nodes = vec![NodeConfig::new(name("only"), "h")];
    let mut reread = Reread {
        cluster: None,
        nodes: nodes.clone(),
        query_timeout: Duration::from_secs(7),
        thresholds: dashboard.app.fleet.thresholds.clone(),
        template: NodeConfig::new(name("any"), "h"),
        refresh: None,
        theme: None,
    };
    let (refresh, theme) = (dashboard.app.fleet.refresh, dashboard.app.theme.clone());
    let effects = update(&mut dashboard.app, Msg::Reloaded(Ok(Box::new(reread.clone()))));
    assert_eq!(effects, [Effect::Send(Command::Reload(nodes.clone()))]);
    assert!(dashboard.app.reload_errors.is_empty());
    assert_eq!(dashboard.app.query_timeout, Duration::from_secs(7));
    assert_eq!((dashboard.app.fleet.refresh, &dashboard.app.theme), (refresh, &theme), "what keys chose stays");
    let slow = Duration::from_secs(5);
    (reread.refresh, reread.theme) = (Some(slow), Some("light".to_owned()));
    let effects = update(&mut dashboard.app, Msg::Reloaded(Ok(Box::new(reread))));
    assert_eq!(effects, [Effect::Send(Command::Reload(nodes)), Effect::Send(Command::SetRefresh(slow))]);
    assert_eq!((dashboard.app.fleet.refresh, dashboard.app.theme.as_str()), (slow, "light"));
    assert_eq!(dashboard.rows().len(), 3, "the manager's events change the rows");
}

#[test]
fn a_frame_is_drawn_only_if_the_picture_changed() {
    let mut dashboard = Dashboard::healthy();
    dashboard.draw(Pane::Nodes, 10);
    dashboard.app.take_dirty();
    dashboard.draw(Pane::Nodes, 10);
    assert!(!dashboard.app.take_dirty(), "a frame does not ask for the next one");
    let now = dashboard.now();
    update(&mut dashboard.app, Msg::Tick(now + Duration::from_millis(100)));
    assert!(!dashboard.app.take_dirty(), "the clock shows seconds");
    dashboard.wait(1);
    assert!(dashboard.app.take_dirty());
}

#[test]
fn a_full_channel_loses_nothing_that_matters() {
    let mut dashboard = Dashboard::healthy();
    let command = dashboard.press("<ctrl-c>").remove(0);
    assert_eq!(command, Command::Shutdown { drain: false });
    update(&mut dashboard.app, Msg::Busy(Box::new(command.clone())));
    assert_eq!(dashboard.wait(1), [Effect::Send(command)]);
    assert_eq!(dashboard.wait(1), []);
}

/// Every session is warned of the same: an entry is written for what is new.
#[test]
fn what_a_server_warns_of_at_the_login_is_said_once() {
    let mut dashboard = Dashboard::healthy();
    let mut said = |warnings: &[&str]| {
        let login_warnings = warnings.iter().map(|&warning| warning.to_owned()).collect();
        let server = Arc::new(ServerFacts { login_warnings, ..ServerFacts::default() });
        let before = dashboard.app.picture().journal.newest_seq();
        dashboard.tell(EventKind::Server { node: name("primary"), server });
        let journal = &dashboard.app.picture().journal;
        (journal.newest_seq() > before).then(|| {
            let line = journal.newest().unwrap();
            assert_eq!((line.severity, line.what.as_str()), (Severity::Warning, "warning at login"));
            line.text.clone()
        })
    };
    assert_eq!(said(&[]), None);
    assert_eq!(said(&["old", "expires"]).as_deref(), Some("old; expires"));
    assert_eq!(said(&["old", "expires"]), None);
    assert_eq!(said(&["old", "expires today"]).as_deref(), Some("expires today"));
}

/// The cluster that answers is not the one that was watched: a restore, or a wrong address. Said once, and shown on the
/// node's page from then on.
#[test]
fn another_cluster_at_the_same_address_is_reported() {
    let mut dashboard = Dashboard::healthy();
    dashboard.tell(EventKind::Replaced { node: name("primary"), was: 7, now: 8 });
    let line = dashboard.app.picture().journal.newest().unwrap();
    assert_eq!((line.severity, line.what.as_str()), (Severity::Warning, "another cluster"));
    assert!(line.text.contains("to 8") && line.text.contains("from 7"), "{}", line.text);
    let replaced = |dashboard: &Dashboard| dashboard.app.picture().nodes.get(&name("primary")).unwrap().replaced;
    assert_eq!(replaced(&dashboard).map(|(_, was)| was), Some(7));
    // A different address may well be a different cluster.
    let config = NodeConfig::new(name("primary"), "10.0.0.2");
    dashboard.tell(EventKind::NodeEdited { node: Box::new(config) });
    assert_eq!(replaced(&dashboard), None);
}
