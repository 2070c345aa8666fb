//! `make pictures`: the pictures of the README, taken from the running program on the cluster of `pgwatch demo`. Each
//! has a name, the keys that lead to it and the words that it waits for; all are saved in `assets/`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a run that fails says so and ends")]
#![allow(unreachable_pub, missing_debug_implementations, reason = "a program of its own, not a library")]
#![allow(clippy::print_stdout, reason = "a program that says what it wrote")]

#[path = "../../tests/support/mod.rs"]
mod support;
mod svg;

use std::fs;
use std::path::Path;
use std::time::Duration;

use support::pty::Tui;
use support::wait::{PATIENCE, SOON};

/// A picture: its name, the keys that open it, a word that appears last, and the rows of the terminal.
struct Picture {
    name: &'static str,
    keys: &'static str,
    shows: &'static str,
    rows: u16,
}

const COLS: u16 = 120;
const LOW: u16 = 30;
const HIGH: u16 = 40;
/// A word that is always on the screen, for a picture without one of its own: the name of the demo.
const ANY: &str = "demo";

const PICTURES: [Picture; 10] = [
    Picture {
        name: "query",
        keys: ":select count(*) as orders, max(placed) as newest from shop.orders<enter>9",
        shows: "subscriber",
        rows: HIGH,
    },
    Picture { name: "topology", keys: "2", shows: "shop_orders", rows: LOW },
    Picture { name: "activity", keys: "3", shows: "Lock", rows: LOW },
    Picture { name: "locks", keys: "4", shows: "shop.stock", rows: LOW },
    Picture { name: "replication", keys: "5<tab><tab>", shows: "retired_standby", rows: LOW },
    Picture { name: "statements", keys: "6", shows: "shop.orders", rows: LOW },
    Picture { name: "tables", keys: "7", shows: "carts", rows: LOW },
    Picture { name: "io", keys: "8", shows: "subscriber", rows: LOW },
    Picture { name: "drift", keys: "c", shows: "max_standby_streaming_delay", rows: LOW },
    Picture { name: "alerts", keys: "t", shows: "restart", rows: LOW },
];

/// How long a screen is watched. Rates need a few answers, the line of an open alert a minute.
const LOOK: Duration = Duration::from_secs(4);
const HISTORY: Duration = Duration::from_secs(45);

fn main() {
    let tui = demo(&[], LOW);
    pause(HISTORY);
    take_all(tui);
    // The first screen during a fault: a standby that is killed after a while.
    let tui = demo(&["--fault"], HIGH);
    tui.wait_for("a killed standby", PATIENCE, |screen| {
        screen.contents().lines().any(|line| line.contains("standby1") && line.contains("try 2"))
    });
    take(&tui, "nodes");
}

fn take_all(mut tui: Tui) {
    for picture in PICTURES {
        tui.resize(COLS, picture.rows);
        tui.press("1");
        tui.wait_text("LAST MINUTE", SOON);
        tui.press(picture.keys);
        tui.wait_text(picture.shows, PATIENCE);
        pause(LOOK);
        tui.wait_text(picture.shows, PATIENCE);
        take(&tui, picture.name);
    }
}

/// The demo in a terminal of its own, healthy.
fn demo(args: &[&str], rows: u16) -> Tui {
    let args = [&["demo"], args].concat();
    let tui = Tui::start(&args, COLS, rows, &[]);
    tui.wait_for("all nodes are healthy", PATIENCE, |screen| {
        screen.contents().lines().filter(|line| line.contains("● healthy")).count() == 4
    });
    tui.wait_text(ANY, SOON);
    tui
}

fn take(tui: &Tui, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name).with_extension("svg");
    fs::write(&path, tui.screen(|screen| svg::picture(screen, "pgwatch"))).expect("assets/ is there");
    println!("{}", path.display());
}

#[allow(clippy::disallowed_methods, reason = "a picture is taken of what has gone on for a while")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
