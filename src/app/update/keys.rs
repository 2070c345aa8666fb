//! Finds the action that a key stands for, and performs it. A key without an action is typed.

use crate::app::keys::keymap;
use crate::app::rows::cursor::Move;
use crate::app::{Action, App, Cursor, Dialog, Effect, Key, Pane};

impl App {
    /// Performs the action of a key in the place where it was pressed, or types it.
    pub(in crate::app) fn press(&mut self, key: Key) -> Vec<Effect> {
        self.notice = None;
        self.settle();
        match keymap::keymap().resolve(key, self.place_of_keys()) {
            Some(action) if !self.can(action) => self.refuse(action),
            Some(action) if action.is_move() => self.perform_move(action),
            Some(action) if action.is_screen() => self.perform_screen(action),
            Some(action @ (Action::PreviousNode | Action::NextNode)) => self.perform_neighbour(action),
            Some(action) => self.perform(action),
            None => self.type_key(key),
        }
    }

    /// Performs an action at once.
    pub(in crate::app) fn perform(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Up => self.go(Move::Up),
            Action::Down => self.go(Move::Down),
            Action::Top => self.go(Move::First),
            Action::Bottom => self.go(Move::Last),
            Action::PageUp => self.go(Move::PageUp),
            Action::PageDown => self.go(Move::PageDown),
            Action::HalfUp => self.go(Move::HalfUp),
            Action::HalfDown => self.go(Move::HalfDown),
            Action::Left => self.scroll_columns(false),
            Action::Right => self.scroll_columns(true),
            Action::Open => self.open(),
            Action::Mark if self.pane == Pane::View => self.mark_row(),
            Action::Mark => self.mark(),
            Action::Add => self.open_add_form(),
            Action::Edit => self.open_edit_form(),
            Action::Remove => self.ask_removal(),
            Action::Retry => return self.retry(),
            Action::Pause => return self.pause_or_resume(),
            Action::Acknowledge => self.acknowledge(),
            Action::Compare => self.compare(),
            Action::RefreshNow => return self.refresh_now(),
            Action::EditStatement => self.edit_statement(),
            Action::Rerun => return self.rerun(),
            Action::Run => return self.run_editor(),
            Action::Accept => return self.accept(),
            Action::Test => return self.test_form(false),
            Action::Yes => return self.answer(true),
            Action::No => return self.answer(false),
            Action::NextField => self.step_dialog(true),
            Action::PreviousField => self.step_dialog(false),
            Action::Complete => self.complete(true),
            Action::CompleteBack => self.complete(false),
            Action::Older => self.recall(true),
            Action::Newer => self.recall(false),
            Action::Cancel => return self.cancel(),
            Action::ProblemsOnly => self.toggle_problems(),
            Action::Filter => self.open_filter(),
            Action::Sort => self.sort_next(),
            Action::SortReverse => self.sort_reverse(),
            Action::SortLeft => self.sort_shift(false),
            Action::SortRight => self.sort_shift(true),
            Action::ShowHidden => self.toggle_hidden(),
            Action::Group => self.group_next(),
            Action::OnlyNode => self.toggle_only(),
            Action::Columns => self.choose_columns(),
            Action::ToggleColumn => return self.toggle_column(),
            Action::Explain => return self.explain(),
            Action::Follow => self.toggle_follow(),
            Action::PreviousNode => self.go_to_neighbour(false),
            Action::NextNode => self.go_to_neighbour(true),
            Action::NextPane => self.next_pane(true),
            Action::PreviousPane => self.next_pane(false),
            Action::Zoom => self.toggle_zoom(),
            Action::Wrap => self.toggle_wrap(),
            Action::Copy => return self.copy(),
            Action::Export => self.ask_export(),
            Action::Freeze => self.toggle_frozen(),
            Action::Slower => return self.step_refresh(true),
            Action::Faster => return self.step_refresh(false),
            Action::ScreenNodes
            | Action::ScreenTopology
            | Action::ScreenActivity
            | Action::ScreenLocks
            | Action::ScreenReplication
            | Action::ScreenStatements
            | Action::ScreenTables
            | Action::ScreenIo
            | Action::ScreenQuery
            | Action::ScreenEvents
            | Action::ScreenAlerts => self.show_screen_of(action),
            Action::Command => self.open_command(),
            Action::Help => self.dialog = Some(Dialog::Help(Cursor::default())),
            Action::Back => return self.back(),
            Action::Quit => return self.quit(),
            Action::Redraw => return vec![Effect::Redraw],
            Action::Suspend => return vec![Effect::Suspend],
            Action::LeaveNow => return self.leave_now(),
        }
        Vec::new()
    }
}
