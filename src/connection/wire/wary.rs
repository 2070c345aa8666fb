//! What the driver does with the answers of a server that may lie: its panics, and its lookups without end, are the
//! error of that node and nothing else.

use super::heard::{Fault, Heard};
use crate::model::contained::contained;

/// Answers that what we ask ourselves may take: our statements name no type that must be looked up.
pub(in crate::connection) const OUR_ANSWERS: u64 = 16;
/// Answers that one statement of the user may take to be prepared. The driver looks up each type that is no built-in
/// one, its parts within it, and each level of that costs stack.
pub(in crate::connection) const TYPE_ANSWERS: u64 = 120;

/// Does `work`, for which the server may answer so often; `None` where it was given up, and then `heard` knows why.
/// Cancel-safe as `work` is.
pub(in crate::connection) async fn warily<T>(heard: &Heard, most: u64, work: impl Future<Output = T>) -> Option<T> {
    let mut answers = heard.answers();
    let before = *answers.borrow_and_update();
    let why = tokio::select! {
        biased;
        done = contained(work) => match done {
            Some(done) => return Some(done),
            None => "an answer that the driver cannot handle",
        },
        // The sender lives as long as `heard`.
        _ = answers.wait_for(|count| *count > before.saturating_add(most)) => "an endlessly nested type",
    };
    heard.fault(Fault::NotPostgres(why.to_owned()));
    None
}
