//! Damaged files: cut, flipped, mixed up, made to break a reader, or no files at all. Each one is read or refused soon
//! and within bounds, each fault has its place, and nothing panics.

mod changed;
mod oversized;
mod special_files;

use std::sync::mpsc;
use std::time::Duration;

use pgwatch::config::Environment;

/// For work that takes a second at most in an optimised build on an idle machine.
const DEADLINE: Duration = Duration::from_mins(2);

/// Runs the work on its own thread, so that work that hangs fails the test instead of blocking it. The small stack is
/// that of the threads on which a file is reloaded.
fn in_time<T: Send + 'static>(what: &str, act: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = mpsc::channel();
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(move || done.send(act())).unwrap();
    match wait.recv_timeout(DEADLINE) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("hangs: {what}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => std::panic::resume_unwind(thread.join().unwrap_err()),
    }
}

fn environment() -> Environment {
    Environment::empty().with_user("oncall").with_home("/nonexistent").with_var("SET", "value")
}
