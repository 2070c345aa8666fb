//! Our own sessions, by the process ids of the servers' processes: so that they are told from those of other programs,
//! which may call themselves pgwatch too.

use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// The process ids at each address, of all nodes of this process. The same server under another address has others.
static OURS: LazyLock<Mutex<HashMap<String, HashSet<i32>>>> = LazyLock::new(Mutex::default);

/// A poisoned lock is used as usual: the lists are consistent after every step.
fn ours() -> MutexGuard<'static, HashMap<String, HashSet<i32>>> {
    OURS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The process ids of our sessions at this address that do no work for the user.
pub(crate) fn at(address: &str) -> HashSet<i32> {
    ours().get(address).cloned().unwrap_or_default()
}

/// A session of ours, listed while this lives and the session does no work for the user.
#[derive(Debug)]
pub(super) struct Own {
    address: String,
    pid: i32,
}

impl Own {
    pub(super) fn new(address: String, pid: i32) -> Self {
        let own = Self { address, pid };
        own.list(true);
        own
    }

    pub(super) fn list(&self, listed: bool) {
        let mut ours = ours();
        if listed {
            ours.entry(self.address.clone()).or_default().insert(self.pid);
        } else if let Some(pids) = ours.get_mut(&self.address) {
            pids.remove(&self.pid);
            if pids.is_empty() {
                ours.remove(&self.address);
            }
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.list(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_ours_while_it_lives_and_does_no_work() {
        let address = "ours.test:1";
        let (first, second) = (Own::new(address.to_owned(), 7), Own::new(address.to_owned(), 8));
        assert_eq!(at(address), HashSet::from([7, 8]));
        second.list(false);
        assert_eq!(at(address), HashSet::from([7]));
        second.list(true);
        drop(first);
        assert_eq!(at(address), HashSet::from([8]));
        assert!(at("ours.test:2").is_empty());
        drop(second);
        assert!(at(address).is_empty() && !ours().contains_key(address));
    }
}
