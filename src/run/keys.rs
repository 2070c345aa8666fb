//! Keys and clicks, read by a thread of their own, and changes of the terminal's size. A lone Esc is reported after
//! 25 ms, or 50 ms over ssh: until then it may be the beginning of another key.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal as _, PipeReader, PipeWriter};
use std::os::fd::{AsFd as _, OwnedFd};
use std::thread;
use std::time::Duration;

use crossterm::event::Event;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, Sender};
use tokio::task::JoinSet;

use crate::tui::decoder::Decoder;
use crate::tui::terminal;

/// How many events may wait: more than a person can cause within a frame. A paste is one event.
const WAITING: usize = 64;
/// How long the rest of a key may take to follow its Esc.
const LOCAL: Duration = Duration::from_millis(25);
const REMOTE: Duration = Duration::from_millis(50);

/// The events of the terminal. Dropping this ends the thread that reads them.
pub(super) struct Keys {
    events: mpsc::Receiver<io::Result<Event>>,
    _sizes: JoinSet<()>,
    /// Dropping it closes the pipe, which ends the thread.
    _reading: PipeWriter,
}

impl Keys {
    pub(super) fn listen() -> io::Result<Self> {
        let (heard, events) = mpsc::channel(WAITING);
        let (end, reading) = io::pipe()?;
        let input = terminal_input()?;
        let keys = heard.clone();
        thread::Builder::new().name("keys".to_owned()).spawn(move || {
            if let Err(error) = read(&input, &end, &keys) {
                let _ = keys.blocking_send(Err(error));
            }
        })?;
        let mut changes = signal(SignalKind::window_change())?;
        let mut sizes = JoinSet::new();
        // A weak sender: the channel must close with the thread's sender, as the terminal is then gone.
        let heard = heard.downgrade();
        sizes.spawn(async move {
            while changes.recv().await.is_some() {
                let Some(heard) = heard.upgrade() else { return };
                let size = terminal::size().map(|(width, height)| Event::Resize(width, height));
                if heard.send(size).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self { events, _sizes: sizes, _reading: reading })
    }

    /// The next event; `None` when the terminal is gone. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<io::Result<Event>> {
        self.events.recv().await
    }
}

/// Standard input, or the controlling terminal if standard input is something else.
fn terminal_input() -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    if stdin.is_terminal() { stdin.as_fd().try_clone_to_owned() } else { Ok(File::open("/dev/tty")?.into()) }
}

/// Reads until the terminal or the dashboard ends.
fn read(input: &OwnedFd, end: &PipeReader, heard: &Sender<io::Result<Event>>) -> io::Result<()> {
    let remote = ["SSH_CONNECTION", "SSH_TTY"].into_iter().any(|name| env::var_os(name).is_some());
    let mut decoder = Decoder::new(if remote { REMOTE } else { LOCAL });
    let mut buffer = [0; 4096];
    loop {
        // Polls before each read: other programs may have left the terminal blocking or non-blocking.
        let mut asked = [PollFd::new(input, PollFlags::IN), PollFd::new(end, PollFlags::IN)];
        let patience = decoder.patience().and_then(|time| Timespec::try_from(time).ok());
        let ready = match poll(&mut asked, patience.as_ref()) {
            Err(Errno::INTR) => continue,
            ready => ready?,
        };
        if !asked[1].revents().is_empty() {
            return Ok(());
        }
        let mut lone = None;
        if ready == 0 {
            lone = decoder.give_up();
        } else {
            match rustix::io::read(input, &mut buffer) {
                Err(Errno::INTR | Errno::AGAIN) => {}
                Ok(0) => return Ok(()),
                count => decoder.feed(buffer.get(..count?).unwrap_or_default()),
            }
        }
        for event in lone.into_iter().chain(decoder.by_ref()) {
            if heard.blocking_send(Ok(event)).is_err() {
                return Ok(());
            }
        }
    }
}
