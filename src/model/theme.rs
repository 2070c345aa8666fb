//! The names of themes and of the colours that a configuration may change, for `config` to read and `tui` to draw.

/// All themes, by the names that `theme:` and `--theme` take; the first is the default.
pub const THEMES: [&str; 4] = ["dark", "light", "mono", "colorblind"];

/// A colour by its purpose, as named in `theme: {colors: ...}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColorRole {
    /// Behind everything.
    Background,
    /// Plain text.
    Foreground,
    /// Selected or active items.
    Primary,
    /// Trends and other additions to a figure.
    Secondary,
    /// Good states and values.
    Success,
    /// Values past a warning limit.
    Warning,
    /// Critical values and failures.
    Critical,
    /// Less important text: labels, borders, stale figures.
    Muted,
}

impl ColorRole {
    /// All of them, in the order in which messages list them.
    pub const ALL: [Self; 8] = [
        Self::Background,
        Self::Foreground,
        Self::Primary,
        Self::Secondary,
        Self::Success,
        Self::Warning,
        Self::Critical,
        Self::Muted,
    ];

    /// Its key in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Background => "background",
            Self::Foreground => "foreground",
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Muted => "muted",
        }
    }

    /// Reads a key of the configuration; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// A colour as red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl Rgb {
    /// Reads `#00BFFF` in either case; `None` if it is no such text.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let [_, r, g, b] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Self(r, g, b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_six_hex_digits() {
        assert_eq!(Rgb::parse("#00bFfF"), Some(Rgb(0, 191, 255)));
        for bad in ["", "#", "00BFFF", "#00BFF", "#00BFFFF", "#00BFFG", "#+0BFFF", "blue", "#äää"] {
            assert_eq!(Rgb::parse(bad), None, "{bad}");
        }
    }
}
