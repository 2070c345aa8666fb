//! Keys, and how the key map writes them: `j`, `G`, `enter`, `ctrl-u`, `shift-tab`, `f1`.

/// A key press. Upper case is part of the character: `G` is `Char('G')`, with or without `shift`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// The key itself.
    pub code: KeyCode,
    /// True if Ctrl was held.
    pub ctrl: bool,
    /// True if Alt was held.
    pub alt: bool,
    /// True if Shift was held.
    pub shift: bool,
}

/// A key without its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyCode {
    /// A character.
    Char(char),
    /// A function key, by its number.
    F(u8),
    /// Enter.
    Enter,
    /// Escape.
    Esc,
    /// Tab.
    Tab,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
}

/// For each named key: its name in the key map, the label, and the label on an ASCII terminal.
const NAMED: [(&str, KeyCode, &str, &str); 14] = [
    ("enter", KeyCode::Enter, "⏎", "Enter"),
    ("esc", KeyCode::Esc, "Esc", "Esc"),
    ("tab", KeyCode::Tab, "Tab", "Tab"),
    ("space", KeyCode::Char(' '), "␣", "Space"),
    ("backspace", KeyCode::Backspace, "Backspace", "Backspace"),
    ("delete", KeyCode::Delete, "Del", "Del"),
    ("left", KeyCode::Left, "←", "Left"),
    ("right", KeyCode::Right, "→", "Right"),
    ("up", KeyCode::Up, "↑", "Up"),
    ("down", KeyCode::Down, "↓", "Down"),
    ("home", KeyCode::Home, "Home", "Home"),
    ("end", KeyCode::End, "End", "End"),
    ("pgup", KeyCode::PageUp, "PgUp", "PgUp"),
    ("pgdn", KeyCode::PageDown, "PgDn", "PgDn"),
];

impl From<KeyCode> for Key {
    fn from(code: KeyCode) -> Self {
        Self { code, ctrl: false, alt: false, shift: false }
    }
}

impl Key {
    /// The normal form of the key: without `shift` for a character, whose case already says it.
    #[must_use]
    pub fn normal(mut self) -> Self {
        if let KeyCode::Char(c) = self.code {
            self.shift = false;
            if self.ctrl {
                self.code = KeyCode::Char(c.to_ascii_lowercase());
            }
        }
        self
    }

    /// Reads one key in the notation of the key map; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut key = Self::from(KeyCode::Esc);
        let mut rest = text;
        loop {
            let (modifier, tail) = match rest.split_once('-') {
                Some((modifier, tail)) if !modifier.is_empty() && !tail.is_empty() => (modifier, tail),
                _ => break,
            };
            match modifier {
                "ctrl" => key.ctrl = true,
                "alt" => key.alt = true,
                "shift" => key.shift = true,
                _ => return None,
            }
            rest = tail;
        }
        key.code = code(rest)?;
        Some(key.normal())
    }

    /// Reads a sequence of keys: each character is itself, `<...>` is one key in the notation above, `<<>` is `<`.
    /// Unreadable parts are skipped.
    pub fn sequence(text: &str) -> Vec<Self> {
        let mut keys = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|tail| match tail.strip_prefix("<>") {
                Some(after) => Some(("<", after)),
                None => tail.split_once('>'),
            });
            let (key, tail) = match named {
                Some((name, tail)) => (Self::parse(name), tail),
                None => (Some(Self::from(KeyCode::Char(c))), rest.get(c.len_utf8()..).unwrap_or_default()),
            };
            keys.extend(key);
            rest = tail;
        }
        keys
    }

    /// The label of the key in the help and the key line.
    pub fn label(self, ascii: bool) -> String {
        let name = match self.code {
            KeyCode::F(number) => format!("F{number}"),
            code => match NAMED.iter().find(|named| named.1 == code) {
                Some((_, _, sign, word)) => (if ascii { word } else { sign }).to_string(),
                None => match code {
                    KeyCode::Char(c) => c.to_string(),
                    other => format!("{other:?}"),
                },
            },
        };
        let ctrl = if self.ctrl { "Ctrl-" } else { "" };
        let alt = if self.alt { "Alt-" } else { "" };
        let shift = if self.shift { "Shift-" } else { "" };
        format!("{ctrl}{alt}{shift}{name}")
    }
}

fn code(name: &str) -> Option<KeyCode> {
    if let Some(named) = NAMED.iter().find(|named| named.0 == name) {
        return Some(named.1);
    }
    if let Some(number) = name.strip_prefix('f').filter(|digits| !digits.is_empty()) {
        return number.parse().ok().filter(|number| (1..=12).contains(number)).map(KeyCode::F);
    }
    let mut chars = name.chars();
    let first = chars.next()?;
    chars.next().is_none().then_some(KeyCode::Char(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notation_and_label() {
        for (text, label) in [
            ("j", "j"),
            ("G", "G"),
            ("-", "-"),
            ("f", "f"),
            ("f5", "F5"),
            ("enter", "⏎"),
            ("space", "␣"),
            ("ctrl-u", "Ctrl-u"),
            ("shift-tab", "Shift-Tab"),
        ] {
            assert_eq!(Key::parse(text).map(|key| key.label(false)).as_deref(), Some(label), "{text}");
        }
        for wrong in ["", "jk", "hyper-x", "f13", "ctrl-"] {
            assert_eq!(Key::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_run_of_keys() {
        let labels: Vec<_> = Key::sequence("j<enter><<>ä<ctrl-c>").into_iter().map(|key| key.label(true)).collect();
        assert_eq!(labels, ["j", "Enter", "<", "ä", "Ctrl-c"]);
    }
}
