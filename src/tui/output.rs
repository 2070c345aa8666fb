//! Standard output and standard error, written completely. Another program that shares them may have made them
//! non-blocking; when they accept no more, this waits, as a blocking write does.
//!
//! The standard library cannot be used: when a write would block, it loses count of what it has written.

use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// One of the two, without a buffer.
#[derive(Debug)]
pub struct Output(BorrowedFd<'static>);

/// Standard output.
pub fn stdout() -> Output {
    Output(rustix::stdio::stdout())
}

/// Standard error.
pub fn stderr() -> Output {
    Output(rustix::stdio::stderr())
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(self.0, bytes) {
                Err(Errno::AGAIN) => wait_for_room(self.0)?,
                Err(Errno::INTR) => {}
                written => return Ok(written?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn wait_for_room(output: BorrowedFd<'_>) -> io::Result<()> {
    match poll(&mut [PollFd::new(&output, PollFlags::OUT)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
