//! Looking for something with `/`, `o`, `Enter` on an alert and `w`: each key pressed, the frame drawn, the text read. What
//! holds of tables is tried on every view there is.

mod alert;
mod answers;
mod filter;
mod only;
mod screens;
mod wrap;
