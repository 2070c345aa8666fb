//! What the nodes with one address share. Several names may stand for one server (its databases, its roles). While it
//! is away, one of them looks for all of them whether it is back; when it is, they log in a few at a time, and ask for
//! their first figures in turn.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::queue::Queue;

/// How many attempts of the health loops may be open at one address, those that hang included: a server that was frozen
/// answers all of them at the moment it is thawed.
const LOGINS: usize = 16;
/// How many nodes at one address may ask for their first figures at the same time. A new session reads the catalogs for
/// them, which costs the server more than a login: if all did it at once, later logins would wait for seconds.
const FIRST_FIGURES: usize = 2;
/// How long one may keep its place for that.
const FIRST_FIGURES_LAST: Duration = Duration::from_secs(2);

/// The addresses of one connection manager.
#[derive(Debug, Default)]
pub(crate) struct Addresses(Mutex<HashMap<String, Weak<Address>>>);

impl Addresses {
    /// What the nodes at this address share, for as long as one of them keeps it.
    pub(crate) fn at(&self, address: String) -> Arc<Address> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(&address).and_then(Weak::upgrade) {
            return known;
        }
        all.retain(|_, address| address.strong_count() > 0);
        let new = Arc::new(Address::default());
        all.insert(address, Arc::downgrade(&new));
        new
    }
}

/// One address.
#[derive(Debug)]
pub(crate) struct Address {
    logins: Arc<Semaphore>,
    /// The nodes that open a session for their figures and ask for the first ones.
    pub(crate) first_figures: Queue,
    scout: Arc<Semaphore>,
    knocks: watch::Sender<bool>,
    returns: watch::Sender<()>,
    answered: watch::Sender<Option<Instant>>,
}

/// A node's permit to log in, or to look for all nodes at the address. Dropping it lets the next node have it.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Default for Address {
    fn default() -> Self {
        Self {
            logins: Arc::new(Semaphore::new(LOGINS)),
            first_figures: Queue::new(FIRST_FIGURES, FIRST_FIGURES_LAST),
            scout: Arc::new(Semaphore::new(1)),
            knocks: watch::Sender::default(),
            returns: watch::Sender::default(),
            answered: watch::Sender::default(),
        }
    }
}

impl Address {
    /// Waits until one more attempt may be made here. Cancel-safe: a caller that retries goes to the back of the queue.
    pub(crate) async fn login(&self) -> Place {
        place(&self.logins).await
    }

    /// The same without waiting: `None` if there are as many attempts as may be.
    pub(crate) fn login_now(&self) -> Option<Place> {
        place_now(&self.logins)
    }

    /// Waits until no other node looks whether the server is back: from then on the caller does, until it drops the
    /// place. Cancel-safe.
    pub(crate) async fn scout(&self) -> Place {
        place(&self.scout).await
    }

    /// The same without waiting: `None` if another node looks.
    pub(crate) fn scout_now(&self) -> Option<Place> {
        place_now(&self.scout)
    }

    /// Tells all nodes here whether a knock at the port was accepted.
    pub(crate) fn knocked(&self, taken: bool) {
        self.knocks.send_replace(taken);
    }

    /// Follows the knocks of the scout, from now on.
    pub(crate) fn knocks(&self) -> watch::Receiver<bool> {
        self.knocks.subscribe()
    }

    /// Tells the other nodes here that one of them was lost and is back.
    pub(crate) fn returned(&self) {
        self.returns.send_replace(());
    }

    /// Follows the nodes that are back, from now on.
    pub(crate) fn returns(&self) -> watch::Receiver<()> {
        self.returns.subscribe()
    }

    /// An attempt was answered, be it by a refusal.
    pub(crate) fn answered(&self, now: Instant) {
        self.answered.send_replace(Some(now));
    }

    /// When an attempt was answered last.
    pub(crate) fn last_answer(&self) -> Option<Instant> {
        *self.answered.borrow()
    }
}

async fn place(places: &Arc<Semaphore>) -> Place {
    // The semaphore is never closed. If it were, we would only lose fairness.
    Place { _permit: Arc::clone(places).acquire_owned().await.ok() }
}

fn place_now(places: &Arc<Semaphore>) -> Option<Place> {
    Arc::clone(places).try_acquire_owned().ok().map(|permit| Place { _permit: Some(permit) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_share_what_is_at_one_address_until_none_is_left() {
        let addresses = Addresses::default();
        let one = addresses.at("db:5432".to_owned());
        assert!(Arc::ptr_eq(&one, &addresses.at("db:5432".to_owned())));
        assert!(!Arc::ptr_eq(&one, &addresses.at("db:5433".to_owned())));
        let scout = one.scout_now();
        assert!(scout.is_some() && one.scout_now().is_none());
        drop(scout);
        assert!(one.scout_now().is_some());
        drop(one);
        drop(addresses.at("db:5434".to_owned()));
        assert_eq!(addresses.0.lock().unwrap().len(), 1, "those that nobody needs are forgotten");
    }

    #[test]
    fn sixteen_attempts_may_be_open_at_one_address_n13() {
        let address = Address::default();
        let places: Vec<Place> = (0..LOGINS).map_while(|_| address.login_now()).collect();
        assert_eq!((places.len(), address.login_now().is_none()), (16, true));
        drop(places);
        assert!(address.login_now().is_some());
    }

    #[test]
    fn two_nodes_at_one_address_ask_for_their_first_figures_at_once_n8() {
        let address = Address::default();
        let turns = [(); 3].map(|()| address.first_figures.free_turn());
        assert_eq!(turns.each_ref().map(Option::is_some), [true, true, false]);
        drop(turns);
        assert!(address.first_figures.free_turn().is_some());
    }
}
