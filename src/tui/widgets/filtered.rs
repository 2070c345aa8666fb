//! What a frame says of a table that does not show all of its rows.

use crate::app::Filter;
use crate::text;

/// Columns of what was typed: the number behind it must be seen.
const TYPED: usize = 32;

/// `only primary · problems only · /text · 12 left out`; nothing where all is shown. `others` are the first of these parts.
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

/// The part that tells of `!`.
pub(crate) fn problems(only: bool) -> Vec<String> {
    if only { vec!["problems only".to_owned()] } else { Vec::new() }
}

/// What to say in place of rows where a filter leaves none: `what` is what would stand there.
pub(crate) fn none_left(what: &str, filter: &Filter) -> String {
    match filter.fault() {
        Some(fault) => format!("No {what} matches the filter: {fault}."),
        None => format!("No {what} matches the filter."),
    }
}
