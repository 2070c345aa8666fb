//! Standard output and standard error, written to the last byte. Another program that shares them may have left them
//! non-blocking: where they take no more, this waits, as a blocking write does.
//!
//! Not by the standard library's own, which counts what it has written no longer when a write would block.

use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// One of the two; every byte goes out at once.
#[derive(Debug)]
pub struct Output(BorrowedFd<'static>);

pub fn stdout() -> Output {
    Output(rustix::stdio::stdout())
}

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
