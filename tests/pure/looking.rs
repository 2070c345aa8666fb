//! Looking for something with `/`, `o`, `Enter` on an alert and `w`: each test presses keys, draws the frame and reads
//! the text. What holds for all tables is tried on every view.

mod alert;
mod answers;
mod filter;
mod only;
mod screens;
mod wrap;
