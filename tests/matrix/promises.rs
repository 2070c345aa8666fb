//! What each key promises, and how the next frame shows that it was kept.

use pgwatch::app::keymap::{self, Place};
use pgwatch::app::{Action, Effect, Key, Msg, update};
use pgwatch::model::Command;

use crate::look::Look;
use crate::places::Standing;
use crate::scene::Scene;

/// A key that was pressed, and the frames around it.
pub(crate) struct Pressed<'a> {
    pub(crate) standing: &'a Standing,
    pub(crate) key: Key,
    pub(crate) size: (u16, u16),
    pub(crate) effects: &'a [Effect],
    pub(crate) before: &'a Look,
    pub(crate) after: &'a Look,
}

impl Pressed<'_> {
    fn place(&self) -> Place {
        keymap::place(&self.standing.scene.app)
    }

    fn sends(&self, wanted: impl Fn(&Command) -> bool) -> bool {
        self.effects.iter().any(|effect| matches!(effect, Effect::Send(command) if wanted(command)))
    }

    /// The foot says one of these words, which it did not say before.
    fn says(&self, words: &[&str]) -> bool {
        let said = self.after.said(self.before);
        said.is_some_and(|said| words.iter().any(|word| said.contains(word)))
    }

    /// A dialog or a line that was not there: its words.
    fn opens(&self, words: &str) -> bool {
        self.after.shows(words) && !self.before.shows(words)
    }

    /// Another screen, page or table than before.
    fn leads_elsewhere(&self) -> bool {
        self.after.tabs() != self.before.tabs() || self.after.frames() != self.before.frames()
    }

    /// The selection is another row, or what is scrolled shows other lines.
    fn moves(&self) -> bool {
        self.after.differs(self.before)
    }

    /// Pressed next, this key leads back to the row, or to the lines that were shown.
    fn leads_back(&self, scene: &mut Scene, by: &str) -> bool {
        scene.press(by);
        let look = Look::draw(scene, self.size);
        let row = self.before.row();
        (row.is_some() && look.row() == row) || !look.differs(self.before)
    }

    /// The same key once more goes no further, and says so.
    fn is_at_an_end(&self, scene: &mut Scene, said: &str) -> bool {
        let _ = update(&mut scene.app, Msg::Key(self.key));
        Look::draw(scene, self.size).foot().contains(said)
    }
}

/// Whether the frame shows what the key promises.
#[allow(clippy::too_many_lines, reason = "one line for each action: a new one does not compile without its promise")]
pub(crate) fn kept(action: Action, pressed: &Pressed<'_>, scene: &mut Scene) -> bool {
    let (before, after) = (pressed.before, pressed.after);
    let place = pressed.place();
    match action {
        Action::Up => pressed.moves() && pressed.leads_back(scene, "<down>"),
        Action::Down => pressed.moves() && pressed.leads_back(scene, "<up>"),
        Action::Top => pressed.moves() && pressed.is_at_an_end(scene, "this is the beginning"),
        Action::Bottom => pressed.moves() && pressed.is_at_an_end(scene, "this is the end"),
        Action::PageUp | Action::HalfUp | Action::PageDown | Action::HalfDown => pressed.moves(),
        Action::Left | Action::Right | Action::ProblemsOnly | Action::Group | Action::OnlyNode => {
            before.body() != after.body()
        }
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
        Action::RefreshNow => pressed.sends(|command| *command == Command::LookNow) && pressed.says(&["asked again"]),
        Action::EditStatement => keymap::place(&scene.app) == Place::Editor && after.keys().contains("F5"),
        Action::Rerun | Action::Run => pressed.sends(|command| matches!(command, Command::Run(_))),
        Action::Accept
        | Action::ToggleColumn
        | Action::Complete
        | Action::CompleteBack
        | Action::Older
        | Action::Newer => before.lines != after.lines && !after.keys().starts_with('✖') || after.differs(before),
        Action::Test => after.shows("Testing") || after.shows("testing") || after.shows("✖"),
        Action::Yes => pressed.sends(|command| matches!(command, Command::RemoveNode(_))) && !after.shows("Remove "),
        Action::No => !after.shows("Remove ") && before.shows("Remove "),
        Action::NextField | Action::PreviousField => after.differs(before) || before.keys() != after.keys(),
        Action::Cancel => pressed.leads_elsewhere() || before.lines != after.lines || after.differs(before),
        Action::Filter => filters(scene, place),
        Action::Sort | Action::SortReverse | Action::SortLeft | Action::SortRight => {
            pressed.says(&["sorted", "order"]) || before.body() != after.body()
        }
        Action::ShowHidden => pressed.says(&["shown", "hidden"]) || before.body() != after.body(),
        Action::Columns => pressed.opens("Columns"),
        Action::Explain => after.shows("EXPLAIN") || pressed.says(&["PostgreSQL 16", "database"]),
        Action::Follow => pressed.says(&["follow", "stays"]) || pressed.moves(),
        Action::PreviousNode | Action::NextNode => pressed.moves() || before.body() != after.body(),
        Action::NextPane | Action::PreviousPane => after.differs(before),
        Action::Zoom => pressed.says(&["z shows all again", "all panes"]) && after.frames() != before.frames(),
        Action::Wrap => pressed.says(&["wrap", "cut"]),
        Action::Copy => pressed.effects.iter().any(|effect| matches!(effect, Effect::Copy(text) if !text.is_empty())),
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
        | Action::ScreenAlerts => pressed.leads_elsewhere() || after.differs(before),
        Action::Command => after.foot().starts_with(':'),
        Action::Help => pressed.opens("Help") || after.shows("On every screen"),
        Action::Back => before.lines != after.lines && !pressed.says(&["began"]),
        Action::Quit => {
            pressed.leads_elsewhere() || pressed.sends(|command| matches!(command, Command::Shutdown { .. }))
        }
        Action::Redraw => pressed.effects == [Effect::Redraw],
        Action::Suspend => pressed.effects == [Effect::Suspend],
        Action::LeaveNow => pressed.sends(|command| *command == Command::Shutdown { drain: false }),
    }
}

/// `/` opens its line; what is typed then is text and nothing else, the frame says it, and `Esc` takes it back.
fn filters(scene: &mut Scene, place: Place) -> bool {
    let screen = scene.app.screen;
    let opened = keymap::place(&scene.app) == Place::Filter;
    scene.press("qtad");
    let typed = scene.app.screen == screen && scene.app.dialog.is_none() && scene.app.leaving.is_none();
    let at_work = Look::draw(scene, (120, 40));
    let loud = at_work.frames().iter().any(|frame| frame.contains("/qtad"));
    scene.press("<esc>");
    let after = Look::draw(scene, (120, 40));
    opened
        && typed
        && loud
        && !after.frames().iter().any(|frame| frame.contains("/qtad"))
        && keymap::place(&scene.app) == place
}
