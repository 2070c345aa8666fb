//! Texts that the table shows the beginning of, as a whole.

use super::table::RowKey;
use crate::model::protocol::WholeText;

/// A text that was asked for as a whole.
#[derive(Debug, Clone)]
pub struct Whole {
    /// Identifies the request.
    pub(in crate::app) id: u64,
    pub(in crate::app) view: String,
    pub(in crate::app) row: RowKey,
    pub(in crate::app) column: usize,
    /// What the table showed of it.
    pub(in crate::app) beginning: String,
    /// The text, or why there is none; `None` until the answer comes.
    pub outcome: Option<Result<WholeText, String>>,
    /// What to do with it once it is there.
    pub(in crate::app) then: Option<Then>,
}

/// What a key wants of a text that has to be asked for first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::app) enum Then {
    Copy,
    Explain,
}

impl Whole {
    /// True if the text begins as the table showed it: the session may run another statement by now. What follows a
    /// hidden password is not compared, since the cut may have hidden more.
    pub(in crate::app) fn goes_on(&self, text: &str) -> bool {
        let shown = self.beginning.rsplit_once('…').map_or(self.beginning.as_str(), |(shown, _)| shown);
        let clear = shown.split("***").next().unwrap_or_default().trim_end_matches('\'');
        text.starts_with(clear)
    }
}
