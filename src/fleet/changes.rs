//! What changed on a server, from what it said before and what it says now. Each change is found once, with the first
//! figures that show it. Pure.
//!
//! What is read first is no change: of a node that was never seen, of another cluster at its address, of a node with
//! another configuration. Neither is it a change that our own sessions ended. After a new connection, figures are compared
//! once the server has said who it is, since another one may answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::journal::NAMED;
use crate::model::change::{SettingChange, Severity, Side, Turn, What};
use crate::model::facts::Configured;
use crate::model::{Facts, NodeName, Role, ServerFacts, figures};
use steady::Streams;

mod rows;
mod steady;

/// A change without its node and time.
pub(super) type Found = (Severity, String, What);

/// How long the receivers of a server that was restarted have to connect again: they try every five seconds.
const RESTART: Duration = Duration::from_secs(12);
/// How many senders are remembered that are gone.
const GONE: usize = 100;

/// What a server was last told to be.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    role: Option<Role>,
    timeline: Option<u32>,
    streaming: Option<bool>,
    /// The names of the WAL senders, in order; `None` for one whose name is hidden.
    senders: Option<Vec<Option<String>>>,
    /// The senders that are gone: one that returns is not new.
    gone: Vec<String>,
    streams: Streams,
    server: Option<Arc<ServerFacts>>,
    /// True if figures came on this connection before the server said who it is.
    waited: bool,
    /// Until when what ended with the server's restart may come back unsaid.
    restarting: Option<SystemTime>,
    /// Subscriptions that fail, and when they were last seen to.
    failing: BTreeMap<String, SystemTime>,
    /// Earlier answers to views are of another server or role.
    since: Option<SystemTime>,
}

impl Told {
    /// Another server, or another database, answers from now on.
    pub(super) fn forget(&mut self, at: SystemTime) {
        *self = Self { since: Some(at), ..Self::default() };
    }

    /// Takes in what a node reported last, and returns what is new in it. `upstream` is the node that it receives from.
    /// `server` is what it said of itself on the present connection.
    pub(super) fn take(
        &mut self,
        at: SystemTime,
        facts: &Facts,
        server: Option<&Arc<ServerFacts>>,
        upstream: Option<&NodeName>,
    ) -> Vec<Found> {
        let is_first = self.role.is_none();
        if !is_first && server.is_none() && !std::mem::replace(&mut self.waited, true) {
            return Vec::new();
        }
        self.waited &= server.is_none();
        let mut found = Vec::new();
        if let Some(server) = server {
            self.server(at, server, &mut found);
        }
        self.role(at, facts, &mut found);
        if let Some(now) = facts.timeline
            && let Some(before) = self.timeline.replace(now).filter(|before| *before != now)
        {
            let message = format!("it is on timeline {now} now, and was on timeline {before}");
            found.push((Severity::Info, message, What::Timeline { from: before, to: now }));
        }
        self.restarting.take_if(|until| *until <= at);
        self.receiver(facts, upstream, &mut found);
        self.senders(facts, &mut found);
        self.streams.weigh(at, facts, self.restarting.is_some(), &mut found);
        found
    }

    fn role(&mut self, at: SystemTime, facts: &Facts, found: &mut Vec<Found>) {
        let to = facts.role;
        let Some(from) = self.role.replace(to).filter(|from| *from != to) else { return };
        let message = match to {
            Role::Primary => "it was promoted: it is a primary now, and accepts writes",
            Role::Standby => "it is a standby now, and was a primary",
        };
        found.push((Severity::Warning, message.to_owned(), What::Role { from, to }));
        (self.streaming, self.since) = (None, Some(at));
    }

    fn server(&mut self, at: SystemTime, now: &Arc<ServerFacts>, found: &mut Vec<Found>) {
        let Some(before) = self.server.replace(Arc::clone(now)) else { return };
        if Arc::ptr_eq(&before, now) {
            return;
        }
        if let (Some(from), Some(to)) = (before.started_at, now.started_at)
            && from != to
        {
            let message = match to.duration_since(from) {
                Ok(after) => format!("the server was started again, {} after its last start", figures::age(after)),
                Err(_) => "the server was started again".to_owned(),
            };
            found.push((Severity::Warning, message, What::Restarted { from, to }));
            self.restarting = Some(at + RESTART);
        }
        if before.version != now.version && !before.version.is_empty() {
            let (from, to) = (before.version.clone(), now.version.clone());
            let message = format!("it runs PostgreSQL {to} now, and ran {from}");
            found.push((Severity::Info, message, What::Version { from, to }));
        }
        if let (Some(before), Some(now)) = (&before.configured, &now.configured) {
            let changed = settings(before, now);
            if !changed.is_empty() {
                let waits = changed.iter().any(|change| change.pending_restart);
                let severity = if waits { Severity::Warning } else { Severity::Info };
                let words = named(changed.iter().map(SettingChange::in_words));
                found.push((severity, words, What::Settings(changed)));
            }
        }
    }

    fn receiver(&mut self, facts: &Facts, upstream: Option<&NodeName>, found: &mut Vec<Found>) {
        let Some(now) = facts.streaming().filter(|_| facts.role == Role::Standby) else { return };
        if !now && self.restarting.is_some() {
            return;
        }
        let Some(before) = self.streaming.replace(now).filter(|before| *before != now) else { return };
        let from = upstream.map(|upstream| format!(" from {upstream}")).unwrap_or_default();
        let status = facts.receiver.as_deref().unwrap_or("stopped");
        let (severity, turn, message) = if before {
            let message = format!("it does not receive WAL{from} any more: its receiver is {status}");
            (Severity::Warning, Turn::Lost, message)
        } else {
            (Severity::Good, Turn::Back, format!("it receives WAL{from}"))
        };
        let name = upstream.map(ToString::to_string);
        found.push((severity, message, What::Replication { side: Side::Receiver, name, turn }));
    }

    fn senders(&mut self, facts: &Facts, found: &mut Vec<Found>) {
        if facts.senders.is_none() {
            return;
        }
        let mut now: Vec<Option<String>> = facts.sending().map(|sender| sender.name.clone()).collect();
        now.sort();
        let Some(before) = self.senders.replace(now.clone()) else { return };
        let gone = less(&before, &now);
        let gone = if self.restarting.is_some() { self.expect(gone) } else { gone };
        let mut tell = |severity, turn, name: Option<String>| {
            let who = name.as_deref().filter(|name| !name.is_empty()).unwrap_or("a receiver");
            let message = match turn {
                Turn::Gone => format!("{who} does not receive WAL from here any more"),
                Turn::Back => format!("{who} receives WAL from here again"),
                _ => format!("{who} receives WAL from here"),
            };
            found.push((severity, message, What::Replication { side: Side::Sender, name, turn }));
        };
        for name in gone {
            if let Some(name) = &name
                && !self.gone.contains(name)
            {
                self.gone.truncate(GONE - 1);
                self.gone.insert(0, name.clone());
            }
            tell(Severity::Warning, Turn::Gone, name);
        }
        for name in less(&now, &before) {
            let known = name.as_ref().is_some_and(|name| self.gone.contains(name));
            let (severity, turn) = if known { (Severity::Good, Turn::Back) } else { (Severity::Info, Turn::New) };
            tell(severity, turn, name);
        }
    }
}

impl Told {
    /// Keeps these senders as if they were there. Returns those that are told to be gone: none.
    fn expect(&mut self, gone: Vec<Option<String>>) -> Vec<Option<String>> {
        let senders = self.senders.get_or_insert_default();
        senders.extend(gone);
        senders.sort();
        Vec::new()
    }
}

/// What one list has and the other has not; both are sorted, and one name may stand several times.
fn less(one: &[Option<String>], other: &[Option<String>]) -> Vec<Option<String>> {
    let mut other = other.iter().peekable();
    let is_missing = |name: &&Option<String>| {
        while other.next_if(|next| next < name).is_some() {}
        other.next_if_eq(name).is_none()
    };
    one.iter().filter(is_missing).cloned().collect()
}

/// The settings that differ, or wait for a restart from now on.
fn settings(before: &[Configured], now: &[Configured]) -> Vec<SettingChange> {
    let of = |list: &[Configured], name: &str| list.iter().find(|setting| setting.name == name).cloned();
    let mut changed = Vec::new();
    for setting in now {
        let known = of(before, &setting.name);
        // What the configuration did not set had its default.
        let from = known.clone().unwrap_or_else(|| setting.unset());
        let waits = setting.pending_restart && !known.is_some_and(|known| known.pending_restart);
        if from.mark != setting.mark || waits {
            let to = if from.mark == setting.mark { None } else { setting.value.clone() };
            let pending_restart = setting.pending_restart;
            changed.push(SettingChange { name: setting.name.clone(), from: from.value, to, pending_restart });
        }
    }
    for setting in before {
        if of(now, &setting.name).is_none() {
            let to = setting.unset();
            if to.mark != setting.mark {
                let (name, from) = (setting.name.clone(), setting.value.clone());
                changed.push(SettingChange { name, from, to: to.value, pending_restart: false });
            }
        }
    }
    changed
}

/// `a, b, c and 4 more`
fn named(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let first = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

#[cfg(test)]
mod tests;
