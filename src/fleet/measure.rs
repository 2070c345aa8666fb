//! Measures how far a standby is behind: one reading for every screen, command and rule. docs/truth.md defines it.
//!
//! Time is read from positions: a standby is as old as the moment at which its source was where the standby is now. Both
//! moments are of this machine's clock. The source is the cluster's primary where it is watched, else what the standby
//! received. The age of the last commit compares the clocks of two servers, and on a quiet primary it grows without any
//! lag; it is used only where the positions seen do not reach back far enough. Pure.

use std::time::{Duration, SystemTime};

use super::identity::{self, ClusterId};
use super::lag::{Behind, Lag, Supply};
use super::nodes::{Node, Nodes};
use super::track::{Reached, Track};
use crate::model::facts::STREAMING;
use crate::model::view::Location;
use crate::model::{Facts, NodeName, Role};

/// How long an idle sender that is healthy may be silent beyond half of `wal_receiver_timeout`, after which it is asked
/// for a word.
const GRACE: Duration = Duration::from_secs(5);
/// `wal_receiver_timeout` where it is unknown.
const TIMEOUT: Duration = Duration::from_mins(1);
/// How long nothing may arrive from a primary that is ahead of what a streaming standby received.
const TRANSIT: Duration = Duration::from_secs(5);
/// How long the replay of a standby fed from an archive may rest before its data counts as late, where no primary is
/// watched: WAL comes in whole files, of which an idle primary sends none.
const BETWEEN_FILES: Duration = Duration::from_mins(5);
/// A commit older than this does not count as lag until a second refresh has confirmed it: while one long transaction
/// runs, the last commit gets old although nothing is late.
const DOUBTFUL: Duration = Duration::from_secs(1);
/// The shortest time between two answers of which the second tells something new.
const BETWEEN: Duration = Duration::from_millis(500);

/// What the lag of a standby is made of beside its own figures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// The primary of its cluster, and whether its figures are fresh.
    pub(super) root: Option<(&'a Node, bool)>,
    /// The watched node that it receives from.
    pub(super) upstream: Option<&'a Node>,
}

/// The primary that a standby is measured against: the one primary of its cluster, or of several the one on its timeline.
/// One that answers goes before one that does not.
pub(super) fn root<'a>(nodes: &'a Nodes, of: &Node) -> Option<&'a Node> {
    let cluster = of.cluster()?;
    let is_root = |node: &&Node| leads(node) == Some(cluster);
    let timeline = |node: &Node| node.facts.as_ref().and_then(|(_, facts)| facts.timeline);
    let rank = |node: &Node| (node.health.state.answers(), timeline(node) == timeline(of));
    let mut primaries = nodes.iter().filter(is_root);
    let first = primaries.next()?;
    let root = primaries.fold(first, |best, next| if rank(next) > rank(best) { next } else { best });
    let mut rivals = nodes.iter().filter(is_root).filter(|node| rank(node) == rank(root));
    rivals.all(|node| identity::is_same_server(node, root)).then_some(root)
}

/// The cluster whose standbys are measured against a node.
pub(super) fn leads(node: &Node) -> Option<ClusterId<'_>> {
    node.cluster().filter(|_| node.role == Some(Role::Primary) && !node.track.is_empty())
}

/// The lag of a standby that answered with `facts` at `at`.
pub(super) fn lag(at: SystemTime, facts: &Facts, node: &Node, around: Surroundings<'_>) -> Lag {
    let server = node.server.as_deref();
    let delay = server.and_then(|server| server.apply_delay).filter(|delay| !delay.is_zero());
    let mut lag = Lag {
        paused: facts.replay_paused == Some(true),
        delay,
        sender_down: around
            .upstream
            .filter(|sender| !sender.health.state.answers())
            .map(|sender| sender.name().clone()),
        sender_lacks: lacks(around).map(|(sender, _)| sender.name().clone()),
        supply: supply(at, facts, node, around),
        ..Lag::default()
    };
    let Some(replayed) = facts.replayed_to() else { return lag };
    let root = around.root.map(|(root, fresh)| (root, fresh, root.track.reached(replayed)));
    let known_behind = matches!(root, Some((_, _, Reached::At(_) | Reached::Before(_))));
    lag.against = root.map(|(root, ..)| root.name().clone());
    lag.bytes = match root.and_then(|(root, ..)| root.track.end()) {
        Some(end) => Some(end.saturating_sub(replayed)),
        None => facts.unreplayed(),
    };
    let commit = commit_age(facts, around.root.map(|(root, _)| root));
    // The positions were read after this moment, and on a busy machine long before the answer was here.
    let asked = at.checked_sub(facts.elapsed).unwrap_or(at);
    // One that receives nothing and is ahead has another history: it followed a primary before this one.
    let elsewhere = matches!(lag.supply, Supply::Nothing(..))
        && root.is_some_and(|(root, ..)| root.track.end().is_some_and(|end| replayed > end));
    let (time, doubtful) = match root {
        Some((_, true, Reached::Now)) if !elsewhere => (Some(exactly(Duration::ZERO)), false),
        Some((_, _, reached @ (Reached::At(_) | Reached::Before(_)))) => behind((asked, at), reached, commit),
        _ => by_itself((asked, at), &lag.supply, node.track.reached(replayed), &node.track, commit),
    };
    (lag.time, lag.doubtful) = (time, doubtful);
    lag.late = lag.time.map(|behind| behind.time.saturating_sub(delay.unwrap_or_default()));
    let root_is_silent = root.is_some_and(|(_, fresh, _)| !fresh);
    if root_is_silent && !known_behind && matches!(lag.supply, Supply::Nothing(..)) {
        lag.late = Some(Duration::ZERO);
    } else if lag.supply == Supply::Archive && !lag.paused {
        lag.late = lag.late.and_then(|late| late_from_archive(at, late, facts, node, around.root));
    }
    lag
}

/// The age of the data where no watched primary tells it.
fn by_itself(
    (asked, at): (SystemTime, SystemTime),
    supply: &Supply,
    reached: Reached,
    own: &Track,
    commit: Option<Duration>,
) -> (Option<Behind>, bool) {
    match (supply, reached) {
        (_, Reached::At(_) | Reached::Before(_)) => behind((asked, at), reached, commit),
        (Supply::Streaming, Reached::Now | Reached::Unknown) => (Some(exactly(Duration::ZERO)), false),
        (Supply::Hidden, _) => (None, false),
        // What was received is replayed, and nothing comes: what is missing is at least as old as the last arrival.
        (Supply::Nothing(_, silent), _) => {
            let arrived = own.since().and_then(|since| asked.duration_since(since).ok()).max(*silent);
            no_less(arrived.unwrap_or_default(), commit)
        }
        (Supply::Archive, _) => (commit.map(exactly), false),
    }
}

/// By how much a standby that is fed from an archive is late: the files that the archive does not have yet do not count.
/// Without a watched primary, it is late if its replay has rested for long; `None` until it was watched for as long.
fn late_from_archive(
    at: SystemTime,
    late: Duration,
    facts: &Facts,
    node: &Node,
    root: Option<(&Node, bool)>,
) -> Option<Duration> {
    let since = |moment: SystemTime| at.duration_since(moment).unwrap_or_default();
    let rested = late.saturating_sub(BETWEEN_FILES);
    let Some((root, _)) = root else {
        let rests = node.track.since().map(since).unwrap_or_default();
        return if facts.unreplayed() > Some(0) {
            Some(late)
        } else if node.track.moved().is_none() && !rested.is_zero() && rests < BETWEEN_FILES {
            None
        } else {
            Some(rested.min(rests.saturating_sub(BETWEEN_FILES)))
        };
    };
    let file = node.server.as_deref().and_then(|server| server.wal_segment).unwrap_or(16 << 20);
    Some(match root.track.reached(facts.wal_position.unwrap_or_default().saturating_add(2 * file)) {
        Reached::At(when) => late.min(since(when)),
        // Whole files were missing before anybody watched: a burst of writing does not last for longer than this.
        Reached::Before(first) => late.min(since(first)).max(rested),
        Reached::Now | Reached::Unknown => Duration::ZERO,
    })
}

impl Node {
    /// How long ago its WAL ended at a position, at `at`; `None` where nothing was seen of it.
    pub fn age_of(&self, position: u64, at: SystemTime) -> Option<Behind> {
        let (when, at_least) = match self.track.reached(position) {
            Reached::Now => return Some(exactly(Duration::ZERO)),
            Reached::At(when) => (when, false),
            Reached::Before(first) => (first, true),
            Reached::Unknown => return None,
        };
        Some(Behind { time: at.duration_since(when).unwrap_or_default(), at_least })
    }
}

/// Where a node stands in its cluster: what tells the age of the positions that it reports.
#[derive(Debug)]
pub(super) struct Place<'a> {
    at: SystemTime,
    /// That of the primary, where one is watched, else the node's own.
    track: Option<&'a Track>,
    /// How far it is behind, if it is a standby.
    lag: Option<&'a Lag>,
}

impl<'a> Place<'a> {
    /// That of a node, at `at`.
    pub(super) fn of(nodes: &'a Nodes, at: SystemTime, node: &NodeName) -> Self {
        let node = nodes.get(node);
        let source = |node: &'a Node| if is_standby(node) { root(nodes, node).unwrap_or(node) } else { node };
        let track = node.map(|node| &source(node).track).filter(|track| !track.is_empty());
        Self { at, track, lag: node.filter(|node| is_standby(node)).map(|node| &node.lag) }
    }
}

#[cfg(test)]
impl Place<'_> {
    /// Of a node of which nothing is known.
    pub(super) fn unknown() -> Self {
        Self { at: SystemTime::UNIX_EPOCH, track: None, lag: None }
    }
}

fn is_standby(node: &Node) -> bool {
    node.role == Some(Role::Standby)
}

impl Location for Place<'_> {
    fn age(&self, position: u64, measured: Option<f64>) -> Option<f64> {
        let since = |when| self.at.duration_since(when).unwrap_or_default().as_secs_f64() * 1e3;
        match self.track?.reached(position) {
            Reached::Now => Some(0.0),
            Reached::At(when) => Some(since(when)),
            Reached::Before(first) => measured.map(|measured| measured.max(since(first))),
            Reached::Unknown => None,
        }
    }

    fn behind(&self, position: u64) -> Option<f64> {
        Some(self.track?.end()?.saturating_sub(position) as f64)
    }

    fn lag(&self) -> Option<f64> {
        Some(self.lag?.time?.time.as_secs_f64() * 1e3)
    }

    fn lag_bytes(&self) -> Option<f64> {
        Some(self.lag?.bytes? as f64)
    }

    fn why(&self) -> Option<String> {
        self.lag?.why()
    }
}

fn exactly(time: Duration) -> Behind {
    Behind { time, at_least: false }
}

/// The age of data that a source had passed at a moment that was seen, or before the first one that was.
fn behind((asked, at): (SystemTime, SystemTime), reached: Reached, commit: Option<Duration>) -> (Option<Behind>, bool) {
    match reached {
        Reached::Now | Reached::Unknown => (Some(exactly(Duration::ZERO)), false),
        Reached::At(when) => (Some(exactly(at.duration_since(when).unwrap_or_default())), false),
        Reached::Before(first) => no_less(asked.duration_since(first).unwrap_or_default(), commit),
    }
}

/// At least `least`; as old as the last commit, if that is older.
fn no_less(least: Duration, commit: Option<Duration>) -> (Option<Behind>, bool) {
    match commit.filter(|commit| *commit >= least) {
        Some(commit) if least < BETWEEN && commit > DOUBTFUL => (None, true),
        Some(commit) => (Some(exactly(commit)), false),
        None => (Some(Behind { time: least, at_least: true }), false),
    }
}

/// The age of the last commit by one clock: the difference of the clocks of the two servers, as each differs from this
/// machine's, is taken out. The clock of a primary that is not watched is taken for this machine's.
fn commit_age(facts: &Facts, root: Option<&Node>) -> Option<Duration> {
    let of_root = root.and_then(|root| root.facts.as_ref()).map_or(0, |(_, facts)| facts.clock_ahead);
    let ahead = (facts.clock_ahead - of_root) as f64;
    Duration::try_from_secs_f64((facts.commit_age? - ahead).max(0.0)).ok()
}

fn supply(at: SystemTime, facts: &Facts, node: &Node, around: Surroundings<'_>) -> Supply {
    let Some(status) = &facts.receiver else { return Supply::Hidden };
    // A server that follows its primary in a way of its own tells no position, and needs no receiver.
    if status == "stopped" && facts.wal_position.is_none() {
        return Supply::Hidden;
    }
    let silent = facts.receiver_silent;
    if status == STREAMING {
        return streaming(at, facts, node, around);
    }
    let restores = node.server.as_deref().and_then(|server| server.restores);
    // Before 12 nobody tells whether there is an archive; replay that goes on without a receiver has one.
    let moves = || node.replay_moved.zip(node.stopped).is_some_and(|(moved, (stopped, _))| moved > stopped + TRANSIT);
    if status == "stopped" && restores.unwrap_or_else(moves) {
        return Supply::Archive;
    }
    let seen = node.stopped.filter(|(_, seen)| *seen).and_then(|(since, _)| at.duration_since(since).ok());
    Supply::Nothing(status.clone(), silent.or(seen))
}

/// What a receiver that calls itself streaming receives: nothing if it was frozen, or if its sender was.
fn streaming(at: SystemTime, facts: &Facts, node: &Node, around: Surroundings<'_>) -> Supply {
    let asked = at.checked_sub(facts.elapsed).unwrap_or(at);
    let since = |moment: SystemTime| asked.duration_since(moment).unwrap_or_default();
    let end = facts.wal_end();
    let ahead = around.root.filter(|(_, fresh)| *fresh).and_then(|(root, _)| root.track.passed(end?)).map(since);
    // A standby that catches up is far behind, and receives.
    let missing = ahead.map(|ahead| node.track.since().map_or(Duration::ZERO, since).min(ahead));
    let timeout = node.server.as_deref().and_then(|server| server.receiver_timeout).unwrap_or(TIMEOUT);
    let longest = match missing {
        Some(missing) if missing >= BETWEEN => Some(TRANSIT),
        _ => Some(timeout / 2 + GRACE).filter(|_| !timeout.is_zero()),
    };
    // A clock that was set ahead makes the last message old by as much.
    let set_ahead = Duration::from_secs(facts.clock_ahead.max(0).unsigned_abs());
    let silent = facts.receiver_silent.map(|silent| silent.saturating_sub(set_ahead));
    let silent = silent.filter(|silent| longest.is_some_and(|longest| *silent > longest));
    let nothing = silent.or(missing.filter(|missing| *missing > TRANSIT));
    // What its sender lacks cannot come.
    let lacked = lacks(around).filter(|(sender, _)| end.is_some() && end >= sender.track.end());
    match (nothing, lacked) {
        (Some(_), _) => Supply::Nothing(STREAMING.to_owned(), nothing),
        (None, Some((_, lacked))) => Supply::Nothing(STREAMING.to_owned(), lacked),
        (None, None) => Supply::Streaming,
    }
}

/// The standby that a standby receives from, if that receives nothing itself, and for how long.
fn lacks(around: Surroundings<'_>) -> Option<(&Node, Option<Duration>)> {
    let sender = around.upstream.filter(|sender| is_standby(sender))?;
    match &sender.lag.supply {
        Supply::Nothing(_, silent) => Some((sender, *silent)),
        Supply::Hidden | Supply::Streaming | Supply::Archive => None,
    }
}

#[cfg(test)]
mod tests;
