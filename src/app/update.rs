//! The only entry: a message changes the state and returns effects for the outside world. One arm for each message;
//! `keys.rs` has one for each action.

pub(super) mod alerts;
pub mod available;
pub mod command;
pub(super) mod dialogs;
pub(super) mod events;
pub(super) mod export;
pub(super) mod keys;
pub(super) mod leaving;
pub mod mouse;
pub(super) mod movement;
pub(super) mod nodes;
pub(super) mod rows;
pub(super) mod topology;
pub(super) mod travel;
pub(super) mod view;

use super::{App, Effect, Msg};
use crate::fleet::Severity;

/// Applies a message. It awaits nothing and reads no clock.
pub fn update(app: &mut App, msg: Msg) -> Vec<Effect> {
    app.dirty |= !matches!(msg, Msg::Drawn(_) | Msg::Tick(_) | Msg::Frame);
    // Events of the manager are many and seldom change which views are asked, so they skip this step: the next tick
    // does it.
    let may_look_elsewhere = !matches!(msg, Msg::Event(_) | Msg::Drawn(_) | Msg::Frame);
    let mut effects = take(app, msg);
    if may_look_elsewhere {
        effects.extend(app.look());
        effects.extend(app.fetch_opened());
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
    fn tell(&mut self, severity: Severity, text: String) -> Vec<Effect> {
        self.say(severity, text);
        Vec::new()
    }
}
