//! Frames, from the state to the bytes for the terminal: the first one of a screen, and the one after a further second
//! of news.

use std::time::Duration;

use gungraun::{library_benchmark, library_benchmark_group};
use pgwatch::app::{Msg, update};
use pgwatch::tui::{ColorDepth, Renderer, Theme};
use ratatui::layout::Rect;

use crate::scene::fleet::{Fleet, fleet};
use crate::scene::{one, rows, theme};

const SMALL: (u16, u16) = (120, 40);
const LARGE: (u16, u16) = (200, 60);

/// A state and the terminal it is drawn on.
pub struct Picture {
    fleet: Fleet,
    theme: Theme,
    area: Rect,
    renderer: Renderer,
}

impl Picture {
    fn new(fleet: Fleet, (width, height): (u16, u16)) -> Self {
        let area = Rect::new(0, 0, width, height);
        Self { fleet, theme: theme("dark", ColorDepth::True), area, renderer: Renderer::default() }
    }

    /// Does for a frame what the loop of the dashboard does.
    fn draw(&mut self) {
        let mut drawn = None;
        let (app, theme) = (&self.fleet.scene.app, &self.theme);
        self.renderer.frame(self.area, |buf| {
            let (measured, cursor) = pgwatch::tui::draw(app, theme, buf);
            drawn = Some(measured);
            cursor
        });
        let _ = update(&mut self.fleet.scene.app, Msg::Drawn(drawn.unwrap()));
    }

    /// Draws two frames with a second of news between, so that the next frame is a typical one.
    fn settled(mut self) -> Self {
        self.draw();
        self.fleet.second();
        self.draw();
        self.fleet.second();
        self
    }
}

fn new(nodes: usize, size: (u16, u16)) -> Picture {
    Picture::new(fleet(nodes), size)
}

fn settled(nodes: usize, size: (u16, u16)) -> Picture {
    new(nodes, size).settled()
}

/// The screen that these keys open, with twenty nodes.
fn opened(keys: &str) -> Picture {
    let mut picture = new(20, SMALL);
    picture.draw();
    picture.fleet.scene.press(keys);
    picture.settled()
}

/// Ten thousand rows of twenty columns from one node, and one row of one column from each of the others.
fn answered() -> Picture {
    let mut picture = new(20, SMALL);
    picture.draw();
    let scene = &mut picture.fleet.scene;
    let batch = scene.run("select * from wide");
    let names: Vec<String> = (0..20).map(|n| format!("column_{n}")).collect();
    let columns: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "text")).collect();
    let line = vec![Some("a value of some length"); 20];
    let took = Duration::from_millis(300);
    scene.answer(batch, "node-000", took, Ok(rows(&columns, std::iter::repeat_n(line, 10_000))));
    for n in 1..20 {
        scene.answer(batch, &format!("node-{n:03}"), took, Ok(one("column_0", "text", "a value")));
    }
    scene.done(batch, took);
    scene.press("9<tab>");
    picture.settled()
}

#[library_benchmark]
#[bench::nodes_3_120x40(new(3, SMALL))]
#[bench::nodes_20_120x40(new(20, SMALL))]
#[bench::nodes_100_120x40(new(100, SMALL))]
#[bench::nodes_3_200x60(new(3, LARGE))]
#[bench::nodes_20_200x60(new(20, LARGE))]
#[bench::nodes_100_200x60(new(100, LARGE))]
fn first_frame(mut picture: Picture) -> Picture {
    picture.draw();
    picture
}

#[library_benchmark]
#[bench::nodes_3_120x40(settled(3, SMALL))]
#[bench::nodes_20_120x40(settled(20, SMALL))]
#[bench::nodes_40_120x40(settled(40, SMALL))]
#[bench::nodes_100_120x40(settled(100, SMALL))]
#[bench::nodes_500_120x40(settled(500, SMALL))]
#[bench::nodes_3_200x60(settled(3, LARGE))]
#[bench::nodes_20_200x60(settled(20, LARGE))]
#[bench::nodes_100_200x60(settled(100, LARGE))]
#[bench::node_120x40(opened("<enter>"))]
#[bench::query_120x40(answered())]
#[bench::events_120x40(opened("0"))]
#[bench::help_120x40(opened("?"))]
fn next_frame(mut picture: Picture) -> Picture {
    picture.draw();
    picture
}

library_benchmark_group!(name = frames, benchmarks = [first_frame, next_frame]);
