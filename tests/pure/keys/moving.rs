//! Moving, marking, filtering, sorting, freezing, going back.

use std::time::Duration;

use pgwatch::app::{Effect, Mouse, MouseKind, Msg, Pane, Rect, Screen, update};
use pgwatch::model::{Command, HealthState};

use super::dashboard::{Dashboard, name};

#[test]
fn keys_move_the_selection_and_it_stays_on_every_screen() {
    for (keys, selected) in [
        ("", "primary"),
        ("j", "replica"),
        ("jjjj", "reporting"),
        ("G", "reporting"),
        ("Gk", "replica"),
        ("<end><home>", "primary"),
        ("<pgdn>", "reporting"),
        ("]", "replica"),
        ("<enter>]", "replica"),
        ("<enter>]]<esc>", "reporting"),
    ] {
        let mut dashboard = Dashboard::healthy();
        dashboard.press(keys);
        assert_eq!(dashboard.selected(), selected, "{keys}");
    }
}

#[test]
fn keys_lead_to_every_screen_and_pane() {
    for (keys, screen, pane) in [
        ("", Screen::Nodes, Pane::Nodes),
        ("<tab>", Screen::Nodes, Pane::Summary),
        ("<shift-tab>", Screen::Nodes, Pane::Events),
        ("<tab><tab><enter>", Screen::Query, Pane::Editor),
        ("<enter>", Screen::Detail, Pane::Summary),
        ("<enter>q", Screen::Nodes, Pane::Nodes),
        ("9", Screen::Query, Pane::Editor),
        ("9<esc>", Screen::Query, Pane::Result),
        ("9<esc><esc>", Screen::Nodes, Pane::Nodes),
        ("0", Screen::Events, Pane::Events),
        ("0<enter>", Screen::Detail, Pane::Summary),
        ("01", Screen::Nodes, Pane::Nodes),
        (":ev<enter>", Screen::Events, Pane::Events),
        (":node replica<enter>", Screen::Detail, Pane::Summary),
    ] {
        let mut dashboard = Dashboard::healthy();
        dashboard.press(keys);
        assert_eq!((dashboard.app.screen, dashboard.app.pane), (screen, pane), "{keys}");
    }
}

#[test]
fn escape_goes_back_one_thing_at_a_time() {
    let mut dashboard = Dashboard::healthy();
    dashboard.press(":select 1<enter>1");
    dashboard.press("<space>/r<enter>z");
    assert!(matches!(dashboard.press("<esc>")[..], [Command::CancelBatch(_)]), "the running query first");
    assert!(dashboard.app.zoomed);
    dashboard.press("<esc>");
    assert!(!dashboard.app.zoomed, "then the zoom");
    assert!(!dashboard.app.nodes_table.filter.is_empty());
    dashboard.press("<esc>");
    assert!(dashboard.app.nodes_table.filter.is_empty(), "then the filter");
    assert_eq!(dashboard.app.nodes_table.marks.len(), 1);
    dashboard.press("<esc>");
    assert!(dashboard.app.nodes_table.marks.is_empty(), "then the marks");
    assert!(dashboard.effects("<esc><esc>").is_empty(), "at the top nothing");
    assert_eq!(dashboard.app.leaving, None);
}

#[test]
fn the_filter_works_while_it_is_typed_and_escape_takes_it_back() {
    let mut dashboard = Dashboard::healthy();
    dashboard.press("/^rep");
    assert_eq!(dashboard.rows(), ["replica", "reporting"]);
    dashboard.press("l");
    assert_eq!(dashboard.rows(), ["replica"]);
    dashboard.press("<esc>");
    assert_eq!(dashboard.rows().len(), 3);
    dashboard.press("/!name:rep<enter>");
    assert_eq!(dashboard.rows(), ["primary"]);
    assert_eq!(dashboard.app.nodes_table.hidden(), 2);
}

#[test]
fn only_nodes_with_problems_are_shown_on_request() {
    let mut dashboard = Dashboard::healthy();
    dashboard.health("replica", HealthState::Degraded, None);
    dashboard.press("!");
    assert_eq!(dashboard.rows(), ["replica"]);
    dashboard.health("reporting", HealthState::Unhealthy, None);
    dashboard.draw(Pane::Nodes, 10);
    assert_eq!(dashboard.rows(), ["replica", "reporting"], "once a frame, however many nodes changed");
    dashboard.press("!");
    assert_eq!(dashboard.rows(), ["primary", "replica", "reporting"]);
}

#[test]
fn rows_keep_their_place_until_a_sort_is_chosen() {
    let mut dashboard = Dashboard::healthy();
    dashboard.health("reporting", HealthState::Unhealthy, None);
    assert_eq!(dashboard.rows(), ["primary", "replica", "reporting"]);
    dashboard.press("ss");
    assert_eq!(dashboard.app.nodes_table.sort.map(|sort| sort.column), Some(1));
    dashboard.press(">");
    assert_eq!(dashboard.rows(), ["reporting", "primary", "replica"], "by state, the worst first");
    assert_eq!(dashboard.selected(), "primary", "the selection follows its row");
    dashboard.press("S");
    assert_eq!(dashboard.rows(), ["primary", "replica", "reporting"]);
}

#[test]
fn actions_apply_to_the_marked_nodes_or_else_to_the_selected_one() {
    let mut dashboard = Dashboard::healthy();
    assert_eq!(dashboard.press("r"), [Command::Retry(name("primary"))]);
    dashboard.press("g<space>j<space>");
    assert_eq!(dashboard.press("r"), [Command::Retry(name("primary")), Command::Retry(name("reporting"))]);
    assert_eq!(dashboard.press("P"), [Command::Pause(name("primary")), Command::Pause(name("reporting"))]);
    assert_eq!(dashboard.press("<enter>r"), [Command::Retry(name("reporting"))], "the detail screen is about one node");
}

#[test]
fn a_paused_node_is_resumed_by_the_same_key() {
    let mut dashboard = Dashboard::healthy();
    dashboard.health("primary", HealthState::Disconnected, None);
    assert_eq!(dashboard.press("P"), [Command::Pause(name("primary"))], "disconnected is not paused");
    let mut health = dashboard.app.selected().unwrap().health.clone();
    std::sync::Arc::make_mut(&mut health).paused = true;
    dashboard.tell(pgwatch::model::EventKind::Checked { node: name("primary"), health });
    assert!(dashboard.hints().contains("P resume"));
    assert_eq!(dashboard.press("P"), [Command::Resume(name("primary"))]);
}

#[test]
fn the_refresh_changes_in_steps_within_limits() {
    let mut dashboard = Dashboard::healthy();
    assert_eq!(dashboard.press("+"), [Command::SetRefresh(Duration::from_secs(2))]);
    assert_eq!(dashboard.press("---"), [1_000, 500, 250].map(|ms| Command::SetRefresh(Duration::from_millis(ms))));
    assert_eq!(dashboard.press("-"), []);
    assert_eq!(dashboard.press(":refresh 700ms<enter>"), [Command::SetRefresh(Duration::from_millis(700))]);
    assert_eq!(dashboard.press(":refresh 2m<enter>"), []);
    assert!(dashboard.app.prompt.as_ref().unwrap().error.as_ref().unwrap().contains("250ms"));
}

#[test]
fn a_frozen_picture_does_not_change_while_events_arrive() {
    let mut dashboard = Dashboard::healthy();
    dashboard.wait(1);
    let frozen_at = dashboard.now();
    dashboard.press("p");
    dashboard.wait(5);
    dashboard.health("replica", HealthState::Unhealthy, None);
    assert_eq!(dashboard.app.frozen_since(), Some(frozen_at));
    assert_eq!(dashboard.app.picture().at, frozen_at);
    assert_eq!(dashboard.app.picture().nodes.counts().healthy, 3);
    assert_eq!(dashboard.app.now, dashboard.now());
    dashboard.press("jp");
    assert_eq!(dashboard.app.picture().nodes.counts().healthy, 2);
    assert_eq!(dashboard.selected(), "replica", "moving works meanwhile");
}

#[test]
fn a_password_is_never_copied() {
    let mut dashboard = Dashboard::healthy();
    assert_eq!(dashboard.effects("y"), [Effect::Copy("postgresql://postgres@10.0.0.1:5432/postgres".to_owned())]);
}

#[test]
fn the_mouse_selects_and_scrolls() {
    let mut dashboard = Dashboard::healthy();
    dashboard.draw(Pane::Nodes, 10);
    update(&mut dashboard.app, Msg::Mouse(Mouse { kind: MouseKind::Click, x: 10, y: 4 }));
    assert_eq!(dashboard.selected(), "replica");
    update(&mut dashboard.app, Msg::Mouse(Mouse { kind: MouseKind::ScrollDown, x: 10, y: 4 }));
    assert_eq!(dashboard.selected(), "reporting");
    update(&mut dashboard.app, Msg::Mouse(Mouse { kind: MouseKind::Click, x: 10, y: 12 }));
    assert_eq!(dashboard.selected(), "reporting", "no row, nothing selected");
    dashboard.app.drawn.tabs = vec![(Rect { x: 0, y: 0, width: 5, height: 1 }, Screen::Events)];
    update(&mut dashboard.app, Msg::Mouse(Mouse { kind: MouseKind::Click, x: 2, y: 0 }));
    assert_eq!(dashboard.app.screen, Screen::Events);
}

#[test]
fn the_command_line_completes_remembers_and_reports_faults() {
    let mut dashboard = Dashboard::healthy();
    dashboard.press(":theme l<tab><enter>");
    assert_eq!(dashboard.app.theme, "light");
    dashboard.press(":<up>");
    assert_eq!(dashboard.app.prompt.as_ref().unwrap().input.text(), "theme light");
    dashboard.press("<up>");
    assert_eq!(dashboard.app.prompt.as_ref().unwrap().input.text(), "select 2");
    dashboard.press("<down><down>");
    assert_eq!(dashboard.app.prompt.as_ref().unwrap().input.text(), "");
    dashboard.press("theme pink<enter>");
    assert_eq!(
        dashboard.app.prompt.as_ref().unwrap().error.as_deref(),
        Some("no theme \"pink\"; choose one of dark, light")
    );
    dashboard.press("<esc>");
    assert!(dashboard.app.prompt.is_none());
    assert_eq!(dashboard.effects(":reload<enter>")[0], Effect::Reload);
}
