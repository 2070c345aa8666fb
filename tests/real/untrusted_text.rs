//! Text from elsewhere: whatever a server, a row, a file or a path holds is shown, never obeyed, and never moves
//! what stands beside it. On real servers in a real terminal, and in what commands print.

mod live;
mod names;
