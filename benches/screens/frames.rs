//! The cost of many rows for the dashboard: handling an answer, the frame that sorts it, and a key after that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgwatch::app::{Msg, update};
use pgwatch::config::views;
use pgwatch::model::protocol::ViewRows;
use pgwatch::model::view::CellKind;
use pgwatch::model::{Column, EventKind, RowSet, View};
use pgwatch::tui::ColorDepth;
use pgwatch::tui::Renderer;
use ratatui::layout::Rect;

use crate::scene::fleet::fleet;
use crate::scene::{Scene, name, theme};

const NODES: usize = 20;
const TIMES: u32 = 20;
/// Tables of one node; each of the others has a hundredth of it.
const ROWS: [usize; 3] = [100, 1_000, 10_000];

/// The times of a second with an answer of many rows.
struct Times {
    answer: Duration,
    frame: Duration,
    key: Duration,
}

pub fn print() {
    println!("\nWhat rows cost the dashboard: tables of {NODES} nodes at 120x40, ms.\n");
    println!("| rows | an answer | its frame | a key and its frame |");
    println!("| --- | --- | --- | --- |");
    for rows in ROWS {
        let times = measure(rows);
        let [answer, frame, key] = [times.answer, times.frame, times.key].map(|time| time.as_secs_f64() * 1000.0);
        println!("| {rows} | {answer:.2} | {frame:.2} | {key:.2} |");
    }
}

fn measure(rows: usize) -> Times {
    let mut scene = fleet(NODES).scene.with_views();
    let mut renderer = Renderer::default();
    draw(&mut scene, &mut renderer);
    scene.press("7");
    for n in 1..NODES {
        scene.event(told(n, rows / 100, 0));
    }
    let mut times = Times { answer: Duration::ZERO, frame: Duration::ZERO, key: Duration::ZERO };
    for second in 0..=TIMES {
        scene.tick(1);
        let told = told(0, rows, u64::from(second));
        let answer = timed(|| scene.event(told));
        let frame = timed(|| draw(&mut scene, &mut renderer));
        let key = timed(|| {
            scene.press("j");
            draw(&mut scene, &mut renderer);
        });
        // The first answer has no rates yet.
        if second > 0 {
            times.answer += answer / TIMES;
            times.frame += frame / TIMES;
            times.key += key / TIMES;
        }
    }
    times
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Does for a frame what the loop of the dashboard does.
fn draw(scene: &mut Scene, renderer: &mut Renderer) {
    let _ = update(&mut scene.app, Msg::Frame);
    let (mut drawn, theme) = (None, theme("dark", ColorDepth::True));
    renderer.frame(Rect::new(0, 0, 120, 40), |buf| {
        let (measured, cursor) = pgwatch::tui::draw(&scene.app, &theme, buf);
        drawn = Some(measured);
        cursor
    });
    let _ = update(&mut scene.app, Msg::Drawn(drawn.unwrap()));
}

fn told(node: usize, rows: usize, second: u64) -> EventKind {
    let view = &views::ours()["tables"];
    let answer =
        ViewRows { rows: tables(view, rows, second), elapsed: Duration::from_millis(9), ..ViewRows::default() };
    let (node, view) = (name(&format!("node-{node:03}")), view.name.as_str().into());
    EventKind::View { node, view, outcome: Ok(Arc::new(answer)) }
}

/// Rows of tables whose figures differ, and grow.
fn tables(view: &View, rows: usize, second: u64) -> RowSet {
    let column = |name: &str| Column { name: name.to_owned(), type_name: String::new() };
    let mut set = RowSet::new(view.asked().map(|asked| column(&asked.name)).collect());
    for row in 0..rows as u64 {
        let cells: Vec<String> = view
            .asked()
            .enumerate()
            .map(|(at, asked)| match asked.kind {
                CellKind::Text => format!("{}_{row}", asked.name),
                CellKind::Bool => "f".to_owned(),
                _ => (row * 7919 % 10_007 * (at as u64 + 1) + second * (row % 50)).to_string(),
            })
            .collect();
        set.push(cells.iter().map(|cell| Some(cell.as_str())));
    }
    set
}
