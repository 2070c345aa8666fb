//! The row that an alert is about: its table opens with the cursor on it, as soon as its node has answered.

use crate::app::rows::filter::Filter;
use crate::app::{App, Pane};
use crate::fleet::Severity;
use crate::model::NodeName;

use crate::app::views::table::Sought;

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
    pub(in crate::app) fn find_sought(&mut self) {
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
