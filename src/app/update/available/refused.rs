//! Why a key does nothing now. A key that the help lists is never silently ignored: if it has nothing to do, the line
//! above the keys briefly says why.

use std::time::Duration;

use crate::app::keys::keymap::{self, Place};
use crate::app::rows::cursor::Cursor;
use crate::app::screen::SCREENS;
use crate::app::{Action, App, Dialog, Effect, Key, Notice, Pane, Screen};
use crate::fleet::Severity;

/// How long the reason is shown. The state's clock may be a second late, so this is at least one second.
const SHOWN: Duration = Duration::from_secs(2);

impl App {
    /// Says why an action can do nothing now.
    pub(in crate::app) fn refuse(&mut self, action: Action) -> Vec<Effect> {
        let why = self.why_not(action);
        if action == Action::Export {
            // The user will type a file name next: its letters must not act as keys.
            self.ask_export();
        }
        self.say_why(why);
        Vec::new()
    }

    /// Performs a movement, and says so if there was nowhere to go.
    pub(in crate::app) fn perform_move(&mut self, action: Action) -> Vec<Effect> {
        let before = self.moved_cursor();
        let effects = self.perform(action);
        if before.is_some() && before == self.moved_cursor() {
            let up = matches!(action, Action::Up | Action::Top | Action::PageUp | Action::HalfUp);
            self.say_why(if up { "this is the beginning" } else { "this is the end" });
        }
        effects
    }

    /// Goes to the previous or next node, and says so if there is none on that side.
    pub(in crate::app) fn perform_neighbour(&mut self, action: Action) -> Vec<Effect> {
        let place = |app: &Self| (app.nodes_table.cursor, app.query.results.cursor, app.views.only.clone());
        let before = place(self);
        let effects = self.perform(action);
        if before == place(self) {
            let first = action == Action::PreviousNode;
            self.say_why(if first { "this is the first node" } else { "this is the last node" });
        }
        effects
    }

    /// Shows a screen, and says so if it is shown already. An open row is closed, because the digit leads to the
    /// table.
    pub(in crate::app) fn perform_screen(&mut self, action: Action) -> Vec<Effect> {
        let place = |app: &Self| (app.screen, app.pane, app.view_table().map(|table| table.view.name.clone()));
        let before = place(self);
        let had_row = self.has_open_row();
        let effects = self.perform(action);
        if before == place(self) {
            if had_row {
                self.changing_view(|table| table.opened = None);
            } else {
                self.say_why("this screen is open already");
            }
        }
        effects
    }

    /// Says why a key that means nothing in this place, and is no text, does nothing.
    pub(in crate::app) fn refuse_key(&mut self, key: Key) {
        let label = key.label(self.ascii);
        let place = self.place_of_keys();
        let why = match place {
            Place::Confirm => "answer with y or n".to_owned(),
            Place::Help | Place::Columns => format!("{label} does nothing here; Esc closes this"),
            Place::Form | Place::Editor | Place::Command | Place::Filter => return,
            _ => match elsewhere(key, place) {
                Some((there, action)) => format!("{label} is a key of {}: {}", there.title(), lowered(action.doc())),
                None => format!("{label} has no meaning here; ? lists the keys"),
            },
        };
        self.say_why(why);
    }

    pub(in crate::app) fn say_why(&mut self, why: impl Into<String>) {
        let text = why.into();
        // An open input line covers the notices, but has a line of its own for errors.
        if let Some(prompt) = &mut self.prompt {
            prompt.error = Some(text);
            return;
        }
        self.notice = Some(Notice { severity: Severity::Info, text, until: self.now + SHOWN });
    }

    /// The cursor that movement keys move.
    fn moved_cursor(&self) -> Option<Cursor> {
        match &self.dialog {
            Some(Dialog::Help(cursor) | Dialog::Columns(cursor)) => return Some(*cursor),
            Some(_) => return None,
            None => {}
        }
        self.cursor_of(self.pane)
    }

    /// Why an action that [`App::can`] denies has nothing to do.
    fn why_not(&self, action: Action) -> String {
        let why = match action {
            _ if self.is_covered_by_row(action) => "Esc closes the row first",
            _ if action.is_move() => self.why_no_move(),
            Action::Left | Action::Right if self.has_open_row() => "the columns are below each other here",
            Action::Left => "there are no columns to the left",
            Action::Right => "there are no columns to the right",
            Action::Open => self.why_not_open(),
            Action::Mark if self.pane == Pane::View => "there is no row to mark here",
            Action::Mark => "marks are set in the table of nodes; Tab goes there",
            Action::Acknowledge if self.selected_unjudged().is_some() => {
                "this is no alert: a rule could not be applied"
            }
            Action::Acknowledge => "there is no alert to acknowledge",
            Action::Compare => "there is no other node to compare with",
            Action::ShowHidden => "this table hides no rows",
            Action::Group => "this table has no column to group by",
            Action::OnlyNode => "there is no other node to leave out",
            Action::Columns => "there is no table to choose columns of",
            Action::Explain => "this row has no statement to explain",
            Action::NextPane | Action::PreviousPane => "there is nothing else on this screen to go to",
            Action::Edit | Action::Remove | Action::Retry | Action::Pause => "no node is selected; a adds one",
            Action::Rerun if self.fleet.runs_statement() => "the statement is still running; Esc cancels it",
            Action::Rerun => "no statement has been run yet; e opens the editor",
            Action::Run => "there is no statement to run yet",
            Action::ProblemsOnly if self.is_empty() => "there are no nodes yet; a adds one",
            Action::ProblemsOnly => "this table cannot be reduced to problems",
            Action::Filter => "there is nothing to filter here",
            Action::Sort | Action::SortLeft | Action::SortRight => "this table has an order of its own",
            Action::SortReverse => "the rows are not sorted; s sorts them",
            Action::Wrap if self.has_open_row() => "an open row is wrapped already",
            Action::Wrap if self.pane == Pane::Nodes => "rows of nodes are not wrapped; Enter opens one at length",
            Action::Wrap => "this pane is not wrapped: its lines are short",
            Action::Follow if self.filter_pane() == Pane::Events => "the newest event is selected already",
            Action::Follow => "there is no row to follow here",
            Action::PreviousNode | Action::NextNode => self.why_no_neighbour(),
            Action::Export => "there are no answers to write yet; run a statement first",
            Action::Copy => "there is nothing to copy here",
            Action::Slower => "a minute is the longest refresh",
            Action::Faster => "250 ms is the shortest refresh",
            Action::Freeze => "there is nothing to freeze yet",
            Action::Zoom => "this pane fills the screen already",
            Action::Complete | Action::CompleteBack => "there is no completion",
            Action::Older | Action::Newer => "the history is empty",
            Action::Help => "close this first, then ? shows the keys",
            Action::Back => "this is the first screen; q quits",
            _ => "this key has nothing to do here",
        };
        why.to_owned()
    }

    fn why_no_move(&self) -> &'static str {
        match self.pane {
            Pane::Summary | Pane::Settings => "all lines are shown",
            _ => "there are no rows to move through",
        }
    }

    fn why_not_open(&self) -> &'static str {
        match (self.screen, self.pane) {
            (Screen::Query, _) => "an answer does not open; w wraps long text",
            (Screen::Detail, Pane::Events) => "the entry says all there is to say",
            (Screen::Detail, _) => "this is the node's page already",
            (Screen::View(_), _) if self.view_table().is_some_and(|table| table.opened.is_some()) => {
                "the row is open; y copies a value, Esc goes back"
            }
            (Screen::Topology, _) => "this server is not in the configuration; a adds it",
            (_, Pane::Events) => "the node of this event is gone",
            _ => "there is no row to open",
        }
    }

    fn why_no_neighbour(&self) -> &'static str {
        match self.screen {
            Screen::Events | Screen::Topology | Screen::Alerts => "this screen is about all nodes at once",
            Screen::Query => "there is no other node's answer",
            _ => "there is no other node",
        }
    }
}

/// Another place where the key means something; screens come first.
fn elsewhere(key: Key, here: Place) -> Option<(Place, Action)> {
    let mut places: Vec<Place> = SCREENS.iter().map(|about| about.place).filter(|place| *place != here).collect();
    places.sort();
    places.into_iter().find_map(|place| Some((place, keymap::keymap().resolve(key, place)?)))
}

/// The text with its first letter in lower case, unless its first word is in capitals.
fn lowered(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}
