//! Keys: what a terminal can send, what each key means in each place, and the actions that it triggers.

pub mod action;
pub mod key;
pub mod keymap;
