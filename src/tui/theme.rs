//! What things look like: roles instead of colours, themes as data, and how many colours and signs the terminal has.

use jiff::tz::TimeZone;
use ratatui::style::{Color, Modifier, Style};

use crate::model::{ColorRole, Rgb};

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorDepth {
    True,
    Indexed,
    Sixteen,
    /// `NO_COLOR`: bold, dim and reverse stay.
    None,
}

impl ColorDepth {
    /// Reads `NO_COLOR`, `CLICOLOR_FORCE`, `COLORTERM` and `TERM` through `env`.
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

/// Whether the terminal should get plain ASCII: the locale names another character set than UTF-8, or it is the
/// Linux console, whose font has few signs. A locale that is not set at all (containers) says nothing of the terminal.
pub fn wants_ascii(env: impl Fn(&str) -> Option<String>) -> bool {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| env(name).filter(|value| !value.is_empty()));
    let utf8 = locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    !utf8 || env("TERM").as_deref() == Some("linux")
}

/// A theme as data: truecolor, and the name out of the 16 that stands for it.
struct Palette {
    name: &'static str,
    primary: (u32, Color),
    secondary: (u32, Color),
    success: (u32, Color),
    warning: (u32, Color),
    critical: (u32, Color),
    muted: (u32, Color),
    border: (u32, Color),
    /// What everything is written on and with; `None` is the terminal's own.
    paper: Option<(u32, u32)>,
    /// Behind the selected row, and what is written on it.
    selection: u32,
    selected: u32,
    /// What is written on a patch of `primary`, `warning` or `critical`.
    on_patch: u32,
}

const PALETTES: [Palette; 3] = [
    // Colours of the 256 alone: each is a few bytes to the terminal, and the same on all of them.
    Palette {
        name: "dark",
        primary: (0x5f_d7_d7, Color::Cyan),
        secondary: (0xaf_af_ff, Color::Magenta),
        success: (0x87_d7_87, Color::Green),
        warning: (0xff_d7_5f, Color::Yellow),
        critical: (0xff_5f_5f, Color::LightRed),
        muted: (0x80_80_80, Color::DarkGray),
        border: (0x5f_5f_5f, Color::DarkGray),
        paper: None,
        selection: 0x30_30_30,
        selected: 0xff_ff_ff,
        on_patch: 0x12_12_12,
    },
    Palette {
        name: "light",
        primary: (0x00_6a_83, Color::Blue),
        secondary: (0x6f_3f_a8, Color::Magenta),
        success: (0x1a_7f_37, Color::Green),
        warning: (0x8f_5a_00, Color::Yellow),
        critical: (0xc4_1c_1c, Color::Red),
        muted: (0x6a_6f_76, Color::DarkGray),
        border: (0xa8_ad_b5, Color::DarkGray),
        // Dark colours need a light ground, whatever the terminal has.
        paper: Some((0xfc_fc_fc, 0x1f_23_28)),
        selection: 0xd9_e4_ef,
        selected: 0x00_00_00,
        on_patch: 0xff_ff_ff,
    },
    // Okabe and Ito's colours, told apart with every kind of colour vision.
    Palette {
        name: "colorblind",
        primary: (0x56_b4_e9, Color::Cyan),
        secondary: (0xcc_79_a7, Color::Magenta),
        success: (0x00_b0_80, Color::Blue),
        warning: (0xf0_e4_42, Color::Yellow),
        critical: (0xd5_5e_00, Color::LightRed),
        muted: (0x86_8a_90, Color::DarkGray),
        border: (0x5a_5e_66, Color::DarkGray),
        paper: None,
        selection: 0x2e_33_3b,
        selected: 0xff_ff_ff,
        on_patch: 0x0f_11_15,
    },
];

/// What a theme is made from; `Default` is the plainest terminal.
#[derive(Debug, Clone)]
pub struct ThemeOptions {
    /// One of [`crate::model::THEMES`]; anything else is the first.
    pub name: String,
    /// Colours of the file, in place of the theme's own.
    pub colors: Vec<(ColorRole, Rgb)>,
    pub depth: ColorDepth,
    pub ascii: bool,
    /// The zone in which times of day are shown.
    pub zone: TimeZone,
}

impl Default for ThemeOptions {
    fn default() -> Self {
        Self { name: "mono".to_owned(), colors: Vec::new(), depth: ColorDepth::None, ascii: false, zone: TimeZone::UTC }
    }
}

impl ThemeOptions {
    /// What this process' terminal and zone allow.
    pub fn of_terminal(name: impl Into<String>, colors: Vec<(ColorRole, Rgb)>) -> Self {
        let env = |name: &str| std::env::var(name).ok();
        Self {
            name: name.into(),
            colors,
            depth: ColorDepth::detect(env),
            ascii: wants_ascii(env),
            zone: TimeZone::system(),
        }
    }
}

/// Roles and their styles. Colour is never alone: signs and words say the same.
#[derive(Debug, Clone)]
pub struct Theme {
    pub name: &'static str,
    /// Under everything.
    pub base: Style,
    /// Values.
    pub text: Style,
    /// What the eye should find first: names, the figure of a pane.
    pub bright: Style,
    /// Labels, units, what is past.
    pub dim: Style,
    pub accent: Style,
    pub accent_bold: Style,
    pub secondary: Style,
    pub ok: Style,
    pub warn: Style,
    pub bad: Style,
    pub bad_bold: Style,
    pub border: Style,
    pub border_focus: Style,
    /// Laid over a finished row.
    pub selection: Style,
    /// The same in a pane that has not the focus.
    pub selection_idle: Style,
    /// Behind a field of a form.
    pub field: Style,
    /// A patch of the accent: the tab of the screen, the choice of a dialog.
    pub patch: Style,
    /// A patch that warns: FROZEN, leaving.
    pub patch_warn: Style,
    pub patch_bad: Style,
    pub ascii: bool,
    pub zone: TimeZone,
}

impl Theme {
    pub fn new(options: &ThemeOptions) -> Self {
        let mono = options.depth == ColorDepth::None || options.name == "mono";
        let palette = PALETTES.iter().find(|palette| palette.name == options.name);
        match palette.or(PALETTES.first()).filter(|_| !mono) {
            Some(palette) => Self::colored(palette, options),
            None => Self::mono(options),
        }
    }

    fn mono(options: &ThemeOptions) -> Self {
        let plain = Style::new();
        let reversed = plain.add_modifier(Modifier::REVERSED);
        Self {
            name: "mono",
            base: plain,
            text: plain,
            bright: plain.bold(),
            dim: plain.dim(),
            accent: plain.bold(),
            accent_bold: plain.bold(),
            secondary: plain.underlined(),
            ok: plain,
            warn: plain.bold(),
            bad: plain.bold(),
            bad_bold: plain.bold(),
            border: plain.dim(),
            border_focus: plain,
            selection: reversed,
            selection_idle: plain.underlined(),
            field: plain.underlined(),
            patch: reversed.bold(),
            patch_warn: reversed.bold(),
            patch_bad: reversed.bold(),
            ascii: options.ascii,
            zone: options.zone.clone(),
        }
    }

    fn colored(palette: &Palette, options: &ThemeOptions) -> Self {
        let sixteen = options.depth == ColorDepth::Sixteen;
        let own = |role: ColorRole| {
            let (_, Rgb(r, g, b)) = *options.colors.iter().find(|(own, _)| *own == role)?;
            Some(at_depth(Color::Rgb(r, g, b), options.depth))
        };
        let themed =
            |(rgb, ansi): (u32, Color)| if sixteen { ansi } else { at_depth(Color::from_u32(rgb), options.depth) };
        let color = |role: ColorRole, theme: (u32, Color)| own(role).unwrap_or(themed(theme));
        let shade = |rgb: u32| at_depth(Color::from_u32(rgb), options.depth);
        let (paper, ink) = match palette.paper.filter(|_| !sixteen) {
            Some((paper, ink)) => (shade(paper), shade(ink)),
            None => (Color::Reset, Color::Reset),
        };
        let background = own(ColorRole::Background).unwrap_or(paper);
        let foreground = own(ColorRole::Foreground).unwrap_or(ink);
        let fg = |color: Color| Style::new().fg(color);
        let [accent, ok, warn, bad, dim] = [
            color(ColorRole::Primary, palette.primary),
            color(ColorRole::Success, palette.success),
            color(ColorRole::Warning, palette.warning),
            color(ColorRole::Critical, palette.critical),
            color(ColorRole::Muted, palette.muted),
        ];
        let on_patch = if sixteen { Color::Black } else { shade(palette.on_patch) };
        // Bold black is grey on many terminals of 16 colours.
        let weight = if sixteen { Modifier::empty() } else { Modifier::BOLD };
        let patch = |color: Color| Style::new().fg(on_patch).bg(color).add_modifier(weight);
        let selection = if sixteen {
            Style::new().fg(Color::Reset).bg(Color::Reset).reversed()
        } else {
            Style::new().bg(shade(palette.selection))
        };
        Self {
            name: palette.name,
            base: Style::new().fg(foreground).bg(background),
            text: fg(foreground),
            bright: fg(if sixteen {
                foreground
            } else {
                own(ColorRole::Foreground).unwrap_or(shade(palette.selected))
            })
            .bold(),
            dim: fg(dim),
            accent: fg(accent),
            accent_bold: fg(accent).bold(),
            secondary: fg(color(ColorRole::Secondary, palette.secondary)),
            ok: fg(ok),
            warn: fg(warn),
            bad: fg(bad),
            bad_bold: fg(bad).bold(),
            border: fg(own(ColorRole::Muted).unwrap_or(themed(palette.border))),
            border_focus: fg(accent),
            selection,
            selection_idle: if sixteen { Style::new().bold() } else { Style::new().bg(shade(palette.selection)) },
            field: if sixteen { Style::new().underlined() } else { Style::new().bg(shade(palette.selection)) },
            patch: patch(accent),
            patch_warn: patch(warn),
            patch_bad: patch(bad),
            ascii: options.ascii,
            zone: options.zone.clone(),
        }
    }

    /// Whether the selection is a reversed bar: then it hides the colours of its row, which would be rainbow patches.
    pub fn selection_is_reversed(&self) -> bool {
        self.selection.add_modifier.contains(Modifier::REVERSED)
    }
}

fn at_depth(color: Color, depth: ColorDepth) -> Color {
    let Color::Rgb(r, g, b) = color else { return color };
    let (index, distance) = nearest_indexed(r, g, b);
    match depth {
        // One of the 256 is said in half the bytes.
        ColorDepth::True if distance > 0 => color,
        ColorDepth::True | ColorDepth::Indexed => Color::Indexed(index),
        ColorDepth::Sixteen => nearest_named(r, g, b),
        ColorDepth::None => color,
    }
}

/// The nearest colour of xterm's 6x6x6 cube or its grey ramp, and how far it is.
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
    fn colours_of_a_terminal() {
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
    fn signs_of_a_terminal() {
        assert!(!wants_ascii(env(&[("LANG", "de_DE.UTF-8")])));
        assert!(!wants_ascii(env(&[("LC_ALL", "C.utf8"), ("LANG", "C")])));
        assert!(!wants_ascii(env(&[])));
        assert!(wants_ascii(env(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")])));
        assert!(wants_ascii(env(&[("LANG", "de_DE.ISO-8859-1")])));
        assert!(wants_ascii(env(&[("LANG", "C.UTF-8"), ("TERM", "linux")])));
    }

    #[test]
    fn the_selection_is_seen_in_every_theme_and_depth() {
        for name in crate::model::THEMES {
            for depth in [ColorDepth::True, ColorDepth::Indexed, ColorDepth::Sixteen, ColorDepth::None] {
                let theme = Theme::new(&ThemeOptions { name: name.to_owned(), depth, ..ThemeOptions::default() });
                assert_ne!(theme.selection, Style::new(), "{name} {depth:?}");
                let colour = |style: Style| style.fg.is_some_and(|color| color != Color::Reset);
                assert_eq!(colour(theme.bad), depth != ColorDepth::None && name != "mono", "{name} {depth:?}");
            }
        }
    }

    #[test]
    fn colours_of_the_file_override_roles() {
        let colors = vec![
            (ColorRole::Primary, Rgb(0, 0xbf, 0xff)),
            (ColorRole::Critical, Rgb(0xff, 0, 0)),
            (ColorRole::Background, Rgb(0x10, 0x10, 0x10)),
        ];
        let options =
            ThemeOptions { name: "dark".to_owned(), colors, depth: ColorDepth::True, ..ThemeOptions::default() };
        let theme = Theme::new(&options);
        assert_eq!(theme.accent.fg, Some(Color::Rgb(0, 0xbf, 0xff)));
        // One of the 256, which is said as such.
        assert_eq!(theme.bad.fg, Some(Color::Indexed(196)));
        assert_eq!(theme.base.bg, Some(Color::Rgb(0x10, 0x10, 0x10)));
        let indexed = Theme::new(&ThemeOptions { depth: ColorDepth::Indexed, ..options });
        assert_eq!(indexed.accent.fg, Some(Color::Indexed(39)));
    }
}
