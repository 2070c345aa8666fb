//! Our own stream between a socket (or its TLS) and the driver. It reads along with what a server sends, and
//!
//! - ends the connection where one message announces more than we would ever keep, before any of it is stored;
//! - keeps what bb8-postgres drops: notices, and the FATAL error that says why a session ended;
//! - waits, when it is closed, until the server has hung up too, so that "closed" means that its session is gone;
//! - can be cut at once, whatever the driver is waiting for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_postgres::tls::{ChannelBinding, TlsStream};

use super::heard::{Heard, OpenSocket};
use crate::model::protocol::QueryRequest;

/// The largest message of a session that is in use: what a result may keep of a node, and some framing. PostgreSQL
/// itself stops at 1 GB.
const MAX_MESSAGE: usize = QueryRequest::MAX_BYTES + (1 << 20);
/// The largest message before a session has begun. What answers with more is no PostgreSQL server.
const MAX_GREETING: usize = 1 << 20;
/// How much of a message is kept to be read here; only notices, errors and settings are.
const MAX_KEPT: usize = 64 << 10;
/// How long a server may take to hang up after we said goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// What the bytes travel on.
pub(crate) enum Transport<S> {
    Plain(S),
    Tls(Box<postgres_native_tls::TlsStream<S>>),
}

/// The stream that the driver reads and writes.
pub(crate) struct Wire<S> {
    // Before `_open`: fields are dropped in order, and the socket must be closed before it is counted as closed.
    transport: Transport<S>,
    frames: Frames,
    heard: Arc<Heard>,
    goodbye: Option<Pin<Box<Sleep>>>,
    /// It carries a cancel request and nothing else.
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
    /// Why nothing can be written any more: a server that hung up said so first (a FATAL error, a TLS alert about our
    /// certificate), and its words may still wait to be read.
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
                Poll::Ready(Err(told)) => {
                    self.heard.ended(&told.to_string());
                    return told;
                }
                _ => break,
            }
        }
        self.heard.ended(&error.to_string());
        error
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was cut by us")
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.heard.is_cut(cx) {
            return Poll::Ready(Err(cut()));
        }
        let before = buf.filled().len();
        if let Err(error) = ready!(this.transport.poll_read(cx, buf)) {
            this.heard.ended(&error.to_string());
            return Poll::Ready(Err(error));
        }
        let came = buf.filled().get(before..).unwrap_or_default();
        if came.is_empty() {
            this.heard.ended("");
        } else if let Err(fault) = this.frames.feed(came, &this.heard) {
            buf.set_filled(before);
            this.heard.fault(&fault);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)));
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
        this.transport.poll_write(cx, buf).map_err(|error| this.last_words(cx, error))
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
            // A server hangs up when it has passed a cancel request on. PgBouncer forgets one whose sender hung up
            // first (and 1.18 dies of it), so there we keep our half open.
            if !this.cancels && ready!(this.transport.poll_shutdown(cx)).is_err() {
                return Poll::Ready(Ok(()));
            }
            this.goodbye = Some(Box::pin(tokio::time::sleep(GOODBYE)));
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
            Transport::Tls(stream) => stream.channel_binding(),
        }
    }
}

/// Follows the framing of a server's messages: one byte that says what it is, four that say how long (themselves
/// included), then the body.
#[derive(Debug, Default)]
struct Frames {
    header: [u8; 5],
    have: usize,
    /// Bytes of the body still to come.
    left: usize,
    kept: Vec<u8>,
    in_use: bool,
}

impl Frames {
    /// Takes the next bytes; the error says what is wrong with them.
    fn feed(&mut self, mut bytes: &[u8], heard: &Heard) -> Result<(), String> {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.have < self.header.len() {
                self.header[self.have] = byte;
                self.have += 1;
                bytes = rest;
                if self.have == self.header.len() {
                    self.begin()?;
                }
            } else {
                let (body, rest) = bytes.split_at(self.left.min(bytes.len()));
                if is_read(self.header[0]) {
                    self.kept.extend_from_slice(body.get(..MAX_KEPT - self.kept.len().min(MAX_KEPT)).unwrap_or(body));
                }
                self.left -= body.len();
                bytes = rest;
            }
            if self.have == self.header.len() && self.left == 0 {
                self.in_use |= self.header[0] == b'Z';
                heard.message(self.header[0], &self.kept);
                self.kept.clear();
                self.have = 0;
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), String> {
        let [_, a, b, c, d] = self.header;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length < 4 || (!self.in_use && length > MAX_GREETING) {
            return Err("what answers there does not speak PostgreSQL's protocol".to_owned());
        }
        if length > MAX_MESSAGE {
            return Err(format!(
                "a row of {} MB is larger than the {} MB kept",
                length >> 20,
                QueryRequest::MAX_BYTES >> 20
            ));
        }
        self.left = length - 4;
        Ok(())
    }
}

/// Messages whose body is read here: errors, notices, settings, the state of the transaction.
fn is_read(tag: u8) -> bool {
    matches!(tag, b'E' | b'N' | b'S' | b'Z')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        bytes.extend((body.len() as u32 + 4).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn messages_are_found_however_the_bytes_are_cut() {
        let mut bytes = message(b'S', b"server_version\x0015.4 (Debian)\0");
        bytes.extend(message(b'Z', b"I"));
        bytes.extend(message(b'D', &[7; 300]));
        bytes.extend(message(b'N', b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0"));
        bytes.extend(message(b'E', b"SFATAL\0VFATAL\0C57P01\0Mgone\0\0"));
        bytes.extend(message(b'Z', b"T"));
        for size in [1, 2, 3, 7, 64, 4096] {
            let (heard, mut frames) = (Heard::new(), Frames::default());
            for piece in bytes.chunks(size) {
                frames.feed(piece, &heard).unwrap();
            }
            assert_eq!(heard.server_version().as_deref(), Some("15.4"));
            assert_eq!(heard.transaction(), b'T');
            assert_eq!(heard.take_notices()[0].message, "hello");
            assert_eq!(heard.fatal().unwrap().sqlstate, "57P01");
        }
    }

    #[test]
    fn a_giant_message_is_refused_by_its_header() {
        let (heard, mut frames) = (Heard::new(), Frames::default());
        frames.feed(&message(b'Z', b"I"), &heard).unwrap();
        let error = frames.feed(&[b'D', 0x12, 0xc0, 0, 0], &heard).unwrap_err();
        assert_eq!(error, "a row of 300 MB is larger than the 64 MB kept");
    }

    #[test]
    fn a_web_server_is_no_database() {
        let (heard, mut frames) = (Heard::new(), Frames::default());
        assert!(frames.feed(b"HTTP/1.1 400 Bad Request", &heard).unwrap_err().contains("does not speak"));
    }
}
