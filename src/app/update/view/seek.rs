//! The row that an alert is about: its table opens with the cursor on that row as soon as its node has answered.

use crate::app::rows::filter::Filter;
use crate::app::{App, Pane};
use crate::fleet::Severity;
use crate::model::NodeName;

use crate::app::views::table::Sought;

impl App {
    /// Puts the cursor on a row of the table on the screen, once it is there.
    pub(in crate::app) fn seek_row(&mut self, node: NodeName, key: String) {
        let since = self.now;
        if let Some(table) = self.view_table_mut() {
            table.opened = None;
            table.sought = Some(Sought { key: (node, key), since });
        }
        self.arrange_view();
    }

    /// Selects the row that is looked for. What hides it is undone.
    pub(in crate::app) fn find_sought(&mut self) {
        let page = self.drawn.page(Pane::View);
        let Some(table) = self.view_table_mut() else { return };
        let Some(sought) = table.sought.clone() else { return };
        let (is_there, is_certain) = table.look_up_sought(&sought);
        if is_certain {
            table.sought = None;
        }
        if is_there {
            match table.position(&sought.key) {
                Some(at) => {
                    let len = table.len();
                    table.cursor.select(at, len, page);
                }
                None => self.uncover(sought),
            }
        } else if is_certain {
            self.say(Severity::Info, "the row that the alert is about is no longer there");
        }
    }

    /// Shows a row that exists but is not shown, because its view hides it, the filter leaves it out, or a group
    /// contains it.
    fn uncover(&mut self, sought: Sought) {
        let Some(table) = self.view_table_mut() else { return };
        if !table.filter.is_empty() || table.group.is_some() {
            (table.filter, table.group) = (Filter::default(), None);
        } else if !table.shows_hidden {
            table.shows_hidden = true;
        } else {
            return;
        }
        table.sought = Some(sought);
        self.arrange_view();
    }
}
