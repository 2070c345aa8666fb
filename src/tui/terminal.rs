//! The terminal: taken over on entry, and restored exactly as it was, however the program ends.
//!
//! A frame is collected in memory and written at once, between the marks of synchronized output. So a terminal never
//! shows half of it, and a frame costs one system call.

use std::env;
use std::io::{self, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::queue;
use crossterm::style::{Attribute, SetAttribute};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{QueueSelector, tcflush, tcgetwinsize};

use super::clipboard::Way;
use super::output;
use super::renderer::Renderer;
use crate::model::contained::is_contained;

/// True while we hold the terminal. A process has only one.
static OURS: AtomicBool = AtomicBool::new(false);

/// The size assumed for a terminal that reports none (0x0: a serial line, some containers).
const USUAL: (u16, u16) = (80, 24);

/// What the user lets us use.
#[derive(Debug, Clone, Copy)]
pub struct TerminalOptions {
    /// True to capture the mouse; without it, the terminal's own selection works as usual.
    pub mouse: bool,
}

impl Default for TerminalOptions {
    fn default() -> Self {
        Self { mouse: true }
    }
}

/// The terminal while we hold it. Dropping it restores the terminal.
#[derive(Debug)]
pub struct Terminal {
    frames: Renderer,
    options: TerminalOptions,
}

impl Terminal {
    /// Takes over the terminal: raw mode, alternate screen, bracketed paste, mouse, no cursor.
    ///
    /// At the first call, wraps the current panic hook (install color-eyre's before), so that it prints after the
    /// terminal is restored.
    ///
    /// # Errors
    /// If the terminal cannot be set up.
    pub fn enter(options: TerminalOptions) -> io::Result<Self> {
        restore_before_panic_reports();
        take(options)?;
        Ok(Self { frames: Renderer::default(), options })
    }

    /// Draws a frame and writes the differences from the one before, if there are any. Returns how many bytes it wrote.
    /// `render` draws into a blank buffer and returns the place of the cursor; `None` hides it.
    ///
    /// # Errors
    /// If the terminal is gone (or was restored by a panic elsewhere).
    pub fn draw(&mut self, render: impl FnOnce(&mut Buffer) -> Option<Position>) -> io::Result<usize> {
        if !OURS.load(Ordering::SeqCst) {
            return Err(io::Error::other("the terminal was restored after a panic"));
        }
        let (width, height) = size()?;
        let frame = self.frames.frame(Rect::new(0, 0, width, height), render);
        if !frame.is_empty() {
            write_frame(frame)?;
        }
        Ok(frame.len())
    }

    /// Forgets what the terminal shows, so that the next frame is written completely (Ctrl-L, after a suspension).
    pub fn redraw(&mut self) {
        self.frames.forget();
    }

    /// Sends a text to the clipboard of the terminal (OSC 52) and returns a message for the user, as no terminal
    /// reports whether it accepted the text.
    pub fn copy(&mut self, text: &str) -> io::Result<&'static str> {
        let way = Way::of(|name| env::var(name).ok());
        write_out(&way.sequence(text)?)?;
        Ok(way.said())
    }

    /// Stops the program as Ctrl-Z usually does, with the terminal restored; returns when the program continues.
    pub fn suspend(&mut self) -> io::Result<()> {
        restore()?;
        kill_process(getpid(), Signal::TSTP)?;
        take(self.options)?;
        self.redraw();
        Ok(())
    }

    /// Restores the terminal and returns the error, which a drop cannot.
    pub fn leave(self) -> io::Result<()> {
        restore()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The terminal may be gone, so an error could not be shown.
        let _ = restore();
    }
}

/// Columns and rows of the terminal.
pub fn size() -> io::Result<(u16, u16)> {
    let size = match tcgetwinsize(rustix::stdio::stdout()) {
        Ok(size) => (size.ws_col, size.ws_row),
        // Standard output is something else; this asks the controlling terminal.
        Err(_) => crossterm::terminal::size()?,
    };
    Ok(if size.0 == 0 || size.1 == 0 { USUAL } else { size })
}

fn take(options: TerminalOptions) -> io::Result<()> {
    enable_raw_mode()?;
    OURS.store(true, Ordering::SeqCst);
    let mut out = Vec::new();
    queue!(out, EnterAlternateScreen, EnableBracketedPaste, Hide)?;
    if options.mouse {
        queue!(out, EnableMouseCapture)?;
    }
    write_out(&out).inspect_err(|_| {
        let _ = restore();
    })
}

/// Restores the terminal; further calls do nothing. Raw mode ends even if writing fails.
pub fn restore() -> io::Result<()> {
    if !OURS.swap(false, Ordering::SeqCst) {
        return Ok(());
    }
    let mut out = Vec::new();
    // Cleared first: after a resize, tmux mixes lines of the alternate screen into the normal one.
    let queued = queue!(
        out,
        EndSynchronizedUpdate,
        DisableMouseCapture,
        DisableBracketedPaste,
        SetAttribute(Attribute::Reset),
        MoveTo(0, 0),
        Clear(ClearType::All),
        LeaveAlternateScreen,
        Show
    );
    let written = queued.and_then(|()| write_out(&out));
    // An unread half of a mouse report would appear as input of the shell.
    let _ = tcflush(io::stdin(), QueueSelector::IFlush);
    disable_raw_mode().and(written)
}

/// Ends raw mode on a terminal that accepts no more bytes, where [`restore`] would wait forever. Bytes that were sent
/// and not shown yet are dropped.
pub fn abandon() {
    let _ = tcflush(io::stdout(), QueueSelector::OFlush);
    let _ = disable_raw_mode();
}

/// Restores the terminal before a panic is reported: a report on the alternate screen would be lost with it.
fn restore_before_panic_reports() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // The panic becomes the error of a node, which its row shows.
            if is_contained() {
                tracing::error!(%info, "contained");
                return;
            }
            let _ = restore();
            report(info);
        }));
    });
}

/// A small frame reaches the terminal at once anyway; a larger one is marked at its beginning and end.
fn write_frame(frame: &[u8]) -> io::Result<()> {
    const IN_ONE_PIECE: usize = 512;
    if frame.len() <= IN_ONE_PIECE {
        return write_out(frame);
    }
    let mut out = Vec::with_capacity(frame.len() + 16);
    queue!(out, BeginSynchronizedUpdate)?;
    out.extend_from_slice(frame);
    queue!(out, EndSynchronizedUpdate)?;
    write_out(&out)
}

fn write_out(bytes: &[u8]) -> io::Result<()> {
    output::stdout().write_all(bytes)
}
