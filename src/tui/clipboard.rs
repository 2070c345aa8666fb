//! How a copied text reaches the clipboard of the terminal. tmux and screen may be between us and the terminal, and
//! pass it on only if they are configured to.

use std::io;

use crossterm::clipboard::CopyToClipboard;
use crossterm::queue;

/// How many bytes screen passes on at a time.
const SCREEN_PIECE: usize = 512;
const STRING_END: &[u8] = b"\x1b\\";
/// An alternative to the string terminator.
const BELL: u8 = 7;

/// What the text passes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Straight,
    Tmux,
    Screen,
    /// Perhaps tmux or screen on another machine.
    Unknown,
}

impl Way {
    /// Detects it from the environment.
    pub(super) fn of(var: impl Fn(&str) -> Option<String>) -> Self {
        let is_set = |name| var(name).is_some_and(|value| !value.is_empty());
        let term = var("TERM").unwrap_or_default();
        if is_set("TMUX") {
            Self::Tmux
        } else if is_set("STY") {
            Self::Screen
        } else if term.starts_with("tmux") || term.starts_with("screen") {
            Self::Unknown
        } else {
            Self::Straight
        }
    }

    /// The bytes that send a text to the clipboard.
    pub(super) fn sequence(self, text: &str) -> io::Result<Vec<u8>> {
        let mut sequence = Vec::new();
        queue!(sequence, CopyToClipboard::to_clipboard_from(text))?;
        if self != Self::Screen {
            return Ok(sequence);
        }
        // screen passes on a string of its own, in pieces. The terminator of our string would end that string too.
        if sequence.ends_with(STRING_END) {
            sequence.truncate(sequence.len() - STRING_END.len());
            sequence.push(BELL);
        }
        let pieces = sequence.chunks(SCREEN_PIECE);
        Ok(pieces.flat_map(|piece| [b"\x1bP", piece, STRING_END].concat()).collect())
    }

    /// The message for the user. It promises nothing, as no terminal reports whether it accepted the text.
    pub(super) fn said(self) -> &'static str {
        match self {
            Self::Straight => "sent to the terminal",
            Self::Tmux => "sent to tmux, which passes it on with: set -g set-clipboard on",
            Self::Screen => "sent through screen to the terminal",
            Self::Unknown => "sent to the terminal; a tmux in between passes it on with: set -g set-clipboard on",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(vars: &[(&str, &str)]) -> Way {
        Way::of(|name| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_multiplexer_in_between_is_recognised() {
        assert_eq!(way(&[("TERM", "xterm-256color"), ("TMUX", "")]), Way::Straight);
        assert_eq!(way(&[("TERM", "tmux-256color"), ("TMUX", "/tmp/tmux-0/default,1,0")]), Way::Tmux);
        assert_eq!(way(&[("TERM", "screen"), ("STY", "1.pts-0.host")]), Way::Screen);
        assert_eq!(way(&[("TERM", "tmux-256color")]), Way::Unknown);
        assert_eq!(way(&[]), Way::Straight);
    }

    #[test]
    fn screen_gets_it_in_pieces_that_make_the_whole() {
        let text = "x".repeat(3000);
        let straight = Way::Straight.sequence(&text).unwrap();
        let wrapped = String::from_utf8(Way::Screen.sequence(&text).unwrap()).unwrap();
        let pieces: Vec<&str> =
            wrapped.split_terminator("\x1b\\").map(|piece| piece.strip_prefix("\x1bP").unwrap()).collect();
        assert!(pieces.iter().all(|piece| piece.len() <= SCREEN_PIECE), "{pieces:?}");
        let straight = String::from_utf8(straight).unwrap();
        assert_eq!(pieces.concat(), straight.trim_end_matches("\x1b\\").to_owned() + "\x07");
    }
}
