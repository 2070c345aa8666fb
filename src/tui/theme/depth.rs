//! How many colours and signs the terminal has, and the nearest available colour.

use ratatui::style::Color;

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorDepth {
    /// 24 bits per colour.
    True,
    /// The 256 colours of xterm.
    Indexed,
    /// The 16 named colours.
    Sixteen,
    /// `NO_COLOR`: only bold, dim and reverse.
    None,
}

impl ColorDepth {
    /// Detects it from `NO_COLOR`, `CLICOLOR_FORCE`, `COLORTERM` and `TERM`, read through `env`.
    pub fn detect(env: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| env(name).is_some_and(|value| !value.is_empty() && value != "0");
        let term = env("TERM").unwrap_or_default();
        let direct = ["direct", "kitty", "alacritty", "ghostty", "wezterm", "foot"];
        if env("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            Self::None
        } else if matches!(env("COLORTERM").as_deref(), Some("truecolor" | "24bit"))
            || direct.iter().any(|name| term.contains(name))
        {
            Self::True
        } else if term.contains("256color") {
            Self::Indexed
        } else if !set("CLICOLOR_FORCE") && (term.is_empty() || term == "dumb" || term.starts_with("vt")) {
            Self::None
        } else {
            Self::Sixteen
        }
    }
}

/// True if the terminal should get plain ASCII: the locale names another character set than UTF-8, or it is the Linux
/// console, whose font has few signs. An unset locale (containers) says nothing about the terminal.
pub fn wants_ascii(env: impl Fn(&str) -> Option<String>) -> bool {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| env(name).filter(|value| !value.is_empty()));
    let utf8 = locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    !utf8 || env("TERM").as_deref() == Some("linux")
}

/// The nearest colour that a terminal of this depth can show.
pub(super) fn at_depth(color: Color, depth: ColorDepth) -> Color {
    let Color::Rgb(r, g, b) = color else { return color };
    let (index, distance) = nearest_indexed(r, g, b);
    match depth {
        // A colour of the 256 takes half the bytes.
        ColorDepth::True if distance > 0 => color,
        ColorDepth::True | ColorDepth::Indexed => Color::Indexed(index),
        ColorDepth::Sixteen => nearest_named(r, g, b),
        ColorDepth::None => color,
    }
}

/// The nearest colour of xterm's 6x6x6 cube or grey ramp, and its distance.
fn nearest_indexed(r: u8, g: u8, b: u8) -> (u8, u32) {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let level = |value: u8| (0..6).min_by_key(|&i| LEVELS.get(i).map_or(u8::MAX, |level| level.abs_diff(value)));
    let [ri, gi, bi] = [r, g, b].map(|value| level(value).unwrap_or(0));
    let cube = [ri, gi, bi].map(|i| LEVELS.get(i).copied().unwrap_or(0));
    let step = ((u16::from(r) + u16::from(g) + u16::from(b)) / 3).saturating_sub(3) / 10;
    let step = step.min(23) as u8;
    let (to_grey, to_cube) = (distance([r, g, b], [8 + step * 10; 3]), distance([r, g, b], cube));
    if to_grey < to_cube { (232 + step, to_grey) } else { ((16 + 36 * ri + 6 * gi + bi) as u8, to_cube) }
}

fn nearest_named(r: u8, g: u8, b: u8) -> Color {
    const NAMED: [(Color, [u8; 3]); 14] = [
        (Color::Black, [0, 0, 0]),
        (Color::Red, [170, 0, 0]),
        (Color::Green, [0, 170, 0]),
        (Color::Yellow, [190, 150, 0]),
        (Color::Blue, [0, 0, 190]),
        (Color::Magenta, [170, 0, 170]),
        (Color::Cyan, [0, 170, 170]),
        (Color::DarkGray, [100, 100, 100]),
        (Color::LightRed, [255, 85, 85]),
        (Color::LightGreen, [85, 255, 85]),
        (Color::LightYellow, [255, 255, 85]),
        (Color::LightBlue, [85, 120, 255]),
        (Color::LightCyan, [85, 255, 255]),
        (Color::White, [255, 255, 255]),
    ];
    NAMED.iter().min_by_key(|(_, rgb)| distance([r, g, b], *rgb)).map_or(Color::Reset, |(color, _)| *color)
}

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.iter().zip(b).map(|(&a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env<'a>(set: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        move |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn the_colours_of_a_terminal_are_recognised() {
        for (set, depth) in [
            (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")][..], ColorDepth::True),
            (&[("TERM", "tmux-256color")], ColorDepth::Indexed),
            (&[("TERM", "linux")], ColorDepth::Sixteen),
            (&[("TERM", "xterm")], ColorDepth::Sixteen),
            (&[("TERM", "dumb")], ColorDepth::None),
            (&[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")], ColorDepth::Sixteen),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "1"), ("COLORTERM", "truecolor")], ColorDepth::None),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "")], ColorDepth::Indexed),
        ] {
            assert_eq!(ColorDepth::detect(env(set)), depth, "{set:?}");
        }
    }

    #[test]
    fn a_terminal_without_utf_8_wants_ascii() {
        assert!(!wants_ascii(env(&[("LANG", "de_DE.UTF-8")])));
        assert!(!wants_ascii(env(&[("LC_ALL", "C.utf8"), ("LANG", "C")])));
        assert!(!wants_ascii(env(&[])));
        assert!(wants_ascii(env(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")])));
        assert!(wants_ascii(env(&[("LANG", "de_DE.ISO-8859-1")])));
        assert!(wants_ascii(env(&[("LANG", "C.UTF-8"), ("TERM", "linux")])));
    }
}
