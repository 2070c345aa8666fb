//! Text from elsewhere in pictures of every screen: it is shown, never obeyed, and never moves what is next to it.
#![allow(clippy::string_slice, reason = "slices begin and end where a match does")]

mod pictures;
mod spoiled;
