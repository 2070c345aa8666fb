//! Every screen, dialog and line, at many sizes and in many themes, with spoiled text wherever the text is not our own.

use pgwatch::tui::{ColorDepth, Renderer, Theme};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthChar;
use vt100::Parser;

use super::spoiled::{self, BEFORE, BEHIND, PIECES};
use crate::scene::{Scene, theme};
use crate::stream;

/// The places to see, and how to get there from screen 1.
type Place = fn(&mut Scene, &str);

const PLACES: &[(&str, Place)] = &[
    ("nodes", |_, _| {}),
    ("nodes wrapped", |scene, _| drop(scene.press("w"))),
    ("the editor's lower pane", |scene, _| drop(scene.press("<tab><tab>"))),
    ("a zoomed pane", |scene, _| drop(scene.press("<tab>z"))),
    ("node", |scene, _| drop(scene.press("g<enter>"))),
    ("a node that is edited", |scene, _| drop(scene.press("gjjjjj<enter>"))),
    ("a node that is down", |scene, _| drop(scene.press("gj<enter>"))),
    ("a node without figures", |scene, _| drop(scene.press("gjjj<enter>"))),
    ("its settings", |scene, _| drop(scene.press("g<enter><tab>"))),
    ("query", |scene, _| drop(scene.press("9"))),
    ("a row at length", |scene, _| drop(scene.press("9wG"))),
    ("answers scrolled", |scene, _| drop(scene.press("9<right>s"))),
    ("editor", |scene, text| {
        scene.press("9e");
        spoiled::paste(scene, text);
    }),
    ("events", |scene, _| drop(scene.press("0"))),
    ("an event at length", |scene, _| drop(scene.press("0w"))),
    ("help", |scene, _| drop(scene.press("?"))),
    ("an empty form", |scene, text| {
        scene.press("a");
        spoiled::paste(scene, text);
    }),
    ("a form of what is there", |scene, _| drop(scene.press("gjjjjje"))),
    ("a test that passed", |scene, text| spoiled::tested(scene, text, true)),
    ("a test that failed", |scene, text| spoiled::tested(scene, text, false)),
    ("remove", |scene, _| drop(scene.press("gjjjjjd"))),
    ("command", |scene, text| {
        scene.press(":");
        spoiled::paste(scene, text);
    }),
    ("a refused command", |scene, text| {
        scene.press(":");
        spoiled::paste(scene, &format!("theme {text}"));
        scene.press("<enter>");
    }),
    ("filter", |scene, text| {
        scene.press("9/");
        spoiled::paste(scene, text);
    }),
    ("a filter at work", |scene, text| {
        scene.press("/");
        spoiled::paste(scene, text);
        scene.press("<enter>");
    }),
    ("a remark", |scene, text| spoiled::remark(scene, text, false)),
    ("a wrong file", |scene, text| spoiled::remark(scene, text, true)),
    ("frozen", |scene, _| drop(scene.press("p"))),
    ("no nodes", |scene, text| {
        *scene = spoiled::empty(text);
        scene.press("<esc>");
    }),
];

fn themes() -> Vec<Theme> {
    let dark = theme("dark", ColorDepth::True);
    let ascii = Theme { ascii: true, ..theme("dark", ColorDepth::None) };
    vec![dark, ascii, theme("light", ColorDepth::Sixteen), theme("mono", ColorDepth::None)]
}

/// What is wrong with a picture, both as cells and as the bytes sent to a terminal.
fn faults(buf: &Buffer, before: &Buffer, theme: &Theme) -> Vec<String> {
    let mut found = Vec::new();
    for y in 0..buf.area.height {
        let mut covered = 0;
        for x in 0..buf.area.width {
            let symbol = buf[(x, y)].symbol();
            let width: usize = symbol.chars().filter_map(UnicodeWidthChar::width).sum();
            let is_sound = matches!(width, 1 | 2) && symbol.chars().next().is_some_and(|c| c.width() > Some(0));
            if !is_sound || symbol.chars().any(stream::is_hidden) || theme.ascii && !symbol.is_ascii() {
                found.push(format!("cell {x},{y} is {symbol:?}"));
            }
            if covered > 0 && symbol != " " {
                found.push(format!("cell {x},{y} is {symbol:?}, behind a wide one"));
            }
            covered = if covered > 0 { covered - 1 } else { width - 1 };
        }
        if covered > 0 {
            found.push(format!("the last cell of line {y} has no room"));
        }
    }
    found.extend(on_a_terminal(buf, before));
    found
}

/// Writes the first picture, then the changes that turn it into the second, and reads what a terminal shows: it adds up
/// the widths of single characters, as most terminals do.
fn on_a_terminal(buf: &Buffer, before: &Buffer) -> Vec<String> {
    let mut bytes = Vec::new();
    let mut renderer = Renderer::default();
    for picture in [before, buf] {
        let render = |into: &mut Buffer| {
            into.clone_from(picture);
            None
        };
        bytes.extend_from_slice(renderer.frame(buf.area, render));
    }
    let mut found = stream::foreign(&bytes);
    let size = |cells: u16| cells.try_into().unwrap();
    let mut terminal = Parser::new(size(buf.area.height), size(buf.area.width), 0);
    // Our model of a terminal drops this character; real ones show it.
    let stand_in = |text: &str| text.replace('\u{fffd}', "?");
    terminal.process(stand_in(&String::from_utf8_lossy(&bytes)).as_bytes());
    for y in 0..buf.area.height {
        let mut x = 0;
        while x < buf.area.width {
            let symbol = buf[(x, y)].symbol();
            let width = symbol.chars().filter_map(UnicodeWidthChar::width).sum::<usize>().max(1) as u16;
            let cells = (x..(x + width).min(buf.area.width)).filter_map(|x| terminal.screen().cell(y, x));
            let shown: String = cells.map(vt100::Cell::contents).collect();
            if shown.trim_end() != stand_in(symbol).trim_end() {
                found.push(format!("the terminal shows {shown:?} at {x},{y}, not {symbol:?}"));
            }
            x += width;
        }
    }
    found
}

/// The corners and edges of the panes; of the horizontal lines, the letters at which they begin.
fn borders(buf: &Buffer) -> Vec<(u16, u16, &str)> {
    let all = |area: Rect| (0..area.height).flat_map(move |y| (0..area.width).map(move |x| (x, y)));
    let drawn = all(buf.area).map(|(x, y)| (x, y, buf[(x, y)].symbol()));
    drawn.filter(|(.., symbol)| matches!(*symbol, "│" | "╭" | "╮" | "╰" | "╯")).collect()
}

/// The columns at which the word begins, over all lines.
fn columns_of(buf: &Buffer, word: &str) -> Vec<u16> {
    let letters: Vec<String> = word.chars().map(String::from).collect();
    let mut found = Vec::new();
    for y in 0..buf.area.height {
        for x in 0..buf.area.width.saturating_sub(letters.len() as u16) {
            if letters.iter().zip(x..).all(|(letter, x)| buf[(x, y)].symbol() == letter) {
                found.push(x);
            }
        }
    }
    found
}

/// The spoiled cluster on screen 1, from which all places are reached.
struct Start {
    scene: Scene,
    before: Buffer,
    size: (u16, u16),
    theme: Theme,
}

impl Start {
    fn new(text: &str, size: (u16, u16), theme: Theme) -> Self {
        let mut scene = spoiled::cluster(text);
        let before = scene.draw(size.0, size.1, &theme);
        Self { scene, before, size, theme }
    }

    fn at(&self, text: &str, (_, go): &(&str, Place)) -> Buffer {
        let mut scene = self.scene.clone();
        go(&mut scene, text);
        scene.draw(self.size.0, self.size.1, &self.theme)
    }

    fn check(&self, text: &str, place: &(&str, Place)) -> Result<(), String> {
        let buf = self.at(text, place);
        let faults = faults(&buf, &self.before, &self.theme);
        if faults.is_empty() {
            return Ok(());
        }
        let (picture, first) = (crate::scene::text(&buf), &faults[..faults.len().min(5)]);
        Err(format!("{} at {:?} with {text:?}:\n{}\n{picture}", place.0, self.size, first.join("\n")))
    }
}

#[test]
fn what_is_foreign_to_our_screens_is_found() {
    let ours = "\x1b[?1049h\x1b[1;1H\x1b[38;2;1;2;3m日本\x1b[0m\x1b]52;c;YQ==\x1b\\";
    assert_eq!(stream::foreign(ours.as_bytes()), Vec::<String>::new());
    for bad in ["\x1b[6n", "\x1b]0;x\x07", "\x1bP1\x1b\\", "\x1bc", "\u{9b}1m", "\x07", "\u{202e}", "\x1b[?1h", "\n"] {
        assert_eq!(stream::foreign(format!("a{bad}b").as_bytes()).len(), 1, "{bad:?}");
    }
    assert_eq!(stream::foreign(b"a\xff").len(), 1);
}

/// All spoiled pieces, a few at a time, in every place.
#[test]
fn every_spoiled_piece_is_shown_on_every_screen() {
    for (pieces, theme) in PIECES.chunks(4).zip(themes().into_iter().cycle()) {
        let text = pieces.concat();
        let start = Start::new(&text, (120, 40), theme);
        for place in PLACES {
            start.check(&text, place).unwrap_or_else(|fault| panic!("{fault}"));
        }
    }
}

/// Frames are where they are with plain text, and what follows a spoiled cell begins at the same column as in the other
/// rows.
fn check_columns(text: &str, size: (u16, u16)) -> Result<(), String> {
    // A border character within the text itself is no frame.
    let text: String = text.chars().filter(|c| !matches!(c, '│' | '╭' | '╮' | '╰' | '╯')).collect();
    let dark = || theme("dark", ColorDepth::True);
    let (spoiled, plain) = (Start::new(&text, size, dark()), Start::new("plain", size, dark()));
    for place in PLACES {
        let (what, _) = *place;
        let (spoiled, plain) = (spoiled.at(&text, place), plain.at("plain", place));
        let picture = || crate::scene::text(&spoiled);
        // The height of these depends on the length of the text in them.
        let grows = ["remove", "editor", "no nodes"].contains(&what) || what.contains("form");
        if !grows && borders(&spoiled) != borders(&plain) {
            return Err(format!("{what} with {text:?}: a frame moved\n{}", picture()));
        }
        for word in [BEFORE, BEHIND].into_iter().filter(|_| what == "query") {
            let mut columns = columns_of(&spoiled, word);
            columns.sort_unstable();
            columns.dedup();
            if columns.len() > 1 {
                return Err(format!("{word} stands at {columns:?} with {text:?}\n{}", picture()));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn all_cells_of_all_screens_are_seen_and_none_is_obeyed(
        text in spoiled::text(),
        size in prop_oneof![Just((80, 24)), Just((120, 40)), Just((200, 60)), Just((79, 23)), (1u16..220, 1u16..70)],
        theme in (0..4_usize).prop_map(|at| themes().swap_remove(at)),
    ) {
        let start = Start::new(&text, size, theme);
        for place in PLACES {
            if let Err(fault) = start.check(&text, place) {
                prop_assert!(false, "{}", fault);
            }
        }
    }

    #[test]
    fn columns_and_frames_stay_where_they_are(
        text in spoiled::text(),
        size in prop_oneof![Just((80, 24)), Just((120, 40)), Just((200, 60))],
    ) {
        if let Err(fault) = check_columns(&text, size) {
            prop_assert!(false, "{}", fault);
        }
    }
}

#[test]
fn foreign_sequences_are_found() {
    let ours = "\x1b[?1049h\x1b[1;1H\x1b[38;2;1;2;3m日本\x1b[0m\x1b]52;c;YQ==\x1b\\";
    assert_eq!(stream::foreign(ours.as_bytes()), Vec::<String>::new());
    for bad in ["\x1b[6n", "\x1b]0;x\x07", "\x1bP1\x1b\\", "\x1bc", "\u{9b}1m", "\x07", "\u{202e}", "\x1b[?1h", "\n"] {
        assert_eq!(stream::foreign(format!("a{bad}b").as_bytes()).len(), 1, "{bad:?}");
    }
    assert_eq!(stream::foreign(b"a\xff").len(), 1);
}
