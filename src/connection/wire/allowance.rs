//! How many bytes a server may send: one that sends more than it was asked for loses the connection, whatever the
//! messages are. `metered.rs` counts the bytes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Bytes allowed before a session is open: a TLS handshake (openssl takes certificates up to 100 KB) and some messages, and
/// as many for the answer to what opens it.
const GREETING: usize = 256 << 10;
/// Bytes allowed while no request is open: notices, changed settings, and the answer to a request that was sent along
/// with another one.
const IDLE: usize = 1 << 20;

/// What sessions of a kind may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of the largest row.
    pub(crate) row: usize,
    /// Bytes of the answer to one request as it comes from the socket, not counting rows that are wanted.
    pub(crate) answer: usize,
    /// True if rows are wanted: whoever collects them limits them.
    pub(crate) rows_are_wanted: bool,
}

/// How many bytes the server of a connection may still send.
#[derive(Debug)]
pub(super) struct Allowance {
    pub(super) limits: Limits,
    is_open: AtomicBool,
    left: AtomicUsize,
}

impl Allowance {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, is_open: AtomicBool::new(false), left: AtomicUsize::new(GREETING) }
    }

    /// Takes in that the session is open: from now on it does what it is for.
    pub(super) fn opened(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }

    /// Takes in that a request was sent.
    pub(super) fn asked(&self) {
        let answer = if self.is_open.load(Ordering::Relaxed) { self.limits.answer } else { GREETING };
        self.left.fetch_max(answer, Ordering::Relaxed);
    }

    /// Takes in that all requests are answered.
    pub(super) fn answered(&self) {
        self.left.fetch_min(IDLE, Ordering::Relaxed);
    }

    /// Takes in a row that is wanted, of this many bytes: neither it nor its TLS overhead counts.
    pub(super) fn wanted(&self, bytes: usize) {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_add(2 * bytes).min(self.limits.answer), Ordering::Relaxed);
    }

    /// Takes in that this many bytes came. Returns true if they were allowed.
    pub(super) fn spend(&self, bytes: usize) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(bytes), Ordering::Relaxed);
        bytes <= left
    }
}
