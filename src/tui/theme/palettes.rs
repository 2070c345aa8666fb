//! The colours of the themes.

use ratatui::style::Color;

/// A theme as data: for each purpose a 24-bit colour and one of the 16 named colours.
pub(super) struct Palette {
    pub(super) name: &'static str,
    pub(super) primary: (u32, Color),
    pub(super) secondary: (u32, Color),
    pub(super) success: (u32, Color),
    pub(super) warning: (u32, Color),
    pub(super) critical: (u32, Color),
    pub(super) muted: (u32, Color),
    pub(super) border: (u32, Color),
    /// Background and text; `None`: the terminal's own.
    pub(super) paper: Option<(u32, u32)>,
    /// Background and text of the selected row.
    pub(super) selection: u32,
    pub(super) selected: u32,
    /// Text on an area filled with `primary`, `warning` or `critical`.
    pub(super) on_patch: u32,
}

pub(super) const PALETTES: [Palette; 3] = [
    // Only colours of the 256: each takes few bytes and looks the same on all terminals.
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
        // Dark colours need a light background, whatever the terminal's is.
        paper: Some((0xfc_fc_fc, 0x1f_23_28)),
        selection: 0xd9_e4_ef,
        selected: 0x00_00_00,
        on_patch: 0xff_ff_ff,
    },
    // The colours of Okabe and Ito, distinguishable with every kind of colour vision.
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
