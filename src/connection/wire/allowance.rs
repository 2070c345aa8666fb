//! How much a server may send: more than it was asked for ends the connection, whatever it calls what it sends. The
//! bytes are counted by `metered.rs`.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What may come before a session has begun: a TLS handshake (openssl takes certificates up to 100 KB), some messages.
const GREETING: usize = 256 << 10;
/// What may come while nothing is asked: notices, changed settings, and the answer to what was asked together with
/// something else.
const IDLE: usize = 1 << 20;

/// What the sessions of a kind may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The largest row.
    pub(crate) row: usize,
    /// The answer to one request, as it comes from the socket; rows of a user's statement are not counted.
    pub(crate) answer: usize,
    /// Statements of the user run here, and their rows are counted by who collects them.
    pub(crate) rows_are_wanted: bool,
}

/// What the server of one connection may still send.
#[derive(Debug)]
pub(super) struct Allowance {
    pub(super) limits: Limits,
    left: AtomicUsize,
}

impl Allowance {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, left: AtomicUsize::new(GREETING) }
    }

    /// Something was asked.
    pub(super) fn asked(&self) {
        self.left.fetch_max(self.limits.answer, Ordering::Relaxed);
    }

    /// All that was asked is answered.
    pub(super) fn answered(&self) {
        self.left.fetch_min(IDLE, Ordering::Relaxed);
    }

    /// A row of so many bytes came that is wanted: it does not count, nor does what TLS put around it.
    pub(super) fn wanted(&self, bytes: usize) {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_add(2 * bytes).min(self.limits.answer), Ordering::Relaxed);
    }

    /// Whether so many bytes were allowed.
    pub(super) fn spend(&self, bytes: usize) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(bytes), Ordering::Relaxed);
        bytes <= left
    }
}
