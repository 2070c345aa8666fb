//! Our own stream between a socket (or its TLS) and the driver. It reads what a server sends, and
//!
//! - ends the connection if a message is not one that a PostgreSQL server sends, or announces more than we would ever
//!   keep, before any of it is stored (`wire/frames.rs`);
//! - keeps what bb8-postgres drops: notices, and the FATAL error that gives the reason for the end of a session;
//! - waits, when it is closed, until the server has closed its side too, so that "closed" means that its session is
//!   gone;
//! - can be cut at any time, whatever the driver is waiting for.

pub(super) mod allowance;
pub(super) mod fault;
mod frames;
pub(super) mod heard;
mod lent;
pub(super) mod limit;
pub(super) mod metered;
pub(super) mod ours;
pub(super) mod sockets;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::time::Sleep;
use tokio_postgres::tls::{ChannelBinding, TlsStream};

use frames::Frames;
use heard::Heard;
use metered::Metered;
use sockets::OpenSocket;

/// How long a server may take to close the connection after our goodbye.
const CLOSING: Duration = Duration::from_secs(1);

/// A socket with TLS. That of postgres-native-tls hides the server's certificate.
pub(crate) type Secured<S> = tokio_native_tls::TlsStream<BufReader<Metered<S>>>;

/// What carries the bytes.
pub(crate) enum Transport<S> {
    Plain(Metered<S>),
    Tls(Box<Secured<S>>),
}

/// The stream that the driver reads and writes.
pub(crate) struct Wire<S> {
    // Declared before `_open`: fields are dropped in order, and the socket must be closed before it is counted as
    // closed.
    transport: Transport<S>,
    frames: Frames,
    heard: Arc<Heard>,
    goodbye: Option<Pin<Box<Sleep>>>,
    /// True for a connection that only carries a cancel request.
    cancels: bool,
    _open: OpenSocket,
}

impl<S> Wire<S> {
    pub(crate) fn new(transport: Transport<S>, heard: Arc<Heard>, cancels: bool, open: OpenSocket) -> Self {
        Self { transport, frames: Frames::default(), heard, goodbye: None, cancels, _open: open }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Why nothing can be written any more. A server that closed the connection has sent the reason first (a FATAL
    /// error, a TLS alert about our certificate), and it may still be unread.
    fn last_words(&mut self, cx: &mut Context<'_>, error: io::Error) -> io::Error {
        let mut bytes = [0; 4096];
        for _ in 0..4 {
            let mut buf = ReadBuf::new(&mut bytes);
            match self.transport.poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    if self.frames.feed(buf.filled(), &self.heard).is_err() {
                        break;
                    }
                }
                Poll::Ready(Err(reason)) => {
                    self.heard.ended(Some(&reason));
                    return reason;
                }
                _ => break,
            }
        }
        self.heard.ended(Some(&error));
        error
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "pgwatch closed the connection")
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.heard.is_cut(cx) {
            return Poll::Ready(Err(cut()));
        }
        let before = buf.filled().len();
        if let Err(error) = ready!(this.transport.poll_read(cx, buf)) {
            this.heard.ended(Some(&error));
            return Poll::Ready(Err(error));
        }
        let came = buf.filled().get(before..).unwrap_or_default();
        if came.is_empty() {
            this.heard.ended(None);
        } else if let Err(fault) = this.frames.feed(came, &this.heard) {
            buf.set_filled(before);
            let text = fault.to_string();
            this.heard.fault(fault);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.heard.is_cut(cx) {
            return Poll::Ready(Err(cut()));
        }
        let written = ready!(this.transport.poll_write(cx, buf));
        if this.frames.in_use() {
            this.heard.allowance.asked();
        }
        Poll::Ready(written.map_err(|error| this.last_words(cx, error)))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.transport.poll_flush(cx).map_err(|error| this.last_words(cx, error))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.heard.is_cut(cx) {
            return Poll::Ready(Ok(()));
        }
        if this.goodbye.is_none() {
            // A server closes the connection when it has passed on a cancel request. PgBouncer forgets a request whose
            // sender closed first (and 1.18 crashes), so we keep our half open here.
            if !this.cancels && ready!(this.transport.poll_shutdown(cx)).is_err() {
                return Poll::Ready(Ok(()));
            }
            this.goodbye = Some(Box::pin(tokio::time::sleep(CLOSING)));
        }
        let mut last_words = [0; 1024];
        loop {
            if this.goodbye.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready()) {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut last_words);
            match ready!(this.transport.poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Wire<S> {
    fn channel_binding(&self) -> ChannelBinding {
        match &self.transport {
            Transport::Plain(_) => ChannelBinding::none(),
            Transport::Tls(stream) => match stream.get_ref().tls_server_end_point() {
                Ok(Some(hash)) => ChannelBinding::tls_server_end_point(hash),
                _ => ChannelBinding::none(),
            },
        }
    }
}
