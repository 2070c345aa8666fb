//! The state of a node: its sign and its colour, which always go together.

use ratatui::style::Style;

use crate::model::HealthState;
use crate::tui::Theme;

/// The sign and the style of a state.
pub(crate) fn sign(state: HealthState, theme: &Theme) -> (&'static str, Style) {
    match state {
        HealthState::Healthy => ("●", theme.ok),
        HealthState::Degraded => ("◐", theme.warn),
        HealthState::Unhealthy | HealthState::Reconnecting => ("✖", theme.bad_bold),
        HealthState::Connecting => ("◌", theme.accent),
        HealthState::Disconnected => ("○", theme.dim),
    }
}
