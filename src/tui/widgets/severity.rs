//! The sign and the style of a severity, which always go together.

use ratatui::style::Style;

use crate::fleet::Severity;
use crate::model::alert::AlertSeverity;
use crate::tui::Theme;

/// The sign and the style of an event.
pub(crate) fn sign(severity: Severity, theme: &Theme) -> (&'static str, Style) {
    match severity {
        Severity::Added => ("+", theme.accent),
        Severity::Removed => ("–", theme.dim),
        Severity::Info => ("·", theme.dim),
        Severity::Good => ("●", theme.ok),
        Severity::Warning => ("◐", theme.warn),
        Severity::Critical => ("✖", theme.bad),
    }
}

/// The sign and the style of an alert: those of an event of the same severity.
pub(crate) fn alert_sign(severity: AlertSeverity, theme: &Theme) -> (&'static str, Style) {
    let severity = match severity {
        AlertSeverity::Warning => Severity::Warning,
        AlertSeverity::Critical => Severity::Critical,
    };
    sign(severity, theme)
}
