//! The row that an alert is about: its table opens with the cursor on it, as soon as its node has answered.

use std::time::SystemTime;

use crate::app::filter::Filter;
use crate::app::{App, Pane, Severity};
use crate::model::NodeName;

use super::sheet::{RowKey, Sheet};

/// A row that is looked for until an answer of its node tells where it is, or that it is gone.
#[derive(Debug, Clone)]
pub(super) struct Sought {
    key: RowKey,
    /// Answers that are older than this do not tell that it is gone.
    since: SystemTime,
}

impl App {
    /// The cursor is to stand on a row of the table on the screen.
    pub(in crate::app) fn seek_row(&mut self, node: NodeName, key: String) {
        let since = self.now;
        if let Some(sheet) = self.sheet_mut() {
            sheet.opened = None;
            sheet.sought = Some(Sought { key: (node, key), since });
        }
        self.enter_sheet();
    }

    /// Selects the row that is looked for. What hides it gives way.
    pub(super) fn find_sought(&mut self) {
        let page = self.drawn.page(Pane::View);
        let Some(sheet) = self.sheet_mut() else { return };
        let Some(sought) = sheet.sought.clone() else { return };
        let (is_there, is_told) = sheet.tells_of(&sought);
        if is_told {
            sheet.sought = None;
        }
        if is_there {
            match sheet.position(&sought.key) {
                Some(at) => {
                    let len = sheet.len();
                    sheet.cursor.select(at, len, page);
                }
                None => self.uncover(sought),
            }
        } else if is_told {
            self.say(Severity::Info, "the row that the alert is about is no longer there");
        }
    }

    /// Shows a row that is there and not among those shown: hidden by its view, filtered away or folded into a group.
    fn uncover(&mut self, sought: Sought) {
        let Some(sheet) = self.sheet_mut() else { return };
        if !sheet.filter.is_empty() || sheet.group.is_some() {
            (sheet.filter, sheet.group) = (Filter::default(), None);
        } else if !sheet.shows_hidden {
            sheet.shows_hidden = true;
        } else {
            return;
        }
        sheet.sought = Some(sought);
        self.enter_sheet();
    }
}

impl Sheet {
    /// Whether the row is in the last answer of its node, and whether that answer is one that tells.
    fn tells_of(&self, sought: &Sought) -> (bool, bool) {
        let (node, key) = &sought.key;
        let Some(reading) = self.node(node).and_then(|node| node.reading.as_ref()) else { return (false, false) };
        let is_there = (0..reading.len()).any(|row| reading.key(&self.view, row) == *key);
        (is_there, reading.at >= sought.since)
    }
}
