//! What a fault is: how it is made and mended, and what is true of a node while it lasts.

use std::time::{Duration, SystemTime};

use crate::stage::{Set, Stage};

/// Trials that a fault takes by itself, without being asked otherwise.
pub const TRIALS: usize = 10;

/// How a node fares while the fault lasts, if the dashboard tells the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It is lost: unhealthy.
    Down,
    /// It answers, late or only on old sessions: degraded, and never unhealthy.
    Degraded,
    /// It lives: degraded for a moment at most, and never unhealthy.
    Alive,
    /// It is away for about as long as it takes to find out: anything, and then healthy.
    Shaken,
    /// The same, but shorter than the time between two probes and what an answer may take: nothing is fine too.
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
    /// Until the truth is on the screen, and a little longer.
    Seen,
}

/// A fault that has begun.
pub struct Begun {
    pub at: SystemTime,
    /// Returns in the moment in which the node answers again.
    pub mend: Box<dyn FnOnce(&mut Stage)>,
}

pub fn begun(at: SystemTime, mend: impl FnOnce(&mut Stage) + 'static) -> Begun {
    Begun { at, mend: Box::new(mend) }
}

/// A look at what else the screen must say; an error is what it does not.
pub type Says = fn(&mut Stage) -> Result<(), String>;

/// One row of the table.
#[derive(Clone, Copy)]
pub struct Fault {
    pub name: &'static str,
    pub truth: Truth,
    /// Kinds of error that are true of it; none is asked for where there are none.
    pub kinds: &'static [&'static str],
    pub hold: Hold,
    pub set: fn() -> Set,
    pub inject: fn(&mut Stage) -> Begun,
    /// What else the screen must say, looked at while the fault lasts, or after it.
    pub says: Option<Says>,
    pub says_after: Option<Says>,
    /// Unhealthy within (must, goal).
    pub down_within: (Duration, Duration),
    /// Its port was closed, and opens again: healthy within this.
    pub back_within: Option<Duration>,
    /// Timing is tight: no other trial beside it.
    pub alone: bool,
    /// Each trial needs servers of its own: what it does to them cannot be undone.
    pub once: bool,
    /// Why it cannot be made here, if it cannot.
    pub possible: fn() -> Result<(), String>,
}

const CUT: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(1500));
const DIES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(300));
const ACCEPTS: Duration = Duration::from_secs(2);

impl Fault {
    /// On a standby that is reached as it is, until it is seen.
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

    /// The server's processes end, so its port is closed: N2, and the quick way back of N13.
    pub const fn dies(self) -> Self {
        Self { down_within: DIES, back_within: Some(ACCEPTS), alone: true, ..self }
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

    /// Trials that one stage takes: few where each takes a minute, so that stages share them.
    pub fn trials_a_stage(&self) -> usize {
        match self.hold {
            _ if self.once => 1,
            Hold::For(time) if time >= Duration::from_secs(30) => 2,
            _ => TRIALS,
        }
    }

    /// How long a trial takes, roughly.
    pub fn longest(&self) -> Duration {
        match self.hold {
            Hold::For(time) => time,
            Hold::Seen => Duration::ZERO,
        }
    }
}
