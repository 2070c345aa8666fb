//! A statement on many nodes: which nodes it goes to, their answers as they arrive, and one table of all of them.

use std::sync::Arc;
use std::time::Duration;

use pgwatch::app::panes::answers::{AnswerLine, Cell};
use pgwatch::app::{Effect, ExportFormat, Msg, Pane, Screen, update};
use pgwatch::model::protocol::{CommandError, NodeOutcome, NodeRows, QueryProgress, QueryRequest};
use pgwatch::model::rows::{Column, RowSet};
use pgwatch::model::{BatchId, Command, ErrorKind, EventKind, NodeError};

use super::dashboard::{Dashboard, name};

fn request(commands: &[Command]) -> &QueryRequest {
    commands
        .iter()
        .find_map(|command| if let Command::Run(request) = command { Some(request) } else { None })
        .unwrap_or_else(|| panic!("no statement runs: {commands:?}"))
}

fn column(name: &str, type_name: &str) -> Column {
    Column { name: name.to_owned(), type_name: type_name.to_owned() }
}

fn rows(columns: &[(&str, &str)], values: &[&[Option<&str>]]) -> NodeRows {
    let mut rows = RowSet::new(columns.iter().map(|(name, type_name)| column(name, type_name)).collect());
    for row in values {
        rows.push(row.iter().copied());
    }
    NodeRows { row_count: rows.len() as u64, rows, ..NodeRows::default() }
}

fn done(dashboard: &mut Dashboard, batch: BatchId, node: &str, result: Result<NodeRows, NodeError>) {
    let outcome = Arc::new(NodeOutcome { elapsed: Duration::from_millis(3), result });
    dashboard.tell(EventKind::Query { batch, progress: QueryProgress::NodeDone { node: name(node), outcome } });
}

fn end(dashboard: &mut Dashboard, batch: BatchId) {
    let elapsed = Duration::from_millis(44);
    dashboard.tell(EventKind::Query { batch, progress: QueryProgress::Done { elapsed } });
}

/// The table as lines of text.
fn table(dashboard: &Dashboard) -> Vec<String> {
    let results = &dashboard.app.query.results;
    let cell = |cell| match cell {
        Cell::Text(text) => text.to_owned(),
        Cell::Null => "NULL".to_owned(),
        Cell::Absent => "-".to_owned(),
    };
    (0..results.len())
        .map(|at| match results.line(at).unwrap() {
            AnswerLine::Row { node, row } => {
                let cells: Vec<String> = (0..results.columns().len()).map(|column| cell(row.cell(column))).collect();
                format!("{node} {}", cells.join(" "))
            }
            AnswerLine::Note { node, answer } => match (answer.error(), answer.rows()) {
                (Some(error), _) => format!("{node}: {error}"),
                (None, Some(rows)) => format!("{node}: {} rows", rows.row_count),
                (None, None) => format!("{node} ..."),
            },
        })
        .collect()
}

#[test]
fn a_statement_runs_on_the_marked_nodes_else_on_all() {
    for (keys, nodes) in [
        (":select 1<enter>", vec!["primary", "replica", "reporting"]),
        ("j<space>:select 1<enter>", vec!["replica"]),
        ("9select 1;<enter>", vec!["primary", "replica", "reporting"]),
        ("9select 1<f5>", vec!["primary", "replica", "reporting"]),
        ("9select<enter>1<ctrl-r>", vec!["primary", "replica", "reporting"]),
    ] {
        let mut dashboard = Dashboard::healthy();
        let commands = dashboard.press(keys);
        let request = request(&commands);
        assert_eq!(request.nodes.iter().map(pgwatch::model::NodeName::as_str).collect::<Vec<_>>(), nodes, "{keys}");
        assert_eq!(request.max_rows, QueryRequest::MAX_ROWS);
        assert_eq!(request.timeout, Duration::from_secs(30));
    }
}

#[test]
fn answers_come_one_by_one_with_errors_in_place() {
    let mut dashboard = Dashboard::healthy();
    let commands = dashboard.press(":select a, b from t<enter>");
    let batch = request(&commands).batch;
    assert_eq!(table(&dashboard), ["primary ...", "replica ...", "reporting ..."]);
    done(&mut dashboard, batch, "reporting", Err(NodeError::new(ErrorKind::NotConnected, "down")));
    done(&mut dashboard, batch, "replica", Ok(rows(&[("b", "int4"), ("c", "text")], &[&[Some("1"), None]])));
    let shown = ["primary ...", "replica 1 NULL", "reporting: down"];
    assert_eq!(table(&dashboard), shown);
    let values: &[&[Option<&str>]] = &[&[Some("7"), Some("8")], &[None, Some("9")]];
    done(&mut dashboard, batch, "primary", Ok(rows(&[("a", "int4"), ("b", "int4")], values)));
    let shown = ["primary 7 8 -", "primary NULL 9 -", "replica - 1 NULL", "reporting: down"];
    assert_eq!(table(&dashboard), shown, "a column for each name, at its place");
    let answered = dashboard.app.fleet.batch().unwrap();
    assert_eq!((answered.answered(), answered.failed(), answered.is_running()), (2, 1, true));
    end(&mut dashboard, batch);
    assert!(!dashboard.app.fleet.runs_statement());
    assert_eq!(dashboard.newest(), "-: query done: 2 of 3 answered in 44 ms, 1 failed");
}

#[test]
fn the_selected_row_stays_while_answers_come() {
    let mut dashboard = Dashboard::healthy();
    let commands = dashboard.press(":select 1<enter>");
    let batch = request(&commands).batch;
    done(&mut dashboard, batch, "replica", Ok(rows(&[("a", "int4")], &[&[Some("1")], &[Some("2")]])));
    dashboard.press("9<down><down>");
    done(&mut dashboard, batch, "primary", Ok(rows(&[("a", "int4")], &[&[Some("5")], &[Some("6")], &[Some("7")]])));
    assert_eq!(dashboard.effects("y"), [Effect::Copy("2".to_owned())]);
    dashboard.press("[");
    assert_eq!(dashboard.effects("y"), [Effect::Copy("5".to_owned())]);
    dashboard.press("]");
    assert_eq!(dashboard.effects("y"), [Effect::Copy("1".to_owned())]);
}

#[test]
fn answers_go_to_a_file_of_the_users_choice() {
    let mut dashboard = Dashboard::healthy();
    assert_eq!(dashboard.effects("E"), []);
    let batch = request(&dashboard.press(":select 1<enter>")).batch;
    done(&mut dashboard, batch, "primary", Ok(rows(&[("a", "int4")], &[&[Some("1")]])));
    dashboard.press("9E");
    assert!(dashboard.app.prompt.is_some(), "the name is asked for");
    let effects = dashboard.effects("answers.json<enter>");
    let exports: Vec<_> =
        effects.iter().filter_map(|e| if let Effect::Export(x) = e { Some(x) } else { None }).collect();
    assert_eq!(exports.len(), 1, "{effects:?}");
    assert_eq!((exports[0].path.to_str(), exports[0].format), (Some("answers.json"), ExportFormat::Json));
    assert_eq!(exports[0].nodes.len(), 1, "what has come so far");
    dashboard.press(":export answers.txt<enter>");
    assert!(dashboard.app.prompt.as_ref().is_some_and(|prompt| prompt.error.is_some()));
}

#[test]
fn no_rows_and_rows_affected_are_answers_too() {
    let mut dashboard = Dashboard::healthy();
    let commands = dashboard.press(":select 1<enter>");
    let batch = request(&commands).batch;
    done(&mut dashboard, batch, "primary", Ok(rows(&[("a", "int4")], &[])));
    done(&mut dashboard, batch, "replica", Ok(NodeRows { row_count: 5, ..NodeRows::default() }));
    assert_eq!(table(&dashboard), ["primary: 0 rows", "replica: 5 rows", "reporting ..."]);
    assert_eq!(dashboard.app.query.results.columns().len(), 1);
}

#[test]
fn the_one_answer_that_differs_is_found() {
    let mut dashboard = Dashboard::healthy();
    let commands = dashboard.press(":select count(*)<enter>");
    let batch = request(&commands).batch;
    for (node, value) in [("primary", "5"), ("replica", "5"), ("reporting", "4")] {
        done(&mut dashboard, batch, node, Ok(rows(&[("count", "int8")], &[&[Some(value)]])));
    }
    assert_eq!(dashboard.app.fleet.batch().unwrap().differing(), [2]);
}

#[test]
fn escape_cancels_and_the_screen_stays() {
    let mut dashboard = Dashboard::healthy();
    let commands = dashboard.press("9select pg_sleep(9);<enter>");
    let batch = request(&commands).batch;
    assert_eq!(dashboard.app.pane, Pane::Result);
    assert_eq!(dashboard.press(":select 2<enter>"), [], "one at a time");
    assert!(dashboard.app.notice.as_ref().unwrap().text.contains("Esc cancels"));
    assert_eq!(dashboard.press("<esc>"), [Command::CancelBatch(batch)]);
    assert_eq!(dashboard.app.screen, Screen::Query);
    let commands = dashboard.press(":select 2<enter>");
    let next = request(&commands).batch;
    assert_ne!(next, batch);
    done(&mut dashboard, batch, "primary", Ok(rows(&[("late", "int4")], &[&[Some("1")]])));
    assert_eq!(table(&dashboard), ["primary ...", "replica ...", "reporting ..."], "late answers are not mixed in");
}

#[test]
fn results_filter_and_sort_by_value() {
    let mut dashboard = Dashboard::healthy();
    let commands = dashboard.press("9select n from t;<enter>");
    let batch = request(&commands).batch;
    let values: &[&[Option<&str>]] = &[&[Some("10")], &[None], &[Some("9")], &[Some("100")]];
    done(&mut dashboard, batch, "primary", Ok(rows(&[("n", "int4")], values)));
    done(&mut dashboard, batch, "replica", Ok(rows(&[("n", "int4")], &[&[Some("11")]])));
    end(&mut dashboard, batch);
    dashboard.press("s");
    let shown = ["primary 9", "primary 10", "replica 11", "primary 100", "primary NULL", "reporting ..."];
    assert_eq!(table(&dashboard), shown);
    dashboard.press("S");
    let shown = ["primary 100", "replica 11", "primary 10", "primary 9", "primary NULL", "reporting ..."];
    assert_eq!(table(&dashboard), shown, "unknown stays last");
    dashboard.press("/n:1<enter>");
    assert_eq!(
        table(&dashboard),
        ["primary 100", "replica 11", "primary 10", "reporting ..."],
        "notes are always shown"
    );
    assert_eq!(dashboard.app.query.results.hidden(), 2);
    dashboard.press("<esc>s");
    assert_eq!(table(&dashboard)[0], "primary 10", "behind the last column comes the own order");
}

#[test]
fn the_history_is_reached_by_keys_and_saved_to_the_file() {
    let mut dashboard = Dashboard::healthy();
    dashboard.press("9<up>");
    assert_eq!(dashboard.app.query.editor.text(), "select 2");
    dashboard.press("<up>");
    assert_eq!(dashboard.app.query.editor.text(), "select 1");
    let effects = dashboard.effects("<f5>");
    assert_eq!(effects[1], Effect::SaveHistory("select 1".to_owned()));
    let mut dashboard = Dashboard::healthy();
    let effects = dashboard.effects(":alter role x password 'y'<enter>");
    assert_eq!(effects.len(), 1, "what may hold a password is not written down: {effects:?}");
}

#[test]
fn a_paste_keeps_lines_and_a_refusal_ends_the_batch() {
    let mut dashboard = Dashboard::healthy();
    dashboard.press("9");
    update(&mut dashboard.app, Msg::Paste("select 1\nas one;".to_owned()));
    let commands = dashboard.press("<enter>");
    assert_eq!(request(&commands).statement, "select 1\nas one;");
    dashboard.tell(EventKind::Refused { node: None, error: CommandError::TooManyQueries });
    assert!(!dashboard.app.fleet.runs_statement());
    assert!(dashboard.app.fleet.batch().unwrap().refused.is_some());
    let commands = dashboard.press("r");
    update(&mut dashboard.app, Msg::Busy(Box::new(commands[0].clone())));
    assert!(!dashboard.app.fleet.runs_statement());
}

#[test]
fn a_hundred_thousand_rows_scroll_without_being_copied() {
    let mut dashboard = Dashboard::healthy();
    let commands = dashboard.press(":select generate_series(1, 100000)<enter>");
    let batch = request(&commands).batch;
    for node in ["primary", "replica", "reporting"] {
        let mut set = RowSet::new(vec![column("n", "int4")]);
        for row in 0..100_000 {
            set.push([Some(row.to_string().as_str())]);
        }
        done(&mut dashboard, batch, node, Ok(NodeRows { rows: set, row_count: 100_000, ..NodeRows::default() }));
    }
    end(&mut dashboard, batch);
    dashboard.press("9G");
    assert_eq!(dashboard.app.query.results.cursor.at, 299_999);
    assert_eq!(dashboard.effects("y"), [Effect::Copy("99999".to_owned())]);
    dashboard.press("s");
    assert!(dashboard.app.notice.as_ref().unwrap().text.contains("ORDER BY"));
}

#[test]
fn a_column_has_room_for_escapes_and_wide_letters() {
    let mut dashboard = Dashboard::healthy();
    let batch = request(&dashboard.press("9select n from t;<enter>")).batch;
    let columns = [("a", "text"), ("b", "text"), ("c", "text"), ("d", "text")];
    let values: &[&[Option<&str>]] = &[&[Some("\x1b[0m"), Some("\u{202e}abc"), Some("two\nlines"), Some("日本")]];
    done(&mut dashboard, batch, "primary", Ok(rows(&columns, values)));
    let results = &dashboard.app.query.results;
    assert_eq!([0, 1, 2, 3].map(|column| results.width(column)), [7, 9, 10, 4]);
}

#[test]
fn a_filter_looks_through_many_rows_frame_by_frame() {
    let mut dashboard = Dashboard::healthy();
    let batch = request(&dashboard.press("9select n from t;<enter>")).batch;
    let numbers: Vec<String> = (0..25_000).map(|number| number.to_string()).collect();
    let values: Vec<[Option<&str>; 1]> = numbers.iter().map(|number| [Some(number.as_str())]).collect();
    let values: Vec<&[Option<&str>]> = values.iter().map(|row| &row[..]).collect();
    done(&mut dashboard, batch, "primary", Ok(rows(&[("n", "int4")], &values)));
    end(&mut dashboard, batch);
    dashboard.press("/n:999$");
    let results = &dashboard.app.query.results;
    assert!(results.looked_at().is_some_and(|share| share < 0.1), "a key is answered before all is looked at");
    assert_eq!(table(&dashboard)[0], "primary 999");
    for frame in 0.. {
        assert!(frame < 9, "it comes to its end");
        dashboard.app.take_dirty();
        let drawn = dashboard.app.drawn.clone();
        update(&mut dashboard.app, Msg::Drawn(drawn));
        if !dashboard.app.take_dirty() {
            break;
        }
    }
    let results = &dashboard.app.query.results;
    assert_eq!(results.looked_at(), None);
    assert_eq!(results.len(), 25 + 2, "and the notes of two nodes");
}
