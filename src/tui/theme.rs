//! Styles by purpose instead of colours. The palettes are data (`theme/palettes.rs`), reduced to the colours that the
//! terminal has (`theme/depth.rs`).

mod depth;
mod palettes;
mod zone;

use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use ratatui::style::{Color, Modifier, Style};

use crate::model::{ColorRole, Rgb};
use crate::text;
use depth::at_depth;
use palettes::{PALETTES, Palette};

pub use depth::{ColorDepth, wants_ascii};

/// What a theme is built from; `Default` is the plainest terminal.
#[derive(Debug, Clone)]
pub struct ThemeOptions {
    /// One of [`crate::model::THEMES`]; any other name means the first.
    pub name: String,
    /// Colours of the file, which replace those of the theme.
    pub colors: Vec<(ColorRole, Rgb)>,
    /// How many colours the terminal has.
    pub depth: ColorDepth,
    /// True for signs in ASCII only.
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
    /// Options for the terminal and the time zone of this process.
    pub fn of_terminal(name: impl Into<String>, colors: Vec<(ColorRole, Rgb)>) -> Self {
        let env = |name: &str| std::env::var(name).ok();
        Self {
            name: name.into(),
            colors,
            depth: ColorDepth::detect(env),
            ascii: wants_ascii(env),
            zone: zone::of_process(),
        }
    }
}

/// A style for each purpose. Signs and words say the same as colours.
#[derive(Debug, Clone)]
pub struct Theme {
    /// One of [`crate::model::THEMES`].
    pub name: &'static str,
    /// The background of the screen.
    pub base: Style,
    /// Values.
    pub text: Style,
    /// What should catch the eye: names, the main figure of a pane.
    pub bright: Style,
    /// Labels, units, past values.
    pub dim: Style,
    /// Selected or active items.
    pub accent: Style,
    /// The same in bold.
    pub accent_bold: Style,
    /// Trends and other additions to a figure.
    pub secondary: Style,
    /// Good states and values.
    pub ok: Style,
    /// Warnings.
    pub warn: Style,
    /// Critical values and failures.
    pub bad: Style,
    /// The same in bold.
    pub bad_bold: Style,
    /// The border of a pane.
    pub border: Style,
    /// The border of the pane that has the focus.
    pub border_focus: Style,
    /// Applied over a finished row.
    pub selection: Style,
    /// The same in a pane without the focus.
    pub selection_idle: Style,
    /// The background of a field in a form.
    pub field: Style,
    /// A filled area in the accent colour: the tab of the screen, the choice of a dialog.
    pub patch: Style,
    /// A filled area for warnings: FROZEN, leaving.
    pub patch_warn: Style,
    /// A filled area for failures.
    pub patch_bad: Style,
    /// True if only ASCII is drawn.
    pub ascii: bool,
    /// The zone in which times of day are shown.
    pub zone: TimeZone,
    /// How far the machine's clock was set back: a time of day is what that clock shows.
    pub set_back: Duration,
}

impl Theme {
    /// Builds the styles for the depth and the theme of the options.
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
            set_back: Duration::ZERO,
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
        // Bold black is grey on many terminals with 16 colours.
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
            set_back: Duration::ZERO,
        }
    }

    /// The time of day: `14:03:08`, or `22 Nov` if it is not the day of `now`.
    pub fn time_of_day(&self, at: SystemTime, now: SystemTime) -> String {
        let shown = |time: SystemTime| time.checked_sub(self.set_back).unwrap_or(time);
        text::clock(shown(at), shown(now), &self.zone)
    }

    /// True if the selection is a reversed bar. Then the colours of its row are dropped, as they would be coloured
    /// blocks.
    pub fn selection_is_reversed(&self) -> bool {
        self.selection.add_modifier.contains(Modifier::REVERSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        // One of the 256 colours is written by its index.
        assert_eq!(theme.bad.fg, Some(Color::Indexed(196)));
        assert_eq!(theme.base.bg, Some(Color::Rgb(0x10, 0x10, 0x10)));
        let indexed = Theme::new(&ThemeOptions { depth: ColorDepth::Indexed, ..options });
        assert_eq!(indexed.accent.fg, Some(Color::Indexed(39)));
    }
}
