//! Keys as a person presses them, and what the manager tells meanwhile: the screen's state driven from outside.

mod dashboard;
mod events;
mod forms;
mod leaving;
mod map;
mod monkey;
mod moving;
mod queries;
mod readme;
