//! Signs for a terminal without UTF-8: the finished picture is gone over once, and what is no ASCII is replaced by
//! what comes nearest. Everything else draws as if there were no such terminals.

use ratatui::buffer::Buffer;

/// Replaces every sign that is not ASCII, cell for cell.
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
