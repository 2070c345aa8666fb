//! What each key promises, and how the next frame shows that it was kept.

use pgwatch::app::{Action, Effect, Key, KeyCode};
use pgwatch::model::Command;

use crate::look::Look;

/// Keys that prove the effect of the first one, pressed on a picture or in a terminal.
pub(crate) trait Hands {
    fn press(&mut self, keys: &[Key]);

    /// True if the screen satisfies this, now or in a moment.
    fn sees(&mut self, condition: &dyn Fn(&Look) -> bool) -> bool;
}

/// A pressed key, and the frames around it.
pub(crate) struct Pressed<'a> {
    pub(crate) key: Key,
    /// The effects that the key asked the loop for; `None` in a terminal, where only the screen shows them.
    pub(crate) effects: Option<&'a [Effect]>,
    pub(crate) before: &'a Look,
    pub(crate) after: &'a Look,
}

/// More presses than any list of these pictures needs to reach its end.
const MANY: usize = 120;

impl Pressed<'_> {
    fn asks(&self, wanted: impl Fn(&Effect) -> bool) -> bool {
        self.effects.is_none_or(|effects| effects.iter().any(wanted))
    }

    fn sends(&self, wanted: impl Fn(&Command) -> bool) -> bool {
        self.asks(|effect| matches!(effect, Effect::Send(command) if wanted(command)))
    }

    /// The foot shows one of these words, which it did not show before.
    fn says(&self, words: &[&str]) -> bool {
        let said = self.after.said(self.before);
        said.is_some_and(|said| words.iter().any(|word| said.contains(word)))
    }

    /// A dialog or a line has opened that contains these words.
    fn opens(&self, words: &str) -> bool {
        self.after.shows(words) && !self.before.shows(words)
    }

    /// Another screen, page or table than before.
    fn leads_elsewhere(&self) -> bool {
        self.after.tabs() != self.before.tabs() || self.after.frames() != self.before.frames()
    }

    /// The selection is another row, or the scrolled text shows other lines.
    fn moves(&self) -> bool {
        self.after.differs(self.before)
    }

    /// Pressed next, this key leads back to the same row, or to the lines that were shown.
    fn leads_back(&self, hands: &mut dyn Hands, by: KeyCode) -> bool {
        hands.press(&[Key::from(by)]);
        let row = self.before.row();
        hands.sees(&|look| (row.is_some() && look.row() == row) || !look.differs(self.before))
    }

    /// The same key pressed this many times more goes no further, and the foot says so.
    fn ends(&self, hands: &mut dyn Hands, times: usize, said: &str) -> bool {
        hands.press(&vec![self.key; times]);
        hands.sees(&|look| look.foot().contains(said))
    }

    /// The line of tabs shows the screen of this key.
    fn leads_to_its_screen(&self) -> bool {
        let is_there = matches!(self.key.code, KeyCode::Char(letter) if self.after.tab == Some(letter));
        is_there && (self.leads_elsewhere() || self.after.differs(self.before))
    }

    /// What was open is closed: the key line no longer names its keys.
    fn closes(&self) -> bool {
        self.after.keys() != self.before.keys()
    }
}

/// True if the frame shows what the key promises.
#[allow(clippy::too_many_lines, reason = "one line for each action: a new one does not compile without its promise")]
pub(crate) fn kept(action: Action, pressed: &Pressed<'_>, hands: &mut dyn Hands) -> bool {
    let (before, after) = (pressed.before, pressed.after);
    match action {
        Action::Up => pressed.moves() && pressed.leads_back(hands, KeyCode::Down),
        Action::Down => pressed.moves() && pressed.leads_back(hands, KeyCode::Up),
        Action::Top => pressed.moves() && pressed.ends(hands, 1, "this is the beginning"),
        Action::Bottom => pressed.moves() && pressed.ends(hands, 1, "this is the end"),
        Action::PageUp | Action::HalfUp => pressed.moves() && pressed.ends(hands, MANY, "this is the beginning"),
        Action::PageDown | Action::HalfDown => pressed.moves() && pressed.ends(hands, MANY, "this is the end"),
        Action::Left | Action::Right | Action::ProblemsOnly | Action::Group => before.body() != after.body(),
        Action::OnlyNode => after.has_frame("only ") != before.has_frame("only "),
        Action::Open => pressed.leads_elsewhere(),
        Action::Mark => {
            let marked = before.selected.is_some_and(|line| before.lines[line] != after.lines[line]);
            marked || before.body() != after.body()
        }
        Action::Add => pressed.opens("Add a node"),
        Action::Edit => pressed.opens("Edit "),
        Action::Remove => pressed.opens("Remove "),
        Action::Retry => pressed.sends(|command| matches!(command, Command::Retry(_))) && pressed.says(&["retrying"]),
        Action::Acknowledge => before.body() != after.body() || before.header() != after.header(),
        Action::Compare => after.frames().iter().any(|frame| frame.starts_with("Drift")),
        Action::Pause => {
            pressed.sends(|command| matches!(command, Command::Pause(_) | Command::Resume(_)))
                && pressed.says(&["pausing", "resuming"])
        }
        Action::RefreshNow => {
            pressed.sends(|command| *command == Command::LookNow) && pressed.says(&["refreshing now"])
        }
        Action::EditStatement => after.keys().contains("Esc results") && !before.keys().contains("Esc results"),
        Action::Rerun | Action::Run => pressed.sends(|command| matches!(command, Command::Run(_))),
        Action::Accept
        | Action::ToggleColumn
        | Action::Complete
        | Action::CompleteBack
        | Action::Older
        | Action::Newer => before.lines != after.lines && !after.keys().starts_with('✖') || after.differs(before),
        Action::Test => {
            let faults = |look: &Look| look.body().iter().map(|line| line.matches('✖').count()).sum::<usize>();
            pressed.opens("Testing") || pressed.opens("connected in") || faults(after) > faults(before)
        }
        Action::Yes => pressed.sends(|command| matches!(command, Command::RemoveNode(_))) && !after.shows("Remove "),
        Action::No => !after.shows("Remove ") && before.shows("Remove "),
        Action::NextField | Action::PreviousField => after.differs(before) || before.keys() != after.keys(),
        Action::Cancel => pressed.closes(),
        Action::Filter => after.foot().starts_with('/') && filters(before, hands),
        Action::Sort | Action::SortReverse | Action::SortLeft | Action::SortRight => {
            pressed.says(&["sorted", "order"]) || before.body() != after.body()
        }
        Action::ShowHidden => pressed.says(&["shown", "hidden"]) || before.body() != after.body(),
        Action::Columns => pressed.opens("Columns"),
        Action::Explain => after.shows("EXPLAIN") || pressed.says(&["PostgreSQL 16", "database", "has no plan"]),
        Action::Follow => pressed.says(&["follow", "stays"]) || pressed.moves(),
        Action::PreviousNode | Action::NextNode => pressed.moves() || before.body() != after.body(),
        Action::NextPane | Action::PreviousPane => after.differs(before),
        Action::Zoom => pressed.says(&["z shows all again", "all panes"]) && after.frames() != before.frames(),
        Action::Wrap => pressed.says(&["long text is"]),
        Action::Copy => {
            pressed.asks(|effect| matches!(effect, Effect::Copy(text) if !text.is_empty()))
                && pressed.says(&["terminal", "clipboard"])
        }
        Action::Export => after.foot().starts_with(":export"),
        Action::Freeze => after.header().contains("FROZEN") != before.header().contains("FROZEN"),
        Action::Slower | Action::Faster => {
            pressed.sends(|command| matches!(command, Command::SetRefresh(_))) && pressed.says(&["refresh every"])
        }
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
        | Action::ScreenAlerts => pressed.leads_to_its_screen(),
        Action::Command => after.foot().starts_with(':'),
        Action::Help => pressed.opens("Help") || after.shows("On every screen"),
        Action::Back => {
            before.lines != after.lines
                && !pressed.says(&["this is the first screen"])
                && pressed.ends(hands, 20, "this is the first screen")
        }
        Action::Quit => {
            pressed.leads_elsewhere()
                || (pressed.effects.is_some() && pressed.sends(|command| matches!(command, Command::Shutdown { .. })))
        }
        Action::Redraw => pressed.asks(|effect| *effect == Effect::Redraw),
        Action::Suspend => pressed.asks(|effect| *effect == Effect::Suspend),
        Action::LeaveNow => pressed.sends(|command| *command == Command::Shutdown { drain: false }),
    }
}

/// The open filter line: what is typed is plain text, the frame shows it at once, and `Esc` takes it back. Without
/// nodes there is no frame, and what is typed is still plain text.
fn filters(before: &Look, hands: &mut dyn Hands) -> bool {
    let is_empty = before.shows("adds a node now");
    hands.press(&Key::sequence("qtad"));
    let loud = hands.sees(&|look| look.foot().contains("qtad") && (is_empty || look.has_frame("qtad")));
    hands.press(&[Key::from(KeyCode::Esc)]);
    loud && hands.sees(&|look| !look.foot().contains("qtad") && !look.has_frame("qtad"))
}
