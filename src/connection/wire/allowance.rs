//! How much a server may send: more than it was asked for ends the connection, whatever it calls what it sends. Bytes
//! are counted below TLS, so that what TLS itself swallows counts too.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::heard::{Fault, Heard};
use crate::connection::session::settings::Purpose;
use crate::model::protocol::QueryRequest;

/// What may come before a session has begun: a TLS handshake (openssl takes certificates up to 100 KB), some messages.
const GREETING: usize = 256 << 10;
/// What may come while nothing is asked: notices, changed settings, and the answer to what was asked together with
/// something else.
const IDLE: usize = 1 << 20;
/// The most that one read takes: what a slow reader left waiting in the socket is counted piece by piece, since the rows in
/// it may be wanted.
const READ: usize = 256 << 10;
/// Reads in a row before whoever else waits in the same task has a turn, a timer above all.
const READS: u32 = 32;

/// What the sessions of a purpose may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The largest row.
    pub(in crate::connection) row: usize,
    /// The answer to one request, as it comes from the socket; rows of a user's statement are not counted.
    answer: usize,
    /// Statements of the user run here, and their rows are counted by who collects them.
    pub(in crate::connection) rows_are_wanted: bool,
}

impl Limits {
    /// Our own statements are answered with a few kilobytes; a result of the user's may have 64 MB, and one row of it
    /// that much alone. What comes beside rows are notices: a function may raise many, and they are not kept.
    pub(crate) fn of(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Query => Self { row: QueryRequest::MAX_BYTES + (1 << 20), answer: 4 << 20, rows_are_wanted: true },
            // What is too much of a view is cut by who collects it.
            Purpose::View => Self { row: 4 << 20, answer: 4 << 20, rows_are_wanted: true },
            Purpose::Probe | Purpose::Poll | Purpose::Test => {
                Self { row: 64 << 10, answer: 256 << 10, rows_are_wanted: false }
            }
        }
    }
}

/// What the server of one connection may still send.
#[derive(Debug)]
pub(in crate::connection) struct Allowance {
    pub(in crate::connection) limits: Limits,
    left: AtomicUsize,
}

impl Allowance {
    pub(in crate::connection) fn new(limits: Limits) -> Self {
        Self { limits, left: AtomicUsize::new(GREETING) }
    }

    /// Something was asked.
    pub(in crate::connection) fn asked(&self) {
        self.left.fetch_max(self.limits.answer, Ordering::Relaxed);
    }

    /// All that was asked is answered.
    pub(in crate::connection) fn answered(&self) {
        self.left.fetch_min(IDLE, Ordering::Relaxed);
    }

    /// A row of so many bytes came that is wanted: it does not count, nor does what TLS put around it.
    pub(in crate::connection) fn wanted(&self, bytes: usize) {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_add(2 * bytes).min(self.limits.answer), Ordering::Relaxed);
    }

    /// Whether so many bytes were allowed.
    fn spend(&self, bytes: usize) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(bytes), Ordering::Relaxed);
        bytes <= left
    }
}

/// A socket that is read within its allowance.
#[derive(Debug)]
pub(crate) struct Metered<S> {
    socket: S,
    heard: Arc<Heard>,
    reads: u32,
}

impl<S> Metered<S> {
    pub(in crate::connection) fn new(socket: S, heard: Arc<Heard>) -> Self {
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

    /// A slow reader finds more in the socket than a server may send unasked; most of it is a row that is wanted.
    #[tokio::test]
    async fn what_waits_in_the_socket_is_counted_piece_by_piece_c6() {
        let heard = Heard::new(Limits::of(Purpose::Query));
        heard.allowance.asked();
        let waits = vec![b'x'; 3 * heard.allowance.limits.answer];
        let mut socket = Metered::new(waits.as_slice(), Arc::clone(&heard));
        let mut row = Vec::with_capacity(waits.len());
        while row.len() < waits.len() {
            let came = socket.read_buf(&mut row).await.expect("within the allowance");
            assert!(came <= READ, "{came}");
            heard.allowance.wanted(came);
        }
        // The same again, and nobody wants it.
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
