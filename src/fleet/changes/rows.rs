//! Rows of views that come, go and fail: slots, subscriptions, and the objects of a database.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use super::{Found, Told, named};
use crate::model::View;
use crate::model::change::{Severity, Side, Turn, What};
use crate::model::view::{Reading, RowEvents, RowKind};

/// A subscription is well once it has not failed for this long: its worker tries again every five seconds.
const WELL: Duration = Duration::from_secs(15);

impl Told {
    /// What a new answer to a view shows that the one before it did not.
    pub(in crate::fleet) fn rows(&mut self, view: &View, before: &Reading, now: &Reading) -> Vec<Found> {
        let Some(events) = &view.events else { return Vec::new() };
        let is_whole = |reading: &Reading| {
            let answer = &reading.answer;
            !answer.truncated && !answer.incomplete && answer.not_applicable.is_none()
        };
        if !is_whole(before) || !is_whole(now) || self.since.is_some_and(|since| before.at < since) {
            return Vec::new();
        }
        let (was, is) = (rows(view, events, before), rows(view, events, now));
        let missing = |of: &HashMap<String, usize>, there: &HashMap<String, usize>| {
            let mut names: Vec<String> = of.keys().filter(|name| !there.contains_key(*name)).cloned().collect();
            names.sort();
            names
        };
        let mut found = Vec::new();
        for (turn, names) in [(Turn::Gone, missing(&was, &is)), (Turn::New, missing(&is, &was))] {
            tell(events.of, turn, names, &mut found);
        }
        if events.of == RowKind::Subscription {
            self.failing.retain(|name, _| is.contains_key(name));
            let mut both: Vec<(&String, usize, usize)> =
                is.iter().filter_map(|(name, row)| Some((name, *was.get(name)?, *row))).collect();
            both.sort();
            for (name, old, new) in both {
                self.subscription(view, events, name, (before, old), (now, new), &mut found);
            }
        }
        found
    }

    fn subscription(
        &mut self,
        view: &View,
        events: &RowEvents,
        name: &str,
        (before, old): (&Reading, usize),
        (now, new): (&Reading, usize),
        found: &mut Vec<Found>,
    ) {
        let meets = |condition: &Option<_>, reading: &Reading, row: usize| {
            let (column, condition) = condition.as_ref()?;
            Some(reading.value(view, row, *column).meets(condition))
        };
        let off = |reading, row| meets(&events.disabled, reading, row) == Some(true);
        let stuck = |reading, row| meets(&events.failing, reading, row) == Some(true);
        let errors = |reading: &Reading, row: usize| -> f64 {
            events.errors.iter().filter_map(|column| reading.value(view, row, *column).number()).sum()
        };
        let mut tell = |severity, turn, message: String| {
            let name = Some(name.to_owned());
            found.push((severity, message, What::Replication { side: Side::Subscription, name, turn }));
        };
        match (off(before, old), off(now, new)) {
            (false, true) => tell(Severity::Warning, Turn::Lost, format!("subscription {name} is disabled")),
            (true, false) => tell(Severity::Good, Turn::Back, format!("subscription {name} is enabled again")),
            _ => {}
        }
        if off(now, new) {
            self.failing.remove(name);
            return;
        }
        let total = errors(now, new);
        let grew = total > errors(before, old);
        let fails = grew || (stuck(now, new) && (stuck(before, old) || self.failing.contains_key(name)));
        if fails {
            let why = if grew { format!(", errors so far: {total}") } else { ": it has no worker".to_owned() };
            if self.failing.insert(name.to_owned(), now.at).is_none() {
                tell(Severity::Critical, Turn::Failing, format!("subscription {name} fails{why}"));
            }
        } else if self.failing.get(name).is_some_and(|last| is_well(*last, now.at)) {
            self.failing.remove(name);
            tell(Severity::Good, Turn::Back, format!("subscription {name} applies changes again"));
        }
    }
}

fn is_well(failed: SystemTime, at: SystemTime) -> bool {
    at.duration_since(failed).unwrap_or_default() >= WELL
}

/// The rows whose changes are told, by their names. Temporary tables come and go with their sessions, and the slots of first
/// copies with each table that is subscribed.
fn rows(view: &View, events: &RowEvents, reading: &Reading) -> HashMap<String, usize> {
    let only = |row: &usize| match &events.only {
        Some((column, condition)) => reading.value(view, *row, *column).meets(condition),
        None => true,
    };
    let name = |row: usize| {
        let parts = events.name.iter().map(|column| reading.value(view, row, *column).to_string());
        (parts.collect::<Vec<_>>().join("."), row)
    };
    let all = (0..reading.len()).filter(only).map(name);
    let copies = |name: &str| events.of == RowKind::Slot && name.starts_with("pg_") && name.contains("_sync_");
    let passes = |name: &str| name.starts_with("pg_temp_") || name.starts_with("pg_toast") || copies(name);
    all.filter(|(name, _)| !passes(name)).collect()
}

fn tell(of: RowKind, turn: Turn, names: Vec<String>, found: &mut Vec<Found>) {
    let side = match of {
        RowKind::Slot => Some(Side::Slot),
        RowKind::Subscription => Some(Side::Subscription),
        RowKind::Table | RowKind::Index | RowKind::Extension => None,
    };
    let word = if turn == Turn::New { "new" } else { "gone" };
    if let Some(side) = side {
        let severity = if turn == Turn::New { Severity::Info } else { Severity::Warning };
        found.extend(names.into_iter().map(|name| {
            let message = format!("{} {name} is {word}", of.as_str());
            (severity, message, What::Replication { side, name: Some(name), turn })
        }));
    } else if !names.is_empty() {
        let message = match names.as_slice() {
            [name] => format!("{} {name} is {word}", of.as_str()),
            _ => format!("{} {} are {word}: {}", names.len(), of.plural(), named(names.iter().cloned())),
        };
        found.push((Severity::Info, message, What::Objects { of, turn, names }));
    }
}
