//! Files as they go wrong: cut, flipped, mixed up, made to break a reader, or no files at all. Whatever it is, it is
//! read or refused soon and within bounds, each fault with its place, and nothing panics.

mod changed;
mod monsters;
mod no_files;

use std::sync::mpsc;
use std::time::Duration;

use pgwatch::config::Environment;

/// For what takes a second at most where nothing else runs and the compiler optimises.
const DEADLINE: Duration = Duration::from_mins(2);

/// Runs it on a thread of its own, so that what hangs fails instead of hanging the tests. The small stack is that of the
/// threads on which a file is read again.
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
