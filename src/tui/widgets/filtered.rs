//! The note in the border of a table that does not show all its rows.

use crate::app::Filter;
use crate::text;

/// Maximum width of the typed text, in columns, so that the number after it stays visible.
const TYPED: usize = 32;

/// `only primary · problems only · /text · 12 left out`; nothing if all rows are shown. `others` are the parts before
/// the filter.
pub(crate) fn filtered(mut others: Vec<String>, filter: &Filter, left_out: usize) -> String {
    let is_filtered = !filter.is_empty();
    if is_filtered {
        others.push(text::fit(&filter.label(), TYPED).into_owned());
    }
    if is_filtered || left_out > 0 {
        others.push(format!("{} left out", text::count(left_out as u64)));
    }
    others.join(" · ")
}

/// The part for `!`.
pub(crate) fn problems(only: bool) -> Vec<String> {
    if only { vec!["problems only".to_owned()] } else { Vec::new() }
}

/// The text in place of rows if a filter leaves none; `what` names the rows.
pub(crate) fn none_left(what: &str, filter: &Filter) -> String {
    match filter.fault() {
        Some(fault) => format!("No {what} matches the filter: {fault}."),
        None => format!("No {what} matches the filter."),
    }
}
