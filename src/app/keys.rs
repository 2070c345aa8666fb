//! Keys: what a terminal can send, what each one means where, and the actions that they stand for.

pub mod action;
pub mod key;
pub mod keymap;
