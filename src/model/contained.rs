//! Work whose panic is an error of its own, not the end of the program: what is done with the answers of a server that
//! may lie. Whoever reports panics asks [`is_contained`] first, and leaves those alone.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread runs work of [`contained`] now.
pub fn is_contained() -> bool {
    CONTAINED.get()
}

/// Runs `work` to its end; `None` where it panicked. What it left half done must not be used any more. Cancel-safe as
/// `work` is.
pub async fn contained<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| {
        contained_now(|| work.as_mut().poll(cx)).map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}

/// [`contained`] for work that waits for nothing.
pub fn contained_now<T>(work: impl FnOnce() -> T) -> Option<T> {
    let before = CONTAINED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(before);
    done.ok()
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn a_panic_is_the_work_s_own() {
        let mut outer = pin!(contained(async {
            assert!(is_contained());
            assert_eq!(contained(async { panic!("a panic for a test") }).await, None::<()>);
            is_contained()
        }));
        let polled = outer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Ready(Some(true)));
        assert!(!is_contained());
    }
}
