//! Translates terminal events to messages of the app. Events without a meaning here give none.

use crossterm::event::{
    Event, KeyCode as TerminalCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use crate::app::{Key, KeyCode, Mouse, MouseKind, Msg};

/// The message for an event; `None` if it has no meaning here.
pub fn message(event: Event) -> Option<Msg> {
    match event {
        Event::Key(event) if event.kind != KeyEventKind::Release => key(event).map(Msg::Key),
        Event::Mouse(event) => mouse(event).map(Msg::Mouse),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(width, height) => Some(Msg::Resize { width, height }),
        Event::Key(_) | Event::FocusGained | Event::FocusLost => None,
    }
}

fn key(event: KeyEvent) -> Option<Key> {
    let code = match event.code {
        TerminalCode::Char(c) => KeyCode::Char(c),
        TerminalCode::F(number) => KeyCode::F(number),
        TerminalCode::Enter => KeyCode::Enter,
        TerminalCode::Esc => KeyCode::Esc,
        TerminalCode::Tab | TerminalCode::BackTab => KeyCode::Tab,
        TerminalCode::Backspace => KeyCode::Backspace,
        TerminalCode::Delete => KeyCode::Delete,
        TerminalCode::Left => KeyCode::Left,
        TerminalCode::Right => KeyCode::Right,
        TerminalCode::Up => KeyCode::Up,
        TerminalCode::Down => KeyCode::Down,
        TerminalCode::Home => KeyCode::Home,
        TerminalCode::End => KeyCode::End,
        TerminalCode::PageUp => KeyCode::PageUp,
        TerminalCode::PageDown => KeyCode::PageDown,
        _ => return None,
    };
    let held = |modifier| event.modifiers.contains(modifier);
    let key = Key {
        code,
        ctrl: held(KeyModifiers::CONTROL),
        alt: held(KeyModifiers::ALT),
        shift: held(KeyModifiers::SHIFT) || event.code == TerminalCode::BackTab,
    };
    Some(key.normal())
}

fn mouse(event: MouseEvent) -> Option<Mouse> {
    let kind = match event.kind {
        MouseEventKind::Down(MouseButton::Left) => MouseKind::Click,
        MouseEventKind::ScrollUp => MouseKind::ScrollUp,
        MouseEventKind::ScrollDown => MouseKind::ScrollDown,
        MouseEventKind::ScrollLeft => MouseKind::ScrollLeft,
        MouseEventKind::ScrollRight => MouseKind::ScrollRight,
        _ => return None,
    };
    Some(Mouse { kind, x: event.column, y: event.row })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_terminal_become_keys_of_the_app() {
        for (code, modifiers, name) in [
            (TerminalCode::Char('j'), KeyModifiers::NONE, "j"),
            (TerminalCode::Char('G'), KeyModifiers::SHIFT, "G"),
            (TerminalCode::Char('u'), KeyModifiers::CONTROL, "ctrl-u"),
            (TerminalCode::BackTab, KeyModifiers::NONE, "shift-tab"),
            (TerminalCode::BackTab, KeyModifiers::SHIFT, "shift-tab"),
            (TerminalCode::Enter, KeyModifiers::NONE, "enter"),
            (TerminalCode::F(5), KeyModifiers::NONE, "f5"),
        ] {
            assert_eq!(key(KeyEvent::new(code, modifiers)), Key::parse(name), "{name}");
        }
        assert_eq!(key(KeyEvent::new(TerminalCode::CapsLock, KeyModifiers::NONE)), None);
    }

    #[test]
    fn a_released_key_is_no_second_press() {
        let press = KeyEvent::new(TerminalCode::Char('q'), KeyModifiers::NONE);
        let release = KeyEvent { kind: KeyEventKind::Release, ..press };
        assert!(message(Event::Key(press)).is_some());
        assert!(message(Event::Key(release)).is_none());
    }
}
