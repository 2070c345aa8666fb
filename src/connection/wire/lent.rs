//! The server's processes that poolers lend to our sessions. Which ones they are tells how a pooler lends them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::model::facts::Pooling;

/// After so many transactions in the same process, which none of our other sessions has, it is kept for the session.
const ENOUGH: u32 = 10;

/// The process that answered each session last, by the session's number, at each address.
static LENT: LazyLock<Mutex<HashMap<String, HashMap<u64, i32>>>> = LazyLock::new(Mutex::default);
static LAST: AtomicU64 = AtomicU64::new(0);

/// A poisoned lock is used as usual: the lists are consistent after every step.
fn all() -> MutexGuard<'static, HashMap<String, HashMap<u64, i32>>> {
    LENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The process that a pooler lends to a session.
#[derive(Debug)]
pub(super) struct Lent {
    address: String,
    session: u64,
    pid: i32,
    /// How many transactions in a row it has answered.
    answers: u32,
    /// True once two transactions had different processes, or two sessions the same one.
    is_shared: bool,
}

impl Lent {
    pub(super) fn new(address: String, pid: i32) -> Self {
        let session = LAST.fetch_add(1, Ordering::Relaxed);
        let mut lent = Self { address, session, pid, answers: 0, is_shared: false };
        lent.answered_by(pid);
        lent
    }

    pub(super) fn answered_by(&mut self, pid: i32) {
        let has_moved = std::mem::replace(&mut self.pid, pid) != pid;
        self.answers = if has_moved { 1 } else { self.answers.saturating_add(1) };
        let mut all = all();
        let sessions = all.entry(self.address.clone()).or_default();
        sessions.insert(self.session, pid);
        self.is_shared |= has_moved || sessions.iter().any(|(session, of)| *session != self.session && *of == pid);
    }

    pub(super) fn pooling(&self) -> Pooling {
        if self.is_shared {
            return Pooling::Transaction;
        }
        let has_others = all().get(&self.address).is_some_and(|sessions| sessions.len() > 1);
        if has_others && self.answers >= ENOUGH { Pooling::Session } else { Pooling::Unknown }
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

    fn after(lent: &mut Lent, answers: impl IntoIterator<Item = i32>) -> Pooling {
        answers.into_iter().for_each(|pid| lent.answered_by(pid));
        lent.pooling()
    }

    #[test]
    fn a_pooler_shows_how_it_lends() {
        let mut alone = Lent::new("lent.test:1".to_owned(), 7);
        assert_eq!(after(&mut alone, [7; 20]), Pooling::Unknown, "who else would have had it?");
        let mut second = Lent::new("lent.test:1".to_owned(), 8);
        assert_eq!(after(&mut second, [8; 2]), Pooling::Unknown);
        assert_eq!(after(&mut second, [8; 20]), Pooling::Session);
        assert_eq!(after(&mut second, [9]), Pooling::Transaction);
        assert_eq!(after(&mut second, [9; 20]), Pooling::Transaction, "it has shown it");
        drop(second);
        let third = Lent::new("lent.test:1".to_owned(), 7);
        assert_eq!(third.pooling(), Pooling::Transaction, "two sessions have the same");
        let elsewhere = Lent::new("lent.test:2".to_owned(), 7);
        assert_eq!(elsewhere.pooling(), Pooling::Unknown);
        drop((alone, third, elsewhere));
        assert!(!all().contains_key("lent.test:1"));
    }
}
