//! A fault: how it is made and undone, and the true state of the node while it lasts.

use std::time::{Duration, SystemTime};

use crate::stage::{Set, Stage};

/// Default number of trials of a fault.
pub const TRIALS: usize = 10;

/// The true state of a node while the fault lasts, which the dashboard must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It is lost: unhealthy.
    Down,
    /// It answers, late or only on old sessions: degraded, and never unhealthy.
    Degraded,
    /// It is alive: briefly degraded at most, and never unhealthy.
    Alive,
    /// It is away for about as long as detection takes: any state, and then healthy.
    Shaken,
    /// The same, but shorter than a probe interval plus its timeout: it may also go unnoticed.
    Blink,
}

impl Truth {
    pub fn text(self) -> &'static str {
        match self {
            Self::Down => "unhealthy",
            Self::Degraded => "degraded, never unhealthy",
            Self::Alive => "never unhealthy",
            Self::Shaken => "degraded or unhealthy, then back",
            Self::Blink => "degraded, unhealthy or nothing, then healthy",
        }
    }
}

/// How long the fault lasts.
#[derive(Debug, Clone, Copy)]
pub enum Hold {
    For(Duration),
    /// Until the true state is on the screen, and a little longer.
    Seen,
}

/// A fault in progress.
pub struct Begun {
    pub at: SystemTime,
    /// Undoes the fault; returns at the moment at which the node answers again.
    pub mend: Box<dyn FnOnce(&mut Stage)>,
}

pub fn begun(at: SystemTime, mend: impl FnOnce(&mut Stage) + 'static) -> Begun {
    Begun { at, mend: Box::new(mend) }
}

/// Checks what else the screen must show; the error is what is missing.
pub type Says = fn(&mut Stage) -> Result<(), String>;

/// A fault, which is a row of the table.
#[derive(Clone, Copy)]
pub struct Fault {
    pub name: &'static str,
    pub truth: Truth,
    /// The kinds of error that may be reported; empty if none is required.
    pub kinds: &'static [&'static str],
    pub hold: Hold,
    pub set: fn() -> Set,
    pub inject: fn(&mut Stage) -> Begun,
    /// What else the screen must show, checked while the fault lasts, or after it.
    pub says: Option<Says>,
    pub says_after: Option<Says>,
    /// Time limits for unhealthy: (must, goal).
    pub down_within: (Duration, Duration),
    /// Time limits for healthy after it answers again (N13): (must, goal).
    pub back_within: Option<(Duration, Duration)>,
    /// Its timing is tight, so no other trial runs in parallel.
    pub alone: bool,
    /// Each trial needs its own servers, as the fault cannot be undone.
    pub once: bool,
    /// The error is why it cannot be made on this machine.
    pub possible: fn() -> Result<(), String>,
}

const CUT: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(1500));
const DIES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(300));
const LATE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(500));
const OPENS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(1));
const LINK_BACK: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(1));

impl Fault {
    /// A fault of a standby that is reached directly, which lasts until it is seen.
    pub const fn new(
        name: &'static str,
        truth: Truth,
        kinds: &'static [&'static str],
        inject: fn(&mut Stage) -> Begun,
    ) -> Self {
        Self {
            name,
            truth,
            kinds,
            hold: Hold::Seen,
            set: Set::default,
            inject,
            says: None,
            says_after: None,
            down_within: CUT,
            back_within: None,
            alone: false,
            once: false,
            possible: || Ok(()),
        }
    }

    pub const fn on(self, set: fn() -> Set) -> Self {
        Self { set, ..self }
    }

    pub const fn lasting(self, seconds: u64) -> Self {
        Self { hold: Hold::For(Duration::from_secs(seconds)), ..self }
    }

    /// For a server whose processes end and whose port is closed: N2, and a port that opens again of N13.
    pub const fn dies(self) -> Self {
        Self { down_within: DIES, back_within: Some(OPENS), alone: true, ..self }
    }

    /// For something that answers late what it was asked, or closes it: N13.
    pub const fn late(self) -> Self {
        Self { back_within: Some(LATE), ..self }
    }

    /// For packets that pass again: N13.
    pub const fn cut(self) -> Self {
        Self { back_within: Some(LINK_BACK), ..self }
    }

    pub const fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    pub const fn once(self) -> Self {
        Self { once: true, ..self }
    }

    pub const fn says(self, says: Says) -> Self {
        Self { says: Some(says), ..self }
    }

    pub const fn says_after(self, says: Says) -> Self {
        Self { says_after: Some(says), ..self }
    }

    pub const fn where_possible(self, possible: fn() -> Result<(), String>) -> Self {
        Self { possible, ..self }
    }

    /// Trials per stage: few if each takes a minute, so that stages share them.
    pub fn trials_a_stage(&self) -> usize {
        match self.hold {
            _ if self.once => 1,
            Hold::For(time) if time >= Duration::from_secs(30) => 2,
            _ => TRIALS,
        }
    }

    /// Approximate time of a trial.
    pub fn longest(&self) -> Duration {
        match self.hold {
            Hold::For(time) => time,
            Hold::Seen => Duration::ZERO,
        }
    }
}
