//! The terminal: taken on entry, given back exactly as it was on the way out, whichever way that is.
//!
//! A frame is collected in memory and written in one piece between the marks of synchronized output, so a terminal
//! never shows half of it and a frame costs one system call.

use std::env;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::style::{Attribute, Color, SetAttribute, SetBackgroundColor, SetForegroundColor, SetUnderlineColor};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Frame, Viewport};
use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{QueueSelector, tcflush};

use super::clipboard::Way;
use super::output;
use crate::model::contained::is_contained;

/// Whether the terminal is ours now. One per process: a terminal is.
static OURS: AtomicBool = AtomicBool::new(false);

/// Memory kept for the next frame, bytes; a full frame of a large terminal is about 30 KB.
const FRAME_MEMORY: usize = 64 << 10;

/// The size of a terminal that does not say how large it is (0x0: a serial line, some containers).
const USUAL: (u16, u16) = (80, 24);

/// What the user lets us take.
#[derive(Debug, Clone, Copy)]
pub struct TerminalOptions {
    /// Capture the mouse; without it the terminal's own selection works as everywhere.
    pub mouse: bool,
}

impl Default for TerminalOptions {
    fn default() -> Self {
        Self { mouse: true }
    }
}

/// The terminal while it is ours. Dropping it gives the terminal back.
#[derive(Debug)]
pub struct Terminal {
    /// Compares each frame with the one before.
    frames: ratatui::Terminal<CrosstermBackend<Pending>>,
    pending: Pending,
    /// What a frame in which nothing changed comes to: not worth a byte.
    unchanged: Vec<u8>,
    /// The frame before left the cursor visible, in a line that is written.
    cursor_shown: bool,
    options: TerminalOptions,
}

impl Terminal {
    /// Takes the terminal: raw mode, alternate screen, bracketed paste, mouse, no cursor.
    ///
    /// The panic hook in place at the first call (install color-eyre's before) prints after the terminal is given
    /// back.
    pub fn enter(options: TerminalOptions) -> io::Result<Self> {
        restore_before_panic_reports();
        // crossterm's own NO_COLOR drops reverse video too, and with it the selection: the theme decides.
        crossterm::style::force_color_output(true);
        let pending = Pending::default();
        let viewport = Viewport::Fixed(area()?);
        let backend = CrosstermBackend::new(pending.clone());
        let frames = ratatui::Terminal::with_options(backend, ratatui::TerminalOptions { viewport })?;
        take(options)?;
        pending.lock().clear();
        Ok(Self { frames, pending, unchanged: unchanged_frame()?, cursor_shown: false, options })
    }

    /// Draws a frame and writes what differs from the one before; nothing differs, nothing is written. Says how many
    /// bytes of the picture were.
    ///
    /// A terminal that is gone (or was given back by a panic elsewhere) is an error.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<usize> {
        if !OURS.load(Ordering::SeqCst) {
            return Err(io::Error::other("the terminal was restored after a panic"));
        }
        let area = area()?;
        if area != self.frames.get_frame().area() {
            self.frames.resize(area)?;
        }
        self.frames.draw(render)?;
        let mut frame = self.pending.lock();
        let shown = !frame.ends_with(&self.unchanged);
        let mut written = 0;
        if shown || self.cursor_shown || frame.len() > self.unchanged.len() {
            if !shown && !self.cursor_shown {
                // The cursor is hidden as it is: one reset says the rest of what the backend ends a frame with.
                let changed = frame.len() - self.unchanged.len();
                frame.truncate(changed);
                queue!(*frame, SetAttribute(Attribute::Reset))?;
            }
            write_frame(&frame)?;
            written = frame.len();
        }
        self.cursor_shown = shown;
        frame.clear();
        frame.shrink_to(FRAME_MEMORY);
        Ok(written)
    }

    /// Forgets what the terminal shows: the next frame is written whole (Ctrl-L, after a suspension).
    pub fn redraw(&mut self) -> io::Result<()> {
        // Not `clear()`, which asks the terminal for the cursor and takes the answer from under the keys.
        self.frames.resize(area()?)
    }

    /// Sends a text to the clipboard of the terminal (OSC 52), and says so: no terminal says whether it took it.
    pub fn copy(&mut self, text: &str) -> io::Result<&'static str> {
        let way = Way::of(|name| env::var(name).ok());
        write_out(&way.sequence(text)?)?;
        Ok(way.said())
    }

    /// Stops the program as Ctrl-Z does elsewhere, with the terminal given back; returns when it goes on.
    pub fn suspend(&mut self) -> io::Result<()> {
        restore()?;
        kill_process(getpid(), Signal::TSTP)?;
        take(self.options)?;
        self.redraw()
    }

    /// Gives the terminal back and says what went wrong, which a drop cannot.
    pub fn leave(self) -> io::Result<()> {
        restore()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The terminal may be gone: nobody is left to be told.
        let _ = restore();
    }
}

/// Columns and rows of the terminal.
pub fn size() -> io::Result<(u16, u16)> {
    match crossterm::terminal::size()? {
        (0, _) | (_, 0) => Ok(USUAL),
        size => Ok(size),
    }
}

fn area() -> io::Result<Rect> {
    let (width, height) = size()?;
    Ok(Rect::new(0, 0, width, height))
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

/// Gives the terminal back, once however often it is called. Raw mode ends even where writing fails.
pub fn restore() -> io::Result<()> {
    if !OURS.swap(false, Ordering::SeqCst) {
        return Ok(());
    }
    let mut out = Vec::new();
    // Emptied first: after a change of size tmux mixes the lines of the screen that goes into the one that comes back.
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
    // Half a mouse report that nobody read would be typed into the shell.
    let _ = tcflush(io::stdin(), QueueSelector::IFlush);
    disable_raw_mode().and(written)
}

/// Ends raw mode on a terminal that takes no bytes any more, where [`restore`] would wait for ever. What it was sent and
/// did not show is dropped.
pub fn abandon() {
    let _ = tcflush(io::stdout(), QueueSelector::OFlush);
    let _ = disable_raw_mode();
}

/// A report printed into the alternate screen is lost with it.
fn restore_before_panic_reports() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // A node's own failure, which its row tells.
            if is_contained() {
                tracing::error!(%info, "contained");
                return;
            }
            let _ = restore();
            report(info);
        }));
    });
}

/// A small frame reaches the terminal in one piece anyway; a larger one says where it begins and ends.
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

/// The bytes that the backend writes around no changes at all.
fn unchanged_frame() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    queue!(
        bytes,
        SetForegroundColor(Color::Reset),
        SetBackgroundColor(Color::Reset),
        SetUnderlineColor(Color::Reset),
        SetAttribute(Attribute::Reset)
    )?;
    execute!(bytes, Hide)?;
    Ok(bytes)
}

/// Where the backend writes a frame to: memory, which never fails, so nothing in the backend (its `Drop` either) can
/// stumble over a terminal that is gone.
#[derive(Debug, Clone, Default)]
struct Pending(Arc<Mutex<Vec<u8>>>);

impl Pending {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
