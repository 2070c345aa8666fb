//! A socket that counts the bytes it reads, below TLS, so that bytes that TLS itself consumes count too.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::fault::Fault;
use super::heard::Heard;

/// Most bytes of one read. What a slow reader left in the socket is counted in parts of this size, since the rows in it
/// may be wanted.
const READ: usize = 256 << 10;
/// Reads in a row before other work of the same task gets a turn, above all a timer.
const READS: u32 = 32;

/// A socket whose reads are limited by the allowance.
#[derive(Debug)]
pub(crate) struct Metered<S> {
    socket: S,
    heard: Arc<Heard>,
    reads: u32,
}

impl<S> Metered<S> {
    pub(crate) fn new(socket: S, heard: Arc<Heard>) -> Self {
        Self { socket, heard, reads: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.reads == READS {
            self.reads = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let read = if buf.remaining() > READ {
            let mut part = ReadBuf::new(buf.initialize_unfilled_to(READ));
            let read = Pin::new(&mut self.socket).poll_read(cx, &mut part);
            let came = part.filled().len();
            buf.advance(came);
            read
        } else {
            Pin::new(&mut self.socket).poll_read(cx, buf)
        };
        if read.is_pending() {
            self.reads = 0;
        }
        ready!(read)?;
        self.reads += 1;
        let came = buf.filled().len() - before;
        if self.heard.allowance.spend(came) {
            return Poll::Ready(Ok(()));
        }
        buf.set_filled(before);
        self.heard.fault(Fault::Endless);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, Fault::Endless.to_string())))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::connection::wire::allowance::Limits;

    /// A slow reader finds more in the socket than a server may send unasked; most of it is a row that is wanted.
    #[tokio::test]
    async fn what_waits_in_the_socket_is_counted_piece_by_piece() {
        let heard = Heard::new(Limits { row: 64 << 20, answer: 4 << 20, rows_are_wanted: true });
        heard.opened();
        heard.allowance.asked();
        let waits = vec![b'x'; 3 * heard.allowance.limits.answer];
        let mut socket = Metered::new(waits.as_slice(), Arc::clone(&heard));
        let mut row = Vec::with_capacity(waits.len());
        while row.len() < waits.len() {
            let came = socket.read_buf(&mut row).await.expect("within the allowance");
            assert!(came <= READ, "{came}");
            heard.allowance.wanted(came);
        }
        // The same bytes again, but this time they are not wanted.
        let mut socket = Metered::new(waits.as_slice(), Arc::clone(&heard));
        row.clear();
        while row.len() < waits.len() {
            if socket.read_buf(&mut row).await.is_err() {
                return;
            }
        }
        panic!("all of it was taken");
    }
}
