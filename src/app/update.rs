//! The only entry: a message changes the state and returns effects for the outside world. One match, with one call
//! per arm.

pub(super) mod alerts;
pub(super) mod arrange;
pub mod available;
pub mod command;
pub(super) mod dialogs;
pub(super) mod events;
pub(super) mod export;
pub(super) mod leaving;
pub mod mouse;
pub(super) mod movement;
pub(super) mod nodes;
pub(super) mod rows;
pub(super) mod topology;
pub(super) mod travel;
pub(super) mod view;

use super::keys::keymap;
use super::rows::cursor::Move;
use super::{Action, App, Dialog, Effect, Key, Msg};
use crate::fleet::Severity;

/// Applies a message. It awaits nothing and reads no clock.
pub fn update(app: &mut App, msg: Msg) -> Vec<Effect> {
    app.dirty |= !matches!(msg, Msg::Drawn(_) | Msg::Tick(_) | Msg::Frame);
    // Which views are asked depends only on keys, files and time, so manager events skip this step.
    let may_look_elsewhere = !matches!(msg, Msg::Event(_) | Msg::Drawn(_) | Msg::Frame);
    let mut effects = take(app, msg);
    if may_look_elsewhere {
        effects.extend(app.look());
    }
    effects
}

fn take(app: &mut App, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Key(key) => app.press(key),
        Msg::Mouse(mouse) => app.click(mouse),
        Msg::Paste(text) => app.paste(&text),
        Msg::Resize { width, height } => app.resize(width, height),
        Msg::Event(event) => app.apply(event),
        Msg::Tick(now) => app.tick(now),
        Msg::Frame => app.before_frame(),
        Msg::Views(views, rules, problems) => app.take_views(views, rules, problems),
        Msg::Drawn(drawn) => app.measured(drawn),
        Msg::Busy(command) => app.not_sent(*command),
        Msg::Reloaded(outcome) => app.reloaded(outcome),
        Msg::Failed(text) => app.tell(Severity::Warning, text),
        Msg::Done(text) => app.tell(Severity::Info, text),
        Msg::Terminate => app.leave_now(),
    }
}

impl App {
    fn press(&mut self, key: Key) -> Vec<Effect> {
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
    pub(super) fn perform(&mut self, action: Action) -> Vec<Effect> {
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
            Action::Mark if self.pane == super::Pane::View => self.mark_row(),
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
            Action::Help => self.dialog = Some(Dialog::Help(super::Cursor::default())),
            Action::Back => return self.back(),
            Action::Quit => return self.quit(),
            Action::Redraw => return vec![Effect::Redraw],
            Action::Suspend => return vec![Effect::Suspend],
            Action::LeaveNow => return self.leave_now(),
        }
        Vec::new()
    }

    fn tell(&mut self, severity: Severity, text: String) -> Vec<Effect> {
        self.say(severity, text);
        Vec::new()
    }
}
