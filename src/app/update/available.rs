//! Which keys do something now. The key line shows only these; any other key says why it does nothing.

pub mod hints;
pub(super) mod refused;

use crate::app::keys::keymap::Place;
use crate::app::panes::Rows;
use crate::app::update::movement::Opens;
use crate::app::views::ViewTable;
use crate::app::{Action, App, Dialog, Pane, Screen};

impl App {
    /// True if the action would do something now.
    pub fn can(&self, action: Action) -> bool {
        let list = || self.rows(self.filter_pane());
        match action {
            _ if action.is_move() => self.can_move(),
            Action::Left => self.can_scroll(false),
            Action::Right => self.can_scroll(true),
            Action::Open => self.opens().is_some(),
            _ if self.is_covered_by_row(action) => false,
            Action::Mark if self.pane == Pane::View => self.view_table().is_some_and(ViewTable::can_mark),
            Action::Mark => self.pane == Pane::Nodes && self.selected().is_some(),
            Action::Acknowledge => self.selected_alert().is_some(),
            Action::Compare => self.fleet.now().nodes.len() > 1,
            Action::ShowHidden => self.can_toggle_hidden(),
            Action::Group => self.can_group(),
            Action::OnlyNode => self.can_toggle_only(),
            Action::Columns => self.view_table().is_some(),
            Action::Explain => self.can_explain(),
            Action::NextPane | Action::PreviousPane => match self.screen {
                Screen::View(screen) => self.views.tabs(screen).len() > 1,
                screen => screen.panes().len() > 1 && !self.is_empty(),
            },
            Action::Edit | Action::Remove | Action::Retry | Action::Pause => {
                self.selected().is_some() || !self.nodes_table.marks.is_empty()
            }
            Action::Rerun => self.fleet.batch().is_some() && !self.fleet.runs_statement(),
            Action::Run => !self.query.editor.is_empty(),
            Action::ProblemsOnly => matches!(self.problems_pane(), Pane::Nodes | Pane::Events) && !self.is_empty(),
            Action::Sort | Action::SortLeft | Action::SortRight => list().is_some_and(|rows| rows.sortable() > 0),
            Action::SortReverse => list().is_some_and(|rows| rows.sort().is_some()),
            Action::Follow => match self.filter_pane() {
                Pane::Events => self.events_table.cursor.at > 0,
                pane => pane == Pane::Nodes || pane == Pane::View,
            },
            Action::PreviousNode | Action::NextNode => match self.screen {
                Screen::Query => self.query.results.len() > 1,
                Screen::Nodes | Screen::Detail => self.nodes_table.rows.len() > 1,
                Screen::View(_) => self.fleet.now().nodes.len() > 1,
                Screen::Events | Screen::Topology | Screen::Alerts => false,
            },
            Action::Wrap => self.rows(self.pane).is_some_and(Rows::wraps),
            Action::Export => self.can_export(),
            Action::Copy => self.copied().is_some_and(|text| !text.is_empty()),
            Action::Slower => self.fleet.refresh < super::nodes::REFRESH_STEPS[super::nodes::REFRESH_STEPS.len() - 1],
            Action::Faster => self.fleet.refresh > super::nodes::REFRESH_STEPS[0],
            Action::Zoom => self.screen.panes().len() > 1,
            Action::Freeze => !self.is_empty() || self.frozen.is_some(),
            Action::Complete | Action::CompleteBack => {
                self.prompt.as_ref().is_some_and(|prompt| !prompt.completions.is_empty())
            }
            Action::Older | Action::Newer => !self.query.history.is_empty(),
            // A half-filled form must not be lost by opening the help.
            Action::Help => self.dialog.is_none() && self.prompt.is_none(),
            Action::Back => self.back_step().is_some(),
            _ => true,
        }
    }

    /// True for actions on the table, which an open row covers.
    pub(in crate::app) fn is_covered_by_row(&self, action: Action) -> bool {
        let of_table = matches!(
            action,
            Action::Mark
                | Action::ShowHidden
                | Action::Group
                | Action::OnlyNode
                | Action::Columns
                | Action::Sort
                | Action::SortReverse
                | Action::SortLeft
                | Action::SortRight
                | Action::Follow
                | Action::PreviousNode
                | Action::NextNode
        );
        of_table && self.has_open_row()
    }

    pub(in crate::app) fn has_open_row(&self) -> bool {
        self.view_table().is_some_and(|table| table.opened.is_some())
    }

    /// The same for a line of the help, without the help's own keys.
    pub(in crate::app) fn can_on_screen(&self, action: Action, place: Place) -> bool {
        let chain = self.screen.place(self.pane).chain();
        chain.contains(&place) && if action.is_move() { self.can_move_in(self.pane) } else { self.can(action) }
    }

    /// The word of an action in the key line, which says what would happen now.
    pub(in crate::app) fn word(&self, action: Action) -> &'static str {
        let place = self.place_of_keys();
        match (action, place) {
            (Action::Back, _) => self.back_step().map_or("", super::travel::Step::word),
            (Action::Quit, _) if self.leaving.is_some() => "cancel queries and quit",
            (Action::Quit, _) if self.screen != Screen::Nodes => "back",
            (Action::Open, _) if self.opens() == Some(Opens::Details) => "details",
            (Action::Pause, _) if self.all_paused() => "resume",
            (Action::Acknowledge, _) if self.is_acknowledged() => "take back",
            (Action::Freeze, _) if self.frozen.is_some() => "unfreeze",
            (Action::Accept, Place::Form) => self.form_word(),
            (Action::Accept, Place::Confirm) => "choose",
            (Action::Accept, Place::Filter) => "keep",
            (Action::Accept, Place::Editor) if self.query.editor.is_complete() => "run",
            (Action::Accept, Place::Editor) => "new line",
            (Action::NextPane, Place::View) => "next table",
            (Action::OnlyNode, _) if self.views.only.is_some() => "all nodes",
            (Action::ShowHidden, _) => self.hidden_word(),
            // The command line itself says what it does.
            (Action::Accept, Place::Command)
            | (Action::NextField, Place::Confirm | Place::Form)
            | (Action::Filter | Action::Command, Place::Confirm | Place::Help | Place::Columns)
            | (Action::Add, Place::Query | Place::Events | Place::View | Place::Topology | Place::Alerts) => "",
            // On other screens the tab line names it.
            (Action::Compare, place) if place != Place::Nodes => "",
            (Action::Cancel, Place::Editor) if self.fleet.runs_statement() => "cancel query",
            (Action::Cancel, Place::Editor) => "results",
            (Action::Cancel, Place::Filter) => "as before",
            _ => action.short(),
        }
    }

    fn hidden_word(&self) -> &'static str {
        if self.view_table().is_some_and(|table| table.shows_hidden) { "less" } else { "all" }
    }

    fn form_word(&self) -> &'static str {
        match &self.dialog {
            Some(Dialog::Form(form)) => form.word(),
            _ => "",
        }
    }

    fn can_move(&self) -> bool {
        matches!(self.dialog, Some(Dialog::Help(_) | Dialog::Columns(_))) || self.can_move_in(self.pane)
    }
}
