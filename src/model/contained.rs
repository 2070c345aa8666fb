//! Work whose panic becomes an error instead of ending the program: what handles the answers of a server that may lie.
//! A panic hook asks [`is_contained`] first and reports nothing if it is true.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// True while this thread runs work of [`contained`].
pub fn is_contained() -> bool {
    CONTAINED.get()
}

/// Runs `work` to its end; `None` if it panicked. What it left half done must not be used again. Cancel-safe if `work`
/// is.
pub async fn contained<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| {
        contained_now(|| work.as_mut().poll(cx)).map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}

/// [`contained`] for synchronous work.
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
    fn a_panic_ends_only_the_work_itself() {
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
