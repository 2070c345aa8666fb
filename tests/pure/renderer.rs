//! The bytes of frames, read by a terminal: it shows every picture exactly, whatever it showed before.

use std::ops::Range;

use pgwatch::tui::Renderer;
use proptest::collection::vec;
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthStr;
use vt100::Parser;

use crate::stream;

/// A terminal, and what draws on it.
struct Screen {
    renderer: Renderer,
    terminal: Parser,
    /// The place of the cursor in the last frame.
    cursor: Option<Position>,
}

impl Screen {
    fn new(area: Rect) -> Self {
        let size = |cells: u16| cells.try_into().unwrap();
        let terminal = Parser::new(size(area.height), size(area.width), 0);
        Self { renderer: Renderer::default(), terminal, cursor: None }
    }

    /// Shows a picture; returns the bytes.
    fn show(&mut self, picture: &Buffer, cursor: Option<Position>) -> Vec<u8> {
        if self.cursor.is_none() && picture.area.area() > 0 {
            // As the terminal is taken over: without a cursor.
            self.terminal.process(b"\x1b[?25l");
        }
        self.cursor = cursor;
        let bytes = self.renderer.frame(picture.area, |buf| {
            buf.clone_from(picture);
            cursor
        });
        self.terminal.process(bytes);
        assert_eq!(stream::foreign(bytes), Vec::<String>::new());
        bytes.to_vec()
    }

    /// Where the terminal shows something else than the picture.
    fn faults(&self, picture: &Buffer) -> Vec<String> {
        let screen = self.terminal.screen();
        let mut found = Vec::new();
        for y in 0..picture.area.height {
            let mut x = 0;
            while x < picture.area.width {
                let cell = &picture[(x, y)];
                let shown = screen.cell(y, x).expect("a cell");
                let blank = cell.symbol() == " ";
                let seen = Modifier::UNDERLINED | Modifier::REVERSED;
                let modifier = cell.modifier & if blank { seen } else { Modifier::all() };
                // A terminal colours a blank cell by its background, unless something is drawn on it.
                let inked = !blank || modifier.intersects(seen);
                let symbol = if shown.has_contents() { shown.contents() } else { " " };
                let same = symbol == cell.symbol()
                    && shown.bgcolor() == color(cell.bg)
                    && (!inked || shown.fgcolor() == color(cell.fg))
                    && (blank || shown.bold() == modifier.contains(Modifier::BOLD))
                    && (blank || shown.dim() == modifier.contains(Modifier::DIM))
                    && (blank || shown.italic() == modifier.contains(Modifier::ITALIC))
                    && shown.underline() == modifier.contains(Modifier::UNDERLINED)
                    && shown.inverse() == modifier.contains(Modifier::REVERSED);
                if !same {
                    found.push(format!("{shown:?} at {x},{y}, not {cell:?}"));
                }
                x += (cell.symbol().width() as u16).max(1);
            }
        }
        if let Some(at) = self.cursor
            && screen.cursor_position() != (at.y, at.x)
        {
            found.push(format!("the cursor is at {:?}, not at {at:?}", screen.cursor_position()));
        }
        if screen.hide_cursor() == self.cursor.is_some() {
            found.push(format!("the cursor is hidden: {}", screen.hide_cursor()));
        }
        found
    }
}

fn color(color: Color) -> vt100::Color {
    match color {
        Color::Reset => vt100::Color::Default,
        Color::Rgb(red, green, blue) => vt100::Color::Rgb(red, green, blue),
        Color::Indexed(index) => vt100::Color::Idx(index),
        Color::Black => vt100::Color::Idx(0),
        Color::Red => vt100::Color::Idx(1),
        Color::Green => vt100::Color::Idx(2),
        Color::Yellow => vt100::Color::Idx(3),
        Color::Blue => vt100::Color::Idx(4),
        Color::Magenta => vt100::Color::Idx(5),
        Color::Cyan => vt100::Color::Idx(6),
        Color::Gray => vt100::Color::Idx(7),
        Color::DarkGray => vt100::Color::Idx(8),
        Color::LightRed => vt100::Color::Idx(9),
        Color::LightGreen => vt100::Color::Idx(10),
        Color::LightYellow => vt100::Color::Idx(11),
        Color::LightBlue => vt100::Color::Idx(12),
        Color::LightMagenta => vt100::Color::Idx(13),
        Color::LightCyan => vt100::Color::Idx(14),
        Color::White => vt100::Color::Idx(15),
    }
}

const SIZE: (u16, u16) = (16, 4);

fn area() -> Rect {
    Rect::new(0, 0, SIZE.0, SIZE.1)
}

/// Few colours, so that neighbours often share one.
fn some_color() -> impl Strategy<Value = Color> {
    prop_oneof![
        3 => Just(Color::Reset),
        2 => Just(Color::Indexed(231)),
        1 => Just(Color::Rgb(1, 20, 255)),
        1 => Just(Color::LightRed),
        1 => Just(Color::White),
    ]
}

fn style() -> impl Strategy<Value = Style> {
    let modifiers = Modifier::BOLD
        | Modifier::DIM
        | Modifier::ITALIC
        | Modifier::UNDERLINED
        | Modifier::REVERSED
        | Modifier::CROSSED_OUT;
    let modifier = prop_oneof![
        2 => Just(Modifier::empty()),
        1 => any::<u16>().prop_map(move |bits| Modifier::from_bits_truncate(bits) & modifiers),
    ];
    (some_color(), some_color(), modifier)
        .prop_map(|(fg, bg, modifier)| Style::new().fg(fg).bg(bg).add_modifier(modifier))
}

/// Texts with their style and the place where they begin.
fn strokes() -> impl Strategy<Value = Vec<(u16, u16, String, Style)>> {
    let piece = prop_oneof![
        4 => Just("7"), 4 => Just(" "), 2 => Just("a"), 1 => Just("│"), 1 => Just("▁"), 1 => Just("日"), 1 => Just("e\u{301}"),
    ];
    let text = vec(piece, 1..8).prop_map(|pieces| pieces.concat());
    vec((0..SIZE.0, 0..SIZE.1, text, style()), 0..8)
}

fn write(buf: &mut Buffer, strokes: &[(u16, u16, String, Style)]) {
    for (x, y, text, style) in strokes {
        // The second half of a wide character whose first half is overwritten becomes blank, and the reverse.
        let width = (text.width() as u16).min(SIZE.0 - x);
        for edge in [*x, x + width] {
            if edge > 0 && edge < SIZE.0 && buf[(edge - 1, *y)].symbol().width() > 1 {
                buf[(edge - 1, *y)].set_symbol(" ");
            }
        }
        buf.set_stringn(*x, *y, text, usize::from(SIZE.0 - x), *style);
    }
    for cell in &mut buf.content {
        // Our model of a terminal knows only one of the two at a time.
        if cell.modifier.contains(Modifier::BOLD) {
            cell.modifier -= Modifier::DIM;
        }
    }
}

/// How a picture becomes the next one.
#[derive(Debug, Clone)]
enum Step {
    Anew,
    More(Vec<(u16, u16, String, Style)>),
    /// The cells of a line from a column on move to the left, as a sparkline does.
    Slide(u16, Range<u16>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Anew),
        3 => strokes().prop_map(Step::More),
        3 => (0..SIZE.1, 0..SIZE.0 / 2, SIZE.0 / 2..SIZE.0).prop_map(|(y, from, to)| Step::Slide(y, from..to)),
    ]
}

impl Step {
    fn take(self, buf: &mut Buffer) {
        match self {
            Self::Anew => buf.reset(),
            Self::More(strokes) => write(buf, &strokes),
            Self::Slide(y, columns) => {
                // No half of a wide character is left behind.
                for x in 0..SIZE.0 {
                    if buf[(x, y)].symbol().width() > 1 {
                        buf[(x, y)].set_symbol("▄");
                    }
                }
                for x in columns {
                    buf[(x, y)] = buf[(x + 1, y)].clone();
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_terminal_shows_every_frame(
        frames in vec((step(), prop::option::of((0..SIZE.0, 0..SIZE.1))), 1..8),
    ) {
        let mut screen = Screen::new(area());
        let mut picture = Buffer::empty(area());
        for (step, cursor) in frames {
            step.take(&mut picture);
            let bytes = screen.show(&picture, cursor.map(|(x, y)| Position::new(x, y)));
            let faults = screen.faults(&picture);
            prop_assert!(faults.is_empty(), "{:?}\n{}", String::from_utf8_lossy(&bytes), faults.join("\n"));
        }
    }
}

fn line(text: &str, style: Style) -> Buffer {
    let mut buf = Buffer::empty(area());
    buf.set_string(0, 0, text, style);
    buf
}

fn bytes_between(before: &Buffer, after: &Buffer) -> String {
    let mut screen = Screen::new(area());
    screen.show(before, None);
    String::from_utf8(screen.show(after, None)).unwrap()
}

#[test]
fn only_what_differs_is_written() {
    let white = Style::new().fg(Color::Indexed(231));
    let bold = white.bold();
    let cases = [
        ("nothing differs", line("12 tps", white), line("12 tps", white), ""),
        ("a figure", line("12 tps", white), line("13 tps", white), "\x1b[;2H\x1b[;38;5;231m3"),
        ("a step over what is equal", line("1:2", white), line("3:4", white), "\x1b[1H\x1b[;38;5;231m3:4"),
        ("a longer step", line("1      2", white), line("3      4", white), "\x1b[1H\x1b[;38;5;231m3\x1b[6C4"),
        ("a blank shows no ink", line("12 tps", bold), line("   tps", bold), "\x1b[1H\x1b[m  "),
    ];
    for (what, before, after, bytes) in cases {
        assert_eq!(bytes_between(&before, &after), bytes, "{what}");
    }
    let mut mixed = line("1", white);
    mixed.set_string(1, 0, "2", bold);
    mixed.set_string(2, 0, "3", white.bg(Color::Red));
    let expected = "\x1b[1H\x1b[;38;5;231m1\x1b[1m2\x1b[22;48;5;1m3";
    assert_eq!(bytes_between(&Buffer::empty(area()), &mixed), expected);
}

/// Terminals differ on the width of what is not ASCII: behind it, the column is named.
#[test]
fn a_place_behind_a_character_of_doubtful_width_is_absolute() {
    let white = Style::new();
    let bytes = bytes_between(&line("│12 34", white), &line("▁12 35", white));
    assert_eq!(bytes, "\x1b[1H\x1b[m▁\x1b[6G5");
}

/// What a sparkline costs when time goes on: its cells are moved, and one is written.
#[test]
fn a_sparkline_slides() {
    let bytes = bytes_between(&line("7 ▁▂▃▄▅▆▇█ │ 12", Style::new()), &line("7 ▂▃▄▅▆▇█▁ │ 13", Style::new()));
    assert_eq!(bytes, "\x1b[;3H\x1b[P\x1b[7C\x1b[@\x1b[m▁\x1b[15G3");
}

#[test]
fn a_forgotten_screen_is_written_completely() {
    let mut screen = Screen::new(area());
    let picture = line("12 tps", Style::new());
    screen.show(&picture, Some(Position::new(3, 1)));
    screen.renderer.forget();
    screen.terminal.process(b"\x1b[31mfrom elsewhere\x1b[?25l");
    screen.cursor = None;
    let bytes = String::from_utf8(screen.show(&picture, Some(Position::new(3, 1)))).unwrap();
    assert!(bytes.starts_with("\x1b[0m\x1b[2J"), "{bytes:?}");
    assert_eq!(screen.faults(&picture), Vec::<String>::new());
    // Another size, too.
    let small = Buffer::with_lines(["ab", "cd"]);
    screen.show(&small, None);
    assert_eq!(screen.faults(&small), Vec::<String>::new());
}
