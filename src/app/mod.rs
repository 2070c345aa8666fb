//! The screen's state: pure logic, no tokio, no ratatui, no crossterm, no clock.
