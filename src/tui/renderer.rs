//! Makes of each frame the bytes that show it on a terminal: only what differs from the frame before, in few bytes. No
//! I/O happens here.
//!
//! A frame begins with a move to an absolute place and a reset of the style. So whatever else writes to the terminal
//! (`wall`, the kernel on its console) cannot misplace or colour what follows.

use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::Range;

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier};

use crate::text;

/// Bytes of memory kept for the next frame; a full frame of a large terminal is about 30 KB.
const FRAME_MEMORY: usize = 64 << 10;
const CLEAR: &[u8] = b"\x1b[0m\x1b[2J";
const SHOW_CURSOR: &[u8] = b"\x1b[?25h";
const HIDE_CURSOR: &[u8] = b"\x1b[?25l";

/// The modifiers that are seen on a blank cell too.
const SEEN_ON_BLANK: Modifier = Modifier::REVERSED
    .union(Modifier::UNDERLINED)
    .union(Modifier::SLOW_BLINK)
    .union(Modifier::RAPID_BLINK)
    .union(Modifier::CROSSED_OUT);
/// Each modifier with the codes that set and remove it.
const MODIFIERS: [(Modifier, u8, u8); 9] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::RAPID_BLINK, 6, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

/// The picture that a terminal shows, and the next one.
#[derive(Debug, Default)]
pub struct Renderer {
    shown: Buffer,
    /// Blank between two frames.
    next: Buffer,
    /// Where the terminal shows its cursor; `None` if it is hidden.
    cursor: Option<Position>,
    /// False if it is not known what the terminal shows.
    known: bool,
    bytes: Vec<u8>,
}

impl Renderer {
    /// Renders a frame of this size into a blank buffer, and returns the bytes that show it: none if nothing differs from
    /// the frame before. `render` returns the place of the cursor; `None` hides it.
    pub fn frame(&mut self, area: Rect, render: impl FnOnce(&mut Buffer) -> Option<Position>) -> &[u8] {
        self.bytes.clear();
        self.bytes.shrink_to(FRAME_MEMORY);
        if self.shown.area != area {
            self.known = false;
            self.next = Buffer::empty(area);
        }
        if !self.known {
            self.known = true;
            self.shown = Buffer::empty(area);
            self.bytes.extend_from_slice(CLEAR);
        }
        let cursor = render(&mut self.next);
        Encoder::new(&mut self.bytes).changes(&self.shown, &self.next);
        std::mem::swap(&mut self.shown, &mut self.next);
        self.next.reset();
        self.place(cursor);
        &self.bytes
    }

    /// Forgets what the terminal shows: the next frame is complete. The cursor is taken to be hidden.
    pub fn forget(&mut self) {
        self.known = false;
        self.cursor = None;
    }

    fn place(&mut self, cursor: Option<Position>) {
        match cursor {
            Some(at) if !self.bytes.is_empty() || self.cursor != cursor => {
                if self.cursor.is_none() {
                    self.bytes.extend_from_slice(SHOW_CURSOR);
                }
                let _ = write!(self.bytes, "\x1b[{};{}H", at.y + 1, at.x + 1);
            }
            None if self.cursor.is_some() => self.bytes.extend_from_slice(HIDE_CURSOR),
            _ => {}
        }
        self.cursor = cursor;
    }
}

/// What the terminal would write with.
#[derive(Debug, Clone, Copy, Default)]
struct Ink {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

impl Ink {
    /// The ink closest to this one that shows the cell as it is: on a blank cell, most of a style is not seen.
    fn for_cell(self, cell: &Cell) -> Self {
        if cell.symbol() == " " && !cell.modifier.intersects(SEEN_ON_BLANK) {
            return Self { bg: cell.bg, modifier: self.modifier - SEEN_ON_BLANK, ..self };
        }
        Self { fg: cell.fg, bg: cell.bg, modifier: cell.modifier }
    }

    fn shows(self, cell: &Cell) -> bool {
        let other = self.for_cell(cell);
        self.fg == other.fg && self.bg == other.bg && self.modifier == other.modifier
    }

    /// Adds the codes that turn this ink into the other.
    fn codes(self, to: Self, codes: &mut String) {
        let mut held = self.modifier;
        for (modifier, _, off) in MODIFIERS {
            if held.contains(modifier) && !to.modifier.contains(modifier) {
                let _ = write!(codes, "{off};");
                // One code may remove two modifiers.
                for (other, _, same) in MODIFIERS {
                    held.set(other, held.contains(other) && same != off);
                }
            }
        }
        for (modifier, on, _) in MODIFIERS {
            if to.modifier.contains(modifier) && !held.contains(modifier) {
                let _ = write!(codes, "{on};");
            }
        }
        if self.fg != to.fg {
            color_code(codes, 38, to.fg);
        }
        if self.bg != to.bg {
            color_code(codes, 48, to.bg);
        }
    }
}

/// Writes the differences of two pictures.
struct Encoder<'b> {
    out: &'b mut Vec<u8>,
    /// `None` if it is not known.
    ink: Option<Ink>,
    /// Where the terminal would write next; `None` if it is not known.
    at: Option<Position>,
    /// True if the column of that place is sure: terminals differ on the width of what is not ASCII.
    sure: bool,
    codes: String,
    codes_from_reset: String,
}

impl<'b> Encoder<'b> {
    fn new(out: &'b mut Vec<u8>) -> Self {
        Self { out, ink: None, at: None, sure: false, codes: String::new(), codes_from_reset: String::new() }
    }

    fn changes(&mut self, before: &Buffer, after: &Buffer) {
        let width = usize::from(after.area.width).max(1);
        let lines = before.content.chunks(width).zip(after.content.chunks(width));
        for (y, (old, new)) in (0..).zip(lines) {
            if old != new {
                self.line(y, old, new);
            }
        }
    }

    fn line(&mut self, y: u16, old: &[Cell], new: &[Cell]) {
        let slid = slid(old, new);
        let moved = slid.as_ref().map(|slid| after(slid, old));
        // What was to the left, if it is there no more.
        let mut gone = None;
        for (x, (was, is)) in (0..).zip(moved.as_deref().unwrap_or(old).iter().zip(new)) {
            if let Some(slid) = slid.as_ref().filter(|slid| slid.start == x) {
                self.slide(y, slid, new);
            }
            let differs = was != is;
            // A wide character that is overwritten takes its second half with it.
            if differs || gone.is_some_and(is_wide) {
                let covered = x > 0 && new.get(x - 1).is_some_and(is_wide);
                if !covered {
                    self.show(Position::new(x as u16, y), is, new);
                }
            }
            gone = differs.then_some(was);
        }
    }

    /// Moves the cells behind the first of the range one to the left; the last one becomes blank.
    fn slide(&mut self, y: u16, range: &Range<usize>, new: &[Cell]) {
        self.go_to(Position::new(range.start as u16, y), new);
        self.out.extend_from_slice(b"\x1b[P");
        self.go_to(Position::new(range.end as u16 - 1, y), new);
        self.out.extend_from_slice(b"\x1b[@");
    }

    fn show(&mut self, place: Position, cell: &Cell, line: &[Cell]) {
        self.go_to(place, line);
        self.take_ink(cell);
        let symbol = cell.symbol();
        self.out.extend_from_slice(symbol.as_bytes());
        // Behind the last column a terminal waits with the wrap.
        let is_last = usize::from(place.x) + 1 >= line.len();
        self.at = (!is_last && !is_wide(cell)).then(|| Position::new(place.x + 1, place.y));
        self.sure = self.sure && symbol.len() == 1;
    }

    /// True if writing these cells again is shorter than a move.
    fn steps_over(&self, gap: &[Cell]) -> bool {
        let bytes: usize = gap.iter().map(|cell| cell.symbol().len()).sum();
        bytes <= 3 && self.ink.is_some_and(|ink| gap.iter().all(|cell| ink.shows(cell) && !is_wide(cell)))
    }

    /// Moves to a place of the line, whose cells are these.
    fn go_to(&mut self, to: Position, line: &[Cell]) {
        let moved = match self.at {
            Some(at) if at == to => return,
            Some(at) if at.y == to.y && at.x < to.x => {
                let gap = line.get(usize::from(at.x)..usize::from(to.x)).unwrap_or_default();
                if self.steps_over(gap) {
                    self.out.extend(gap.iter().flat_map(|cell| cell.symbol().bytes()));
                    self.sure = self.sure && gap.iter().all(is_ascii);
                    self.at = Some(to);
                    return;
                }
                match gap.len() {
                    1 if self.sure => write!(self.out, "\x1b[C"),
                    cells if self.sure => write!(self.out, "\x1b[{cells}C"),
                    _ => write!(self.out, "\x1b[{}G", to.x + 1),
                }
            }
            Some(at) if at.y == to.y => write!(self.out, "\x1b[{}G", to.x + 1),
            Some(at) if at.x == to.x && self.sure => write!(self.out, "\x1b[{}d", to.y + 1),
            _ if to.x == 0 => write!(self.out, "\x1b[{}H", to.y + 1),
            // A number that is left out is 1.
            _ if to.y == 0 => write!(self.out, "\x1b[;{}H", to.x + 1),
            _ => write!(self.out, "\x1b[{};{}H", to.y + 1, to.x + 1),
        };
        // Writing into memory does not fail.
        let _ = moved;
        self.at = Some(to);
        self.sure = true;
    }

    fn take_ink(&mut self, cell: &Cell) {
        if self.ink.is_some_and(|ink| ink.shows(cell)) {
            return;
        }
        let to = self.ink.unwrap_or_default().for_cell(cell);
        self.codes_from_reset.clear();
        // A code that is left out is 0.
        self.codes_from_reset.push(';');
        Ink::default().codes(to, &mut self.codes_from_reset);
        let codes = match self.ink {
            None => &self.codes_from_reset,
            Some(ink) => {
                self.codes.clear();
                ink.codes(to, &mut self.codes);
                if self.codes.len() <= self.codes_from_reset.len() { &self.codes } else { &self.codes_from_reset }
            }
        };
        self.out.extend_from_slice(b"\x1b[");
        self.out.extend_from_slice(codes.trim_end_matches(';').as_bytes());
        self.out.push(b'm');
        self.ink = Some(to);
    }
}

/// The range of a line whose cells, in the new picture, are those of the old one, moved one to the left, except the last:
/// a sparkline as time goes on. `None` if moving them would hardly save bytes.
fn slid(old: &[Cell], new: &[Cell]) -> Option<Range<usize>> {
    /// How many cells would have to be written otherwise.
    const WORTH: usize = 6;
    let mut best = (0, 0..0);
    let mut run = (0, 0..0);
    for (x, (pair, is)) in old.windows(2).zip(new).enumerate() {
        let [was, right] = pair else { continue };
        if is != right || is_wide(is) || is_wide(was) {
            run = (0, 0..0);
        } else if is != was {
            let start = if run.0 == 0 { x } else { run.1.start };
            run = (run.0 + 1, start..x + 2);
            if run.0 > best.0 {
                best = run.clone();
            }
        }
    }
    let (cells, range) = best;
    let splits_wide = range.start > 0 && old.get(range.start - 1).is_some_and(is_wide);
    (cells >= WORTH && !splits_wide).then_some(range)
}

/// The line after [`Encoder::slide`].
fn after(range: &Range<usize>, old: &[Cell]) -> Vec<Cell> {
    let mut line = old.to_vec();
    if let Some(cells) = line.get_mut(range.clone())
        && let Some(first) = cells.first_mut()
    {
        // Equal to no cell of a picture: its background depends on the terminal.
        *first = Cell::new("");
        cells.rotate_left(1);
    }
    line
}

/// Adds the code of a colour; `plane` is 38 for the foreground, 48 for the background.
fn color_code(codes: &mut String, plane: u8, color: Color) {
    let index = match color {
        Color::Reset => {
            let _ = write!(codes, "{};", plane + 1);
            return;
        }
        Color::Rgb(red, green, blue) => {
            let _ = write!(codes, "{plane};2;{red};{green};{blue};");
            return;
        }
        Color::Indexed(index) => index,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
    };
    let _ = write!(codes, "{plane};5;{index};");
}

fn is_ascii(cell: &Cell) -> bool {
    cell.symbol().len() == 1
}

fn is_wide(cell: &Cell) -> bool {
    !is_ascii(cell) && text::width(cell.symbol()) > 1
}
