//! The server's processes that poolers lend to our sessions. Which ones they are tells how a pooler lends them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::model::facts::Pooling;

/// After so many transactions in the same process it may be one that is kept for the session.
const ENOUGH: u32 = 10;

/// The open sessions by number, at each address.
static LENT: LazyLock<Mutex<HashMap<String, HashMap<u64, Last>>>> = LazyLock::new(Mutex::default);
static NEWEST: AtomicU64 = AtomicU64::new(0);

/// A poisoned lock is used as usual: the lists are consistent after every step.
fn all() -> MutexGuard<'static, HashMap<String, HashMap<u64, Last>>> {
    LENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a session was given last.
#[derive(Debug, Clone, Copy)]
struct Last {
    pid: i32,
    /// How many transactions in a row that process has answered.
    answers: u32,
    /// True once two transactions had different processes, or another session had the same one.
    is_shared: bool,
}

/// A session behind a pooler, listed while this lives.
#[derive(Debug)]
pub(super) struct Lent {
    address: String,
    session: u64,
}

impl Lent {
    pub(super) fn new(address: String, pid: i32) -> Self {
        let lent = Self { address, session: NEWEST.fetch_add(1, Ordering::Relaxed) };
        lent.answered_by(pid);
        lent
    }

    /// Takes in which process has answered a transaction of the session.
    pub(super) fn answered_by(&self, pid: i32) {
        let mut all = all();
        let sessions = all.entry(self.address.clone()).or_default();
        let mut is_shared = false;
        for other in sessions.iter_mut().filter(|(number, last)| **number != self.session && last.pid == pid) {
            other.1.is_shared = true;
            is_shared = true;
        }
        let last = sessions.entry(self.session).or_insert(Last { pid, answers: 0, is_shared });
        let has_moved = last.pid != pid;
        let answers = if has_moved { 1 } else { last.answers.saturating_add(1) };
        *last = Last { pid, answers, is_shared: last.is_shared || is_shared || has_moved };
    }

    /// How the pooler lends its processes, as far as the session has seen. [`Pooling::Session`] is so only if a session
    /// that is opened then has another process: while nobody else asks, a pooler hands out the same one again and again.
    pub(super) fn pooling(&self) -> Pooling {
        let last = all().get(&self.address).and_then(|sessions| sessions.get(&self.session)).copied();
        match last {
            Some(Last { is_shared: true, .. }) => Pooling::Transaction,
            Some(last) if last.answers >= ENOUGH => Pooling::Session,
            _ => Pooling::Unknown,
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut all = all();
        if let Some(sessions) = all.get_mut(&self.address) {
            sessions.remove(&self.session);
            if sessions.is_empty() {
                all.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lent: &Lent, answers: impl IntoIterator<Item = i32>) -> Pooling {
        answers.into_iter().for_each(|pid| lent.answered_by(pid));
        lent.pooling()
    }

    #[test]
    fn a_pooler_shows_how_it_lends() {
        let (first, second) = (Lent::new("lent.test:1".to_owned(), 7), Lent::new("lent.test:1".to_owned(), 8));
        assert_eq!(after(&first, [7; 3]), Pooling::Unknown);
        assert_eq!(after(&first, [7; 20]), Pooling::Session);
        assert_eq!(after(&second, [8; 20]), Pooling::Session);
        let third = Lent::new("lent.test:1".to_owned(), 7);
        assert_eq!([first.pooling(), third.pooling()], [Pooling::Transaction; 2], "two sessions have the same");
        assert_eq!(after(&second, [9]), Pooling::Transaction, "it has moved");
        assert_eq!(after(&second, [9; 20]), Pooling::Transaction, "it has shown it");
        let elsewhere = Lent::new("lent.test:2".to_owned(), 7);
        assert_eq!(elsewhere.pooling(), Pooling::Unknown);
        drop((first, second, third, elsewhere));
        assert!(!all().contains_key("lent.test:1"));
    }
}
