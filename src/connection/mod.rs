//! The connection manager, usable without a terminal.
