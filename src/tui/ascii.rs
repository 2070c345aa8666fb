//! For terminals without UTF-8: replaces, in a finished frame, every non-ASCII sign by the nearest ASCII one. No other
//! drawing code needs to know of such terminals.

use ratatui::buffer::Buffer;

/// Replaces every non-ASCII sign, cell by cell.
pub(crate) fn to_ascii(buf: &mut Buffer) {
    for cell in &mut buf.content {
        if !cell.symbol().is_ascii() {
            let sign = cell.symbol().chars().next().map_or(' ', nearest);
            cell.set_char(sign);
        }
    }
}

fn nearest(sign: char) -> char {
    match sign {
        '●' => 'o',
        '◐' => '~',
        '✖' | '×' => 'x',
        '▲' | '↑' => '^',
        '▼' | '↓' => 'v',
        '▸' | '›' | '→' | '❯' => '>',
        '‹' | '←' | '⏎' => '<',
        '–' | '—' | '─' | '╌' | '▃' => '-',
        '│' | '┆' => '|',
        '╭' | '╮' | '╰' | '╯' | '├' | '┤' | '┬' | '┴' | '┼' => '+',
        '▰' | '█' | '▇' | '✔' | '✓' => '#',
        '○' | '◌' | '▱' | '·' | '…' | '▁' => '.',
        '▂' => ':',
        '▄' => '=',
        '▅' | '•' | '◆' => '*',
        '▆' => '%',
        'µ' => 'u',
        '␣' => '_',
        '“' | '”' => '"',
        '‘' | '’' => '\'',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_ascii_is_left() {
        let mut buf = Buffer::with_lines(["╭▸ a日é… ●╮"]);
        to_ascii(&mut buf);
        assert_eq!(buf, Buffer::with_lines(["+> a? ?. o+"]));
    }
}
