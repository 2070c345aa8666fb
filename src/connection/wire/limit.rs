//! Limits how many messages of a server the driver processes, and contains its panics: a server that lies causes an
//! error of its own node and nothing else.

use super::fault::Fault;
use super::heard::Heard;
use crate::model::contained::contained;

/// How many server messages one of our own statements may need. They use built-in types only, so the driver looks up
/// nothing.
pub(crate) const OUR_ANSWERS: u64 = 16;
/// How many server messages preparing a statement of the user may need. The driver looks up each type that is not built
/// in, and then the types of its parts; each level of that uses stack.
pub(crate) const TYPE_ANSWERS: u64 = 120;

/// Runs `work`, allowing the server at most `most` answers. `None` if it was abandoned; `heard` then holds the reason.
/// Cancel-safe if `work` is.
pub(crate) async fn limited<T>(heard: &Heard, most: u64, work: impl Future<Output = T>) -> Option<T> {
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
