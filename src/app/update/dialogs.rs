//! What keys do in dialogs, input lines and the editor.

use crate::model::Command;

use crate::app::dialogs::confirm::About;
use crate::app::dialogs::form::Test;
use crate::app::keys::keymap::Place;
use crate::app::{App, Dialog, Effect, Key, KeyCode, Pane};
use crate::fleet::Severity;

impl App {
    /// Handles a key that triggers no action here: it is text if there is something to type into.
    pub(in crate::app) fn type_key(&mut self, key: Key) -> Vec<Effect> {
        match self.place_of_keys() {
            Place::Form => {
                if let Some(Dialog::Form(form)) = &mut self.dialog {
                    form.key(key);
                }
            }
            Place::Command | Place::Filter if self.prompt.as_mut().is_some_and(|prompt| prompt.input.key(key)) => {
                self.prompt_changed();
            }
            Place::Editor => self.type_in_editor(key),
            _ => self.refuse_key(key),
        }
        Vec::new()
    }

    /// Types into the editor. In its first and last line, up and down go to the history.
    fn type_in_editor(&mut self, key: Key) {
        match key.code {
            KeyCode::Up if self.query.editor.at_edge(true) => self.recall(true),
            KeyCode::Down if self.query.editor.at_edge(false) => self.recall(false),
            _ => {
                self.query.editor.key(key);
            }
        }
    }

    pub(in crate::app) fn paste(&mut self, text: &str) -> Vec<Effect> {
        match self.place_of_keys() {
            Place::Form => {
                if let Some(Dialog::Form(form)) = &mut self.dialog {
                    form.paste(text);
                }
            }
            Place::Command | Place::Filter => {
                if let Some(prompt) = &mut self.prompt {
                    prompt.input.insert(text);
                    self.prompt_changed();
                }
            }
            Place::Editor => self.query.editor.insert(text),
            _ => self.say(Severity::Info, "nothing to paste into: 9 opens the query editor, : the command line"),
        }
        Vec::new()
    }

    /// `Enter`, where it does not open a row.
    pub(in crate::app) fn accept(&mut self) -> Vec<Effect> {
        match self.place_of_keys() {
            Place::Form => self.accept_form(),
            Place::Confirm => {
                let yes = matches!(&self.dialog, Some(Dialog::Confirm(confirm)) if confirm.yes);
                self.answer(yes)
            }
            Place::Command => self.accept_command(),
            Place::Filter => {
                self.prompt = None;
                self.keep_filter();
                Vec::new()
            }
            Place::Editor if self.query.editor.is_complete() => self.run_editor(),
            Place::Editor => {
                self.query.editor.break_line();
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// `Esc` in a dialog, an input line or the editor.
    pub(in crate::app) fn cancel(&mut self) -> Vec<Effect> {
        if self.dialog.take().is_some() {
            return Vec::new();
        }
        if let Some(prompt) = self.prompt.take() {
            if prompt.place() == Place::Filter {
                self.set_filter(&prompt.before);
            }
            return Vec::new();
        }
        if self.fleet.runs_statement() {
            return self.cancel_query();
        }
        self.pane = Pane::Result;
        Vec::new()
    }

    pub(in crate::app) fn step_dialog(&mut self, forward: bool) {
        match &mut self.dialog {
            Some(Dialog::Form(form)) => form.step(forward),
            Some(Dialog::Confirm(confirm)) => confirm.yes = !confirm.yes,
            Some(Dialog::Help(_) | Dialog::Columns(_)) | None => {}
        }
    }

    /// Answers the open question.
    pub(in crate::app) fn answer(&mut self, yes: bool) -> Vec<Effect> {
        match self.dialog.take() {
            Some(Dialog::Confirm(confirm)) if yes => match confirm.about {
                About::Removal(nodes) => self.remove(nodes),
                About::Run { statement, nodes, .. } => self.send_statement(&statement, nodes),
            },
            _ => Vec::new(),
        }
    }

    /// `Enter` in the form: tests a complete node, adds it if the test passed, and adds it after a failed test when
    /// pressed again.
    fn accept_form(&mut self) -> Vec<Effect> {
        let Some(Dialog::Form(form)) = &mut self.dialog else { return Vec::new() };
        match form.test {
            Test::Idle => {
                let complete = form.checked().is_some();
                if complete { self.test_form(true) } else { Vec::new() }
            }
            Test::Running { .. } => Vec::new(),
            Test::Passed(_) | Test::Failed(_) => self.submit_form(),
        }
    }

    /// Adds the node of the form, or saves it.
    pub(in crate::app) fn submit_form(&mut self) -> Vec<Effect> {
        let Some(Dialog::Form(form)) = &mut self.dialog else { return Vec::new() };
        let Some(node) = form.checked() else { return Vec::new() };
        let editing = form.is_editing();
        self.dialog = None;
        self.expected = Some(node.name.clone());
        let node = Box::new(node);
        vec![Effect::Send(if editing { Command::EditNode(node) } else { Command::AddNode(node) })]
    }

    /// Tests the connection. If `then_add` is true, a node that passes is added.
    pub(in crate::app) fn test_form(&mut self, then_add: bool) -> Vec<Effect> {
        let id = self.next_id();
        let Some(Dialog::Form(form)) = &mut self.dialog else { return Vec::new() };
        let Some(node) = form.testable() else { return Vec::new() };
        form.test = Test::Running { id, then_add };
        vec![Effect::Send(Command::Test { id, node: Box::new(node) })]
    }
}
