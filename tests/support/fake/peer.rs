//! One connection of a fake server: it understands what the client asks and sends what the script says.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openssl::ssl::{SslAcceptor, SslStream};

use super::messages::{complete, message, prepared, ready, row};
use super::{Act, polite_answer, stage_of};

/// What comes before a session: a startup packet, or a request for TLS or to cancel.
pub struct Packet {
    pub code: u32,
    pub body: Vec<u8>,
}

/// One round trip that a client asks for.
#[derive(Debug, Default)]
pub struct Ask {
    /// A statement of the simple protocol.
    pub query: Option<String>,
    /// A statement to parse.
    pub parse: Option<String>,
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<SslStream<TcpStream>>),
}

pub struct Peer {
    socket: Socket,
    /// The client's first message in SCRAM.
    said: Vec<u8>,
    ended: Arc<AtomicBool>,
}

impl Peer {
    pub fn new(socket: TcpStream, ended: Arc<AtomicBool>) -> Self {
        Self { socket: Socket::Plain(socket), said: Vec::new(), ended }
    }

    /// The same under TLS.
    pub fn secure(self, acceptor: &SslAcceptor) -> io::Result<Self> {
        let Socket::Plain(socket) = self.socket else { return Err(io::Error::other("it is secured already")) };
        let stream = acceptor.accept(socket).map_err(io::Error::other)?;
        Ok(Self { socket: Socket::Tls(Box::new(stream)), ..self })
    }

    pub fn packet(&mut self) -> io::Result<Packet> {
        let mut header = [0; 8];
        self.read_exact(&mut header)?;
        let [a, b, c, d, code @ ..] = header;
        let mut body = vec![0; (u32::from_be_bytes([a, b, c, d]) as usize).saturating_sub(8)];
        self.read_exact(&mut body)?;
        Ok(Packet { code: u32::from_be_bytes(code), body })
    }

    pub fn message(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut header = [0; 5];
        self.read_exact(&mut header)?;
        let [tag, length @ ..] = header;
        let mut body = vec![0; (u32::from_be_bytes(length) as usize).saturating_sub(4)];
        self.read_exact(&mut body)?;
        if tag == b'p' {
            self.said.clone_from(&body);
        }
        Ok((tag, body))
    }

    /// The client's next request as a whole: up to a simple query or a Sync.
    pub fn ask(&mut self) -> io::Result<Ask> {
        let mut ask = Ask::default();
        loop {
            let (tag, body) = self.message()?;
            let text = |part| body.split(|&byte| byte == 0).nth(part).map(|text| String::from_utf8_lossy(text).into());
            match tag {
                b'Q' => return Ok(Ask { query: text(0), ..ask }),
                b'S' => return Ok(ask),
                b'P' => ask.parse = text(1),
                b'X' => return Err(io::Error::other("goodbye")),
                _ => {}
            }
        }
    }

    /// Does what the script says, then is silent until the client closes the connection.
    pub fn play(mut self, acts: &[Act]) -> io::Result<()> {
        for act in acts {
            match act {
                Act::Say(bytes) => self.write_all(bytes)?,
                Act::Forever(bytes) => {
                    // In pieces that are large enough to be worth a system call.
                    let bytes = bytes.repeat((16 << 10) / bytes.len().max(1) + 1);
                    while !self.ended.load(Ordering::SeqCst) {
                        self.write_all(&bytes)?;
                    }
                }
                Act::Drip(bytes) => self.drip(bytes)?,
                Act::Wait => drop(self.ask()?),
                Act::Scram { nonce, salt, iterations } => {
                    let said = String::from_utf8_lossy(&self.said).into_owned();
                    // A nonce may contain anything but a comma.
                    let theirs = said.rsplit(",r=").next().unwrap_or_default();
                    let first = format!("r={},s={salt},i={iterations}", nonce.replace("{}", theirs));
                    self.write_all(&message(b'R', &[b"\0\0\0\x0b", first.as_bytes()].concat()))?;
                    self.message()?;
                }
                Act::Polite => loop {
                    let asked = stage_of(&self.ask()?);
                    self.write_all(&polite_answer(asked))?;
                },
                Act::Types => self.types_without_end()?,
                Act::Hangup => return Ok(()),
            }
        }
        io::copy(&mut self, &mut io::sink()).map(drop)
    }

    fn drip(&mut self, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes {
            self.write_all(&[*byte])?;
            #[allow(clippy::disallowed_methods, reason = "a thread of its own: to be slow is what it is for")]
            std::thread::sleep(Duration::from_secs(1));
            if self.ended.load(Ordering::SeqCst) {
                break;
            }
        }
        Ok(())
    }

    /// Each type is a domain over the next one.
    fn types_without_end(&mut self) -> io::Result<()> {
        const COLUMNS: [(&str, u32); 7] = [
            ("typname", 19),
            ("typtype", 18),
            ("typelem", 26),
            ("rngsubtype", 26),
            ("typbasetype", 26),
            ("nspname", 19),
            ("typrelid", 26),
        ];
        let mut base = 100_000_u32;
        loop {
            let answer = if self.ask()?.parse.is_some() {
                prepared(&[26], &COLUMNS)
            } else {
                base += 1;
                let none = [0; 4];
                let made_of = base.to_be_bytes();
                let cells = [
                    Some(b"t".as_slice()),
                    Some(b"d"),
                    Some(&none),
                    None,
                    Some(&made_of),
                    Some(b"public"),
                    Some(&none),
                ];
                [message(b'2', b""), row(&cells), complete("SELECT 1"), ready()].concat()
            };
            self.write_all(&answer)?;
        }
    }
}

impl Read for Peer {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.socket {
            Socket::Plain(socket) => socket.read(buf),
            Socket::Tls(socket) => socket.read(buf),
        }
    }
}

impl Write for Peer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.socket {
            Socket::Plain(socket) => socket.write(buf),
            Socket::Tls(socket) => socket.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.socket {
            Socket::Plain(socket) => socket.flush(),
            Socket::Tls(socket) => socket.flush(),
        }
    }
}
