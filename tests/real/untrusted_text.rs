//! Text from elsewhere: whatever a server, a row, a file or a path contains is shown, never obeyed, and never moves
//! what is next to it. On real servers in a real terminal, and in the output of commands.

mod live;
mod names;
