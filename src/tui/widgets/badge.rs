//! The state of a node: its sign, its word and its colour, which always come together.

use ratatui::style::Style;

use crate::model::HealthState;
use crate::tui::Theme;

/// Sign and style of a state.
pub(crate) fn sign(state: HealthState, theme: &Theme) -> (&'static str, Style) {
    match state {
        HealthState::Healthy => ("●", theme.ok),
        HealthState::Degraded => ("◐", theme.warn),
        HealthState::Unhealthy | HealthState::Reconnecting => ("✖", theme.bad_bold),
        HealthState::Connecting => ("◌", theme.accent),
        HealthState::Disconnected => ("○", theme.dim),
    }
}
