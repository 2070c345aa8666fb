//! Decodes the bytes of the terminal to keys, clicks and pastes. Over a network or a serial line, a key may arrive in
//! two reads; the same bytes give the same events wherever they are split.
//!
//! A lone Esc is a key or the beginning of a sequence. Only time can tell, and the caller keeps the time
//! ([`Decoder::patience`]).

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

const ESC: u8 = 0x1b;
const PASTE: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";
/// How long to wait for the rest of a sequence that has certainly begun. Half a sequence is never a key.
const REST: Duration = Duration::from_secs(1);

/// Turns bytes into events.
#[derive(Debug)]
pub struct Decoder {
    /// Bytes that are not a complete event yet.
    bytes: Vec<u8>,
    /// Bytes of a paste that were already searched for its end.
    searched: usize,
    /// How long to wait for a sequence after a lone Esc.
    escape: Duration,
}

enum Parsed {
    /// The beginning of a sequence.
    Part,
    /// A complete sequence: its length in bytes, and its event if it has a meaning here.
    Whole(usize, Option<Event>),
}

use Parsed::{Part, Whole};

impl Decoder {
    /// A decoder that waits `escape` after a lone Esc.
    pub fn new(escape: Duration) -> Self {
        Self { bytes: Vec::new(), searched: 0, escape }
    }

    /// Takes the bytes of a read.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// How long to wait for more bytes before [`Self::give_up`]; `None` if nothing is pending.
    pub fn patience(&self) -> Option<Duration> {
        match self.bytes.as_slice() {
            [] => None,
            [ESC] => Some(self.escape),
            // A paste has no time limit.
            begun if begun.starts_with(PASTE) => None,
            _ => Some(REST),
        }
    }

    /// To be called when no more bytes came in time: a lone Esc was the key; anything else is dropped.
    pub fn give_up(&mut self) -> Option<Event> {
        let lone = self.bytes == [ESC];
        self.bytes.clear();
        lone.then(|| key(KeyCode::Esc))
    }

    fn parse(&mut self) -> Parsed {
        if self.bytes.starts_with(PASTE) {
            return self.paste();
        }
        parse(&self.bytes)
    }

    fn paste(&mut self) -> Parsed {
        let from = self.searched.max(PASTE.len());
        let rest = self.bytes.get(from..).unwrap_or_default();
        let Some(end) = rest.windows(PASTE_END.len()).position(|window| window == PASTE_END) else {
            self.searched = self.bytes.len().saturating_sub(PASTE_END.len());
            return Part;
        };
        self.searched = 0;
        let text = self.bytes.get(PASTE.len()..from + end).unwrap_or_default();
        let text = String::from_utf8_lossy(text).into_owned();
        Whole(from + end + PASTE_END.len(), Some(Event::Paste(text)))
    }
}

/// Yields the complete events so far.
impl Iterator for Decoder {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        while let Whole(length, event) = self.parse() {
            self.bytes.drain(..length.min(self.bytes.len()));
            if event.is_some() {
                return event;
            }
        }
        None
    }
}

fn parse(bytes: &[u8]) -> Parsed {
    match *bytes {
        [] | [ESC] => Part,
        [ESC, b'[', ref rest @ ..] => sequence(rest),
        [ESC, b'O', ref rest @ ..] => match rest.first() {
            None => Part,
            Some(&letter) => Whole(3, named(letter).map(key)),
        },
        [ESC, ESC, ..] => Whole(1, Some(key(KeyCode::Esc))),
        [ESC, ref rest @ ..] => match parse(rest) {
            Part => Part,
            Whole(length, event) => Whole(length + 1, event.map(with_alt)),
        },
        [byte, ..] if byte < 0x20 || byte == 0x7f => Whole(1, Some(control(byte))),
        _ => character(bytes),
    }
}

fn key(code: KeyCode) -> Event {
    held(code, KeyModifiers::NONE)
}

fn held(code: KeyCode, modifiers: KeyModifiers) -> Event {
    Event::Key(KeyEvent::new(code, modifiers))
}

fn with_alt(event: Event) -> Event {
    match event {
        Event::Key(key) => Event::Key(KeyEvent { modifiers: key.modifiers | KeyModifiers::ALT, ..key }),
        other => other,
    }
}

fn control(byte: u8) -> Event {
    match byte {
        b'\r' => key(KeyCode::Enter),
        b'\t' => key(KeyCode::Tab),
        0x7f => key(KeyCode::Backspace),
        0 => held(KeyCode::Char(' '), KeyModifiers::CONTROL),
        1..=0x1a => held(KeyCode::Char(char::from(byte - 1 + b'a')), KeyModifiers::CONTROL),
        _ => held(KeyCode::Char(char::from(byte.wrapping_sub(0x1c) % 4 + b'4')), KeyModifiers::CONTROL),
    }
}

/// One character of UTF-8; an invalid byte is dropped.
fn character(bytes: &[u8]) -> Parsed {
    let length = match bytes.first() {
        Some(0..0x80) => 1,
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        _ => return Whole(1, None),
    };
    let Some(one) = bytes.get(..length) else {
        let begun = bytes.get(1..).unwrap_or_default().iter().all(|byte| byte & 0xc0 == 0x80);
        return if begun { Part } else { Whole(1, None) };
    };
    match std::str::from_utf8(one).ok().and_then(|text| text.chars().next()) {
        Some(c) => {
            let shift = if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
            Whole(length, Some(held(KeyCode::Char(c), shift)))
        }
        None => Whole(1, None),
    }
}

/// What follows `ESC [`: parameters up to a letter that determines their meaning.
fn sequence(rest: &[u8]) -> Parsed {
    // The Linux console's `F1` to `F5`.
    if let [b'[', letter, ..] = *rest {
        let code = (b'A'..=b'E').contains(&letter).then(|| KeyCode::F(letter - b'A' + 1));
        return Whole(4, code.map(key));
    }
    if rest == b"[" {
        return Part;
    }
    let Some(end) = rest.iter().position(|byte| !(0x20..0x40).contains(byte)) else { return Part };
    let (parameters, last) = (rest.get(..end).unwrap_or_default(), rest.get(end).copied().unwrap_or_default());
    let length = end + 3;
    if !(0x40..0x7f).contains(&last) {
        // An invalid byte ends the sequence and is parsed again.
        return Whole(length - 1, None);
    }
    if parameters.is_empty() && last == b'M' {
        return match *rest {
            [_, button, x, y, ..] => {
                let place = |byte: u8| u16::from(byte).saturating_sub(33);
                Whole(length + 3, mouse(u16::from(button).saturating_sub(32), place(x), place(y)))
            }
            _ => Part,
        };
    }
    Whole(length, meaning(parameters, last))
}

fn meaning(parameters: &[u8], last: u8) -> Option<Event> {
    let text = std::str::from_utf8(parameters).ok()?;
    if let Some(text) = text.strip_prefix('<') {
        // The release of a button is reported too, with another letter.
        return if last == b'M' { reported(text, 0) } else { None };
    }
    let first = text.split([';', ':']).next().and_then(|number| number.parse::<u32>().ok());
    let code = match (last, first) {
        (b'M', _) => return reported(text, 32),
        // The cursor position, which another program asked for.
        (b'R', Some(_)) => return None,
        (b'Z', _) => return Some(held(KeyCode::BackTab, KeyModifiers::SHIFT)),
        (b'~', Some(number)) => numbered(number)?,
        (b'u', Some(number)) => coded(number)?,
        (letter, _) => named(letter)?,
    };
    let mut second = text.split(';').nth(1).unwrap_or_default().split(':').map(|number| number.parse::<u8>().ok());
    let modifiers = modifiers(second.next().flatten().unwrap_or(1));
    let kind = match second.next().flatten() {
        Some(2) => KeyEventKind::Repeat,
        Some(3) => KeyEventKind::Release,
        _ => KeyEventKind::Press,
    };
    let code = if code == KeyCode::Tab && modifiers.contains(KeyModifiers::SHIFT) { KeyCode::BackTab } else { code };
    Some(Event::Key(KeyEvent::new_with_kind(code, modifiers, kind)))
}

fn modifiers(mask: u8) -> KeyModifiers {
    let held = mask.saturating_sub(1);
    let all = [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)];
    all.into_iter().filter(|(bit, _)| held & bit != 0).map(|(_, modifier)| modifier).collect()
}

/// The letter of an arrow or a function key.
fn named(letter: u8) -> Option<KeyCode> {
    Some(match letter {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        // Keys of the keypad.
        b'M' => KeyCode::Enter,
        b'P'..=b'S' => KeyCode::F(letter - b'P' + 1),
        _ => return None,
    })
}

fn numbered(number: u32) -> Option<KeyCode> {
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => KeyCode::F(number as u8 - 10),
        17..=21 => KeyCode::F(number as u8 - 11),
        23..=24 => KeyCode::F(number as u8 - 12),
        _ => return None,
    })
}

/// A key by its code point, as reported by terminals with the keyboard protocol.
fn coded(number: u32) -> Option<KeyCode> {
    Some(match number {
        0x1b => KeyCode::Esc,
        0x0d | 57414 => KeyCode::Enter,
        0x09 => KeyCode::Tab,
        0x7f => KeyCode::Backspace,
        // Characters for private use are keys without a meaning here.
        0xe000..=0xf8ff => return None,
        _ => KeyCode::Char(char::from_u32(number)?),
    })
}

/// `button;column;row`, both from 1.
fn reported(text: &str, offset: u16) -> Option<Event> {
    let mut numbers = text.split(';').map(|number| number.parse::<u16>().ok());
    let mut next = || numbers.next().flatten();
    let (button, x, y) = (next()?.checked_sub(offset)?, next()?, next()?);
    mouse(button, x.checked_sub(1)?, y.checked_sub(1)?)
}

/// Mouse events that have a meaning here: a press, a turn of the wheel.
fn mouse(button: u16, column: u16, row: u16) -> Option<Event> {
    let kind = match button & !0b1_1100 {
        0 => MouseEventKind::Down(MouseButton::Left),
        64 => MouseEventKind::ScrollUp,
        65 => MouseEventKind::ScrollDown,
        66 => MouseEventKind::ScrollLeft,
        67 => MouseEventKind::ScrollRight,
        _ => return None,
    };
    Some(Event::Mouse(MouseEvent { kind, column, row, modifiers: modifiers(((button >> 2) & 0b111) as u8 + 1) }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::app::Msg;
    use crate::tui::input::message;

    const WAIT: Duration = Duration::from_millis(25);

    /// Keys by name, other events in their debug form.
    fn said(events: impl IntoIterator<Item = Event>) -> String {
        let one = |event: Event| match message(event) {
            Some(Msg::Key(key)) => key.label(true),
            Some(Msg::Mouse(mouse)) => format!("{:?} at {},{}", mouse.kind, mouse.x, mouse.y),
            Some(Msg::Paste(text)) => format!("paste {text:?}"),
            _ => "nothing".to_owned(),
        };
        events.into_iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn whole(bytes: &[u8]) -> (String, Decoder) {
        let mut decoder = Decoder::new(WAIT);
        decoder.feed(bytes);
        (said(decoder.by_ref()), decoder)
    }

    const CASES: &[(&[u8], &str)] = &[
        (b"a", "a"),
        (b"G", "G"),
        ("ä€😀".as_bytes(), "ä € 😀"),
        (b"\r\t\x7f\x03", "Enter Tab Backspace Ctrl-c"),
        (b"\x1bOP\x1b[11~\x1b[[A\x1b[P", "F1 F1 F1 F1"),
        (b"\x1bOS\x1b[15~\x1b[20~\x1b[24~", "F4 F5 F9 F12"),
        (b"\x1b[A\x1bOB\x1b[C\x1bOD", "Up Down Right Left"),
        (b"\x1b[H\x1bOF\x1b[1~\x1b[4~", "Home End Home End"),
        (b"\x1b[5~\x1b[6~\x1b[3~", "PgUp PgDn Del"),
        (b"\x1b[Z", "Shift-Tab"),
        (b"\x1b[1;5C\x1b[1;2A", "Ctrl-Right Shift-Up"),
        (b"\x1bf\x1b\r", "Alt-f Alt-Enter"),
        (b"\x1b\x1b[A", "Esc Up"),
        (b"\x1b[27u\x1b[99;5u\x1b[97;1:3u", "Esc Ctrl-c nothing"),
        (b"\x1b[<0;5;3M\x1b[<0;5;3m\x1b[<65;1;1M", "Click at 4,2 ScrollDown at 0,0"),
        (b"\x1b[<35;5;3Mx", "x"),
        (b"\x1b[M !!\x1b[32;2;3M", "Click at 0,0 Click at 1,2"),
        (b"\x1b[200~a\x1b[A\r\n\x1b[201~b", r#"paste "a\u{1b}[A\r\n" b"#),
        (b"\x1b[?62;22c\x1b[1;1R\x1b[Iq", "q"),
        (b"\x1b[12\x1b[B", "Down"),
        (b"\xff\xc3(q", "( q"),
    ];

    #[test]
    fn every_sequence_is_its_key() {
        for (bytes, want) in CASES {
            let (got, decoder) = whole(bytes);
            assert_eq!((got.as_str(), decoder.patience()), (*want, None), "{bytes:?}");
        }
    }

    #[test]
    fn wherever_it_is_cut() {
        for (bytes, want) in CASES {
            for cut in 0..bytes.len() {
                let mut decoder = Decoder::new(WAIT);
                decoder.feed(&bytes[..cut]);
                let mut events: Vec<Event> = decoder.by_ref().collect();
                decoder.feed(&bytes[cut..]);
                events.extend(decoder);
                assert_eq!(said(events), *want, "{bytes:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_lone_escape_waits_a_moment() {
        let (said, mut decoder) = whole(b"\x1b");
        assert_eq!((said.as_str(), decoder.patience()), ("", Some(WAIT)));
        assert_eq!(decoder.give_up(), Some(key(KeyCode::Esc)));
        assert_eq!(decoder.patience(), None);
        // Half a sequence is no key, and a paste waits for its end.
        let (_, mut decoder) = whole(b"\x1b[<0;1");
        assert_eq!((decoder.patience(), decoder.give_up()), (Some(REST), None));
        assert_eq!(whole(b"\x1b[200~abc").1.patience(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_decoded_in_any_pieces(pieces in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..6),
                prop::sample::select(CASES.iter().map(|(bytes, _)| bytes.to_vec()).collect::<Vec<_>>()),
            ], 0..8)) {
            let mut decoder = Decoder::new(WAIT);
            let mut events = Vec::new();
            for piece in &pieces {
                decoder.feed(piece);
                events.extend(decoder.by_ref());
            }
            let (all, rest) = whole(&pieces.concat());
            prop_assert_eq!(said(events), all);
            prop_assert_eq!(decoder.bytes, rest.bytes);
        }
    }
}
