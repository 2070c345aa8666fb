//! A screen as SVG. Lines and blocks are drawn as shapes, so that they join without gaps in every font; each run of
//! text is stretched to the width of its cells.

use std::fmt::Write as _;

use vt100::{Cell, Color, Screen};

const BACKGROUND: [u8; 3] = [0x10, 0x14, 0x18];
const FOREGROUND: [u8; 3] = [0xd4, 0xd8, 0xdd];
const PALETTE: [Rgb; 16] = [
    [0x1c, 0x21, 0x27],
    [0xe5, 0x63, 0x6a],
    [0x7f, 0xc9, 0x78],
    [0xe2, 0xb7, 0x5f],
    [0x6b, 0xa4, 0xe8],
    [0xc5, 0x8b, 0xe0],
    [0x5c, 0xc3, 0xc4],
    [0xc9, 0xcd, 0xd3],
    [0x6a, 0x73, 0x7d],
    [0xf2, 0x8b, 0x90],
    [0xa4, 0xdd, 0x9e],
    [0xf0, 0xcf, 0x8e],
    [0x96, 0xc0, 0xf2],
    [0xd9, 0xae, 0xee],
    [0x8d, 0xdc, 0xdd],
    [0xff, 0xff, 0xff],
];
const FONT: &str = "'JetBrains Mono','DejaVu Sans Mono',Menlo,Consolas,monospace";
/// Sizes of a cell, of the margin around the screen and of the bar above it, in pixels.
const CELL: (f64, f64) = (9.0, 20.0);
const EDGE: f64 = 15.0;
const BAR: f64 = 24.0;
const SIZE: f64 = 15.0;

type Rgb = [u8; 3];

/// The look of a cell.
#[derive(Clone, Copy, PartialEq)]
struct Look {
    fore: Rgb,
    back: Rgb,
    bold: bool,
    italic: bool,
    underline: bool,
}

/// The screen in a window with a title.
pub fn picture(screen: &Screen, title: &str) -> String {
    let (rows, cols) = screen.size();
    let (rows, cols) = (rows.get(), cols.get());
    let width = f64::from(cols) * CELL.0 + 2.0 * EDGE;
    let height = f64::from(rows) * CELL.1 + 2.0 * EDGE + BAR;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"{FONT}\" font-size=\"{SIZE}\" xml:space=\"preserve\">\
         <rect width=\"100%\" height=\"100%\" rx=\"7.5\" fill=\"{}\"/>",
        hex(BACKGROUND)
    );
    for (n, color) in ["#f2665c", "#f0bb40", "#55c356"].iter().enumerate() {
        let x = 19.5 + 16.5 * n as f64;
        write!(svg, "<circle cx=\"{x}\" cy=\"17.25\" r=\"5.4\" fill=\"{color}\"/>").unwrap();
    }
    let middle = width / 2.0;
    writeln!(svg, "<text x=\"{middle}\" y=\"22.5\" text-anchor=\"middle\" fill=\"#8f9398\">{title}</text>").unwrap();
    for row in 0..rows {
        line(&mut svg, screen, row, cols);
    }
    svg + "</svg>\n"
}

fn line(svg: &mut String, screen: &Screen, row: u16, cols: u16) {
    let y = EDGE + BAR + f64::from(row) * CELL.1;
    let cells: Vec<(String, Look)> = (0..cols)
        .map(|col| {
            screen
                .cell(row, col)
                .map_or((String::new(), look(None)), |cell| (cell.contents().to_owned(), look(Some(cell))))
        })
        .collect();
    for (from, to) in runs(&cells, |a, b| a.1.back == b.1.back) {
        if cells[from].1.back != BACKGROUND {
            rect(svg, place(from), y, (to - from) as f64 * CELL.0, CELL.1, cells[from].1.back);
        }
    }
    let is_text = |cell: &(String, Look)| !cell.0.trim().is_empty() && !has_shape(&cell.0);
    for (from, to) in
        runs(&cells, |a, b| a.1 == b.1 && has_shape(&a.0) == has_shape(&b.0) && (is_text(a) == is_text(b)))
    {
        let run = &cells[from..to];
        if has_shape(&run[0].0) {
            for (n, (sign, look)) in run.iter().enumerate() {
                shape(svg, sign, place(from + n), y, look.fore);
            }
        } else if is_text(&run[0]) {
            text(svg, run, place(from), y);
        }
    }
}

/// Ranges `from..to` of neighbours that are the same.
fn runs<T>(cells: &[T], same: impl Fn(&T, &T) -> bool) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let mut from = 0;
    for at in 1..=cells.len() {
        if at == cells.len() || !same(&cells[at - 1], &cells[at]) {
            runs.push((from, at));
            from = at;
        }
    }
    runs
}

fn text(svg: &mut String, run: &[(String, Look)], x: f64, y: f64) {
    let said: String = run.iter().map(|(text, _)| text.as_str()).collect();
    let said = said.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let look = run[0].1;
    let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
    let slant = if look.italic { " font-style=\"italic\"" } else { "" };
    let below = if look.underline { " text-decoration=\"underline\"" } else { "" };
    let (length, base, fill) = (run.len() as f64 * CELL.0, y + SIZE, hex(look.fore));
    writeln!(
        svg,
        "<text x=\"{x}\" y=\"{base}\" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{fill}\"{weight}{slant}{below}>{said}</text>"
    )
    .unwrap();
}

fn place(col: usize) -> f64 {
    EDGE + col as f64 * CELL.0
}

fn rect(svg: &mut String, x: f64, y: f64, width: f64, height: f64, fill: Rgb) {
    let fill = hex(fill);
    writeln!(svg, "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" fill=\"{fill}\"/>")
        .unwrap();
}

/// Arms of a line: left, right, up, down.
fn arms(sign: char) -> Option<[bool; 4]> {
    let bits: u8 = match sign {
        '─' => 3,
        '│' => 12,
        '┌' => 10,
        '┐' => 9,
        '└' => 6,
        '┘' => 5,
        '├' => 14,
        '┤' => 13,
        '┬' => 11,
        '┴' => 7,
        '┼' => 15,
        _ => return None,
    };
    Some([1, 2, 4, 8].map(|bit| bits & bit != 0))
}

/// The directions of a round corner: right or left, down or up.
fn corner(sign: char) -> Option<(f64, f64)> {
    Some(match sign {
        '╭' => (1.0, 1.0),
        '╮' => (-1.0, 1.0),
        '╰' => (1.0, -1.0),
        '╯' => (-1.0, -1.0),
        _ => return None,
    })
}

/// The share of a cell that a bar fills, from the bottom.
fn bar(sign: char) -> Option<f64> {
    ('▁'..='█').contains(&sign).then(|| f64::from(sign as u32 - '▁' as u32 + 1) / 8.0)
}

fn has_shape(text: &str) -> bool {
    text.chars().next().is_some_and(|sign| arms(sign).is_some() || corner(sign).is_some() || bar(sign).is_some())
}

fn shape(svg: &mut String, text: &str, x: f64, y: f64, color: Rgb) {
    let Some(sign) = text.chars().next() else { return };
    let (middle, centre, thick) = (x + CELL.0 / 2.0, y + CELL.1 / 2.0, 1.12);
    if let Some(share) = bar(sign) {
        rect(svg, x, y + CELL.1 * (1.0 - share), CELL.0, CELL.1 * share, color);
    } else if let Some((right, down)) = corner(sign) {
        let (end, bend) = (centre + down * CELL.1 / 2.0, CELL.0 / 2.0);
        writeln!(
            svg,
            "<path d=\"M{middle} {end}V{}Q{middle} {centre} {} {centre}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{thick}\"/>",
            centre + down * bend,
            middle + right * bend,
            hex(color)
        )
        .unwrap();
    } else if let Some([left, right, up, down]) = arms(sign) {
        let half = thick / 2.0;
        if left || right {
            let from = if left { x } else { middle - half };
            let to = if right { x + CELL.0 } else { middle + half };
            rect(svg, from, centre - half, to - from, thick, color);
        }
        if up || down {
            let from = if up { y } else { centre - half };
            let to = if down { y + CELL.1 } else { centre + half };
            rect(svg, middle - half, from, thick, to - from, color);
        }
    }
}

fn look(cell: Option<&Cell>) -> Look {
    let Some(cell) = cell else {
        return Look { fore: FOREGROUND, back: BACKGROUND, bold: false, italic: false, underline: false };
    };
    let (mut fore, mut back) = (rgb(cell.fgcolor(), FOREGROUND), rgb(cell.bgcolor(), BACKGROUND));
    if cell.inverse() {
        std::mem::swap(&mut fore, &mut back);
    }
    if cell.dim() {
        fore = [0, 1, 2].map(|n| ((u16::from(fore[n]) * 6 + u16::from(back[n]) * 4) / 10) as u8);
    }
    Look { fore, back, bold: cell.bold(), italic: cell.italic(), underline: cell.underline() }
}

fn rgb(color: Color, usual: Rgb) -> Rgb {
    match color {
        Color::Default => usual,
        Color::Rgb(r, g, b) => [r, g, b],
        Color::Idx(n @ 0..16) => PALETTE[usize::from(n)],
        Color::Idx(n @ 16..232) => {
            let step = |of: u8| if of == 0 { 0 } else { 55 + of * 40 };
            [step((n - 16) / 36), step((n - 16) / 6 % 6), step((n - 16) % 6)]
        }
        Color::Idx(n) => [8 + 10 * (n - 232); 3],
    }
}

fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}
