//! How far a standby is behind, and why, in figures and in words. docs/truth.md defines it; `measure.rs` measures it.

use std::time::Duration;

use crate::model::facts::STREAMING;
use crate::model::{LagSummary, NodeName, figures};

/// How far a standby is behind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lag {
    /// How old the data is that queries see; `None` where it is unknown.
    pub time: Option<Behind>,
    /// Bytes of WAL that it has not replayed: of what the primary wrote where that is watched, else of what it received.
    pub bytes: Option<u64>,
    /// The watched primary that it is measured against; `None` where it is measured against what it received.
    pub against: Option<NodeName>,
    /// By how much it is later than it is meant to be: a delay on purpose and the last files of an archive do not count,
    /// nor does what a primary that does not answer may have written. This is what is compared with thresholds.
    pub late: Option<Duration>,
    /// How WAL reaches it.
    pub supply: Supply,
    /// True if somebody paused its replay.
    pub paused: bool,
    /// `recovery_min_apply_delay`, where it is set.
    pub delay: Option<Duration>,
    /// The watched node that it receives from, if that does not answer.
    pub sender_down: Option<NodeName>,
    /// The watched standby that it receives from, if that receives nothing itself.
    pub sender_lacks: Option<NodeName>,
    /// True if the next refresh will tell more: the one answer so far may be a long transaction, or lag.
    pub doubtful: bool,
}

/// An age of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    /// The age.
    pub time: Duration,
    /// True if it may be more.
    pub at_least: bool,
}

/// How WAL reaches a standby.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Supply {
    /// The server does not say.
    #[default]
    Hidden,
    /// WAL arrives as it is written.
    Streaming,
    /// It comes from an archive.
    Archive,
    /// Nothing arrives, with the status of the WAL receiver, and for how long if it was seen to stop.
    Nothing(String, Option<Duration>),
}

impl Lag {
    /// True if it receives nothing though it should; false if it receives; `None` where that is unknown.
    pub fn receives(&self) -> Option<bool> {
        match self.supply {
            Supply::Hidden => None,
            Supply::Streaming | Supply::Archive => Some(true),
            Supply::Nothing(..) => Some(false),
        }
    }

    /// Why it is behind or how it receives, in words, the worst first; `None` while it streams and replays.
    pub fn why(&self) -> Option<String> {
        let supply = match &self.supply {
            Supply::Nothing(status, silent) => Some(self.why_nothing(status, *silent)),
            Supply::Archive => Some("from the archive".to_owned()),
            Supply::Streaming | Supply::Hidden => None,
        };
        let paused = self.paused.then(|| "replay is paused".to_owned());
        let delayed = self.delay.map(|delay| format!("delayed by {}", figures::age(delay)));
        let words: Vec<String> = supply.into_iter().chain(paused).chain(delayed).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    fn why_nothing(&self, status: &str, silent: Option<Duration>) -> String {
        let silent = silent.map(|silent| format!(" for {}", figures::age(silent))).unwrap_or_default();
        let why = match (&self.sender_down, &self.sender_lacks) {
            (Some(sender), _) => format!("its sender {sender} is down"),
            _ if status == "stopped" => "its WAL receiver does not run".to_owned(),
            (None, Some(sender)) if status == STREAMING => format!("its sender {sender} receives nothing"),
            _ if status == STREAMING => "its sender is silent".to_owned(),
            _ => format!("its WAL receiver is {status}"),
        };
        format!("receives nothing{silent}: {why}")
    }

    /// True if its sender has nothing to send: it is down, or it receives nothing itself. That is said of the sender.
    pub fn sender_is_out(&self) -> bool {
        self.sender_down.is_some() || self.sender_lacks.is_some()
    }

    /// The same as programs read it.
    pub fn summary(&self) -> LagSummary {
        LagSummary {
            time_ms: self.time.map(|behind| (behind.time.as_secs_f64() * 1e6).round() / 1e3),
            at_least: self.time.is_some_and(|behind| behind.at_least),
            bytes: self.bytes,
            why: self.why(),
        }
    }

    /// The age of its data and the reason: `41 s old: replay is paused`; `None` where the age is unknown.
    pub fn says(&self) -> Option<String> {
        let time = self.time?;
        let least = if time.at_least { "at least " } else { "" };
        let why = self.why().map(|why| format!(": {why}")).unwrap_or_default();
        Some(format!("{least}{} old{why}", figures::duration(time.time)))
    }
}

impl Behind {
    /// `41 s`, or `≥41 s` if it may be more.
    pub fn said(self) -> String {
        format!("{}{}", if self.at_least { "≥" } else { "" }, figures::duration(self.time))
    }
}
