//! Waiting for a condition with a deadline: the machine may be busy, and a sleep is either too short or too long.

use std::time::{Duration, Instant};

/// For something that takes a moment.
pub const SOON: Duration = Duration::from_secs(20);
/// For something that starts processes.
pub const PATIENCE: Duration = Duration::from_mins(1);

const LOOK: Duration = Duration::from_millis(10);

/// Calls `condition` until it returns something; fails the test with `what` when the time is up.
#[track_caller]
pub fn wait_for<T>(what: &str, time: Duration, condition: impl FnMut() -> Option<T>) -> T {
    within(time, condition).unwrap_or_else(|| panic!("not within {time:?}: {what}"))
}

/// Calls `condition` until it returns something, or the time is up.
pub fn within<T>(time: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let found = condition();
        if found.is_some() || start.elapsed() >= time {
            return found;
        }
        #[allow(clippy::disallowed_methods, reason = "this is the wait for a condition with a deadline")]
        std::thread::sleep(LOOK);
    }
}

/// [`wait_for`] with a condition that has to be awaited.
pub async fn eventually<T>(what: &str, within: Duration, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(start.elapsed() < within, "not within {within:?}: {what}");
        tokio::time::sleep(LOOK).await;
    }
}
