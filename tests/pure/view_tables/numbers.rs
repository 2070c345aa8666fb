//! A number is never cut, in any column of any view, at any width: it is shortened, or its column is hidden.

use pgwatch::config::views;
use pgwatch::model::Role;
use pgwatch::model::view::{CellKind, Unit, View, ViewScreen};

use super::{fleet, screen};
use crate::scene::Scene;
use crate::scene::answers::answer;

/// Some values are usual, some are counters of a server that has run for ten years.
const NUMBERS: [&str; 9] =
    ["7", "0.034", "999.96", "19012", "431777", "118234567", "1118234567890", "90071992547409910", "-118234567"];

/// For each column a value; the numbers differ from row to row.
fn row(view: &View, n: usize) -> String {
    let cell = |(at, column): (usize, &pgwatch::model::view::ViewColumn)| {
        let number = NUMBERS[(n + at) % NUMBERS.len()];
        let whole = number.split('.').next().unwrap();
        let value = match (column.kind, column.unit) {
            (CellKind::Bool, _) => "f".to_owned(),
            (CellKind::Int4, _) => whole.chars().take(9).collect(),
            (_, Some(Unit::Time)) => number.trim_start_matches('-').chars().take(10).collect(),
            (CellKind::Int8, _) => whole.to_owned(),
            (CellKind::Float8 | CellKind::Numeric | CellKind::Interval | CellKind::Time, _) => number.to_owned(),
            (CellKind::Lsn, _) => "1A/2B3C4D5E".to_owned(),
            (CellKind::IntArray, _) => format!("{{{n}}}"),
            (CellKind::Text, _) => format!("name {}", char::from(b'a' + n as u8)),
        };
        format!("{}={value}", column.name)
    };
    view.asked().enumerate().map(cell).collect::<Vec<_>>().join(" | ")
}

/// Lines with a digit right before a sign of a cut.
fn cut(text: &str) -> Vec<&str> {
    let is_cut = |line: &&str| {
        let chars: Vec<char> = line.chars().collect();
        chars.windows(2).any(|pair| (pair[0].is_ascii_digit() || pair[0] == ',') && pair[1] == '…')
    };
    text.lines().filter(|line| line.starts_with('│')).filter(is_cut).collect()
}

/// Pairs of neighbouring columns among the shown ones.
fn columns_of(view: &View) -> usize {
    view.columns.iter().filter(|column| !column.hidden).count().div_ceil(2)
}

fn told(view: &View) -> Scene {
    let mut scene = fleet(&[("primary", Role::Primary, "17.2", Some(1)), ("replica", Role::Standby, "17.2", Some(1))]);
    scene.press(&format!(":{}<enter>", view.name));
    for _ in 0..2 {
        let rows: Vec<String> = (0..NUMBERS.len()).map(|n| row(view, n)).collect();
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        for node in ["primary", "replica"] {
            answer(&mut scene, node, &view.name, &rows);
        }
        scene.now += 4;
    }
    scene
}

/// Checks the cells of number columns. The text does not show which header is right-aligned, so each line is searched
/// for a digit before `…`; names are shorter than any column.
#[test]
fn no_view_cuts_a_number() {
    for view in views::ours().values().filter(|view| view.screen != Some(ViewScreen::Other)) {
        let mut scene = told(view);
        let groups = view.columns.iter().filter(|column| column.group).count();
        for grouped in 0..=groups.min(1) {
            for (width, height) in [(80, 20), (120, 20)] {
                for _ in 0..columns_of(view) {
                    let text = screen(&mut scene, width, height);
                    assert!(cut(&text).is_empty(), "{} at {width}, grouped {grouped}\n{text}", view.name);
                    scene.press("ll");
                }
                scene.press(&"h".repeat(view.columns.len()));
            }
            scene.press("b");
        }
    }
}

#[test]
fn numbers_are_shortened_where_there_is_no_room() {
    let mut scene = told(&views::ours()["sequences"]);
    let text = screen(&mut scene, 80, 24);
    for said in ["432k %", "118M %", "1.1T %", "90071992547409910"] {
        assert!(text.contains(said), "{said}\n{text}");
    }
}
