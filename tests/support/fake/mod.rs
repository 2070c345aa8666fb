//! Servers that lie: each behaves like PostgreSQL up to a stage of a session, and then does what its script says.
//!
//! Written by hand and not with a crate that speaks the protocol: such a crate owns the socket and keeps the order of
//! messages, and these servers exist to break both at any moment. They use blocking threads, one per connection, so
//! that no runtime of theirs can delay the tested one or be delayed by it.

pub mod messages;
mod peer;

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use openssl::ssl::SslAcceptor;

use messages::{complete, error, greeting, message, ready, row, row_description};
use peer::{Ask, Peer};

/// The stage of a session at which the server starts to follow its script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Never.
    Never,
    /// When the client asks for TLS.
    Hello,
    /// When the client sends its startup packet.
    Startup,
    /// When a password is due, by SCRAM.
    Password,
    /// When the client asks for its version and role.
    First,
    /// When the client probes it.
    Probe,
    /// Right after it has answered a probe.
    AfterProbe,
    /// When the client asks for its facts.
    Facts,
    /// When a session of the pool makes its settings.
    Pool,
    /// When the user's statement is to be parsed.
    Prepare,
    /// When the user's statement is to be run.
    Query,
}

/// One step of a script; after the last one the server is silent.
#[derive(Debug, Clone)]
pub enum Act {
    Say(Vec<u8>),
    /// Sends the same again and again, as long as the client takes it.
    Forever(Vec<u8>),
    /// Sends a byte a second.
    Drip(Vec<u8>),
    /// Waits until the client has asked for the next thing.
    Wait,
    /// The server's part of SCRAM; `{}` in the nonce is the client's own.
    Scram {
        nonce: String,
        salt: String,
        iterations: &'static str,
    },
    /// Answers everything from here on as PostgreSQL would.
    Polite,
    /// Describes each type as made of another one.
    Types,
    Hangup,
}

/// The behaviour of a fake server.
pub struct Script {
    pub stage: Stage,
    pub acts: Vec<Act>,
    /// The answer to a cancel request.
    pub cancel: Vec<Act>,
    pub tls: Option<SslAcceptor>,
}

/// A running server; dropping it closes its port and its old connections.
pub struct Fake {
    port: u16,
    ended: Arc<AtomicBool>,
}

impl Fake {
    pub fn start(script: Arc<Script>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let ended = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&ended);
        std::thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (script, stop) = (Arc::clone(&script), Arc::clone(&stop));
                // The thread ends with its connection, whose other end is under test.
                std::thread::spawn(move || drop(serve(socket, &script, stop)));
            }
        });
        Self { port, ended }
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the listener.
        drop(TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))));
    }
}

const SSL_REQUEST: u32 = 80_877_103;
const CANCEL_REQUEST: u32 = 80_877_102;

fn serve(socket: TcpStream, script: &Script, ended: Arc<AtomicBool>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut peer = Peer::new(socket, ended);
    let mut packet = peer.packet()?;
    if packet.code == SSL_REQUEST {
        if script.stage == Stage::Hello {
            return peer.play(&script.acts);
        }
        match &script.tls {
            Some(acceptor) => {
                peer.write_all(b"S")?;
                peer = peer.secure(acceptor)?;
            }
            None => peer.write_all(b"N")?,
        }
        packet = peer.packet()?;
    }
    if packet.code == CANCEL_REQUEST {
        return peer.play(&script.cancel);
    }
    if script.stage == Stage::Startup {
        return peer.play(&script.acts);
    }
    if script.stage == Stage::Password {
        peer.write_all(&message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"))?;
        peer.message()?;
        return peer.play(&script.acts);
    }
    peer.write_all(&greeting())?;
    loop {
        let stage = stage_of(&peer.ask()?);
        if stage == Some(script.stage) {
            return peer.play(&script.acts);
        }
        peer.write_all(&polite_answer(stage))?;
        if stage == Some(Stage::Probe) && script.stage == Stage::AfterProbe {
            return peer.play(&script.acts);
        }
    }
}

/// Recognises a request by its text; a statement of the user contains `hostile`. `None`: to set something.
fn stage_of(ask: &Ask) -> Option<Stage> {
    Some(match (&ask.query, &ask.parse) {
        (Some(text), _) if text.contains("server_version_num") => Stage::First,
        // How long a statement of the user may wait for a lock.
        (Some(text), _) if text.contains("set_config('lock_timeout', '10s'") => Stage::Pool,
        (Some(text), _) if text.contains("hostile") => Stage::Query,
        (Some(_), _) => return None,
        (None, Some(text)) if text.contains("hostile") => Stage::Prepare,
        (None, Some(_)) => Stage::Facts,
        (None, None) => Stage::Probe,
    })
}

fn polite_answer(stage: Option<Stage>) -> Vec<u8> {
    const INT4: u32 = 23;
    let hostile = || row_description(&[("hostile", INT4)]);
    let parts = match stage {
        Some(Stage::First) => {
            let columns =
                row_description(&[("current_setting", 25), ("pg_is_in_recovery", 25), ("current_setting", 25)]);
            vec![columns, row(&[Some(b"150004"), Some(b"f"), Some(b"30s")]), complete("SELECT 1")]
        }
        // The facts are refused as a server refuses them, which does not make the node unhealthy.
        Some(Stage::Facts) => vec![error("ERROR", "42501", "permission denied for view pg_stat_activity")],
        Some(Stage::Prepare) => vec![message(b'1', b""), message(b't', &[0, 0]), hostile()],
        Some(Stage::Query) => vec![hostile(), row(&[Some(b"1")]), complete("SELECT 1")],
        // The process that the greeting has named.
        None | Some(Stage::Pool) => {
            vec![
                complete("SET"),
                row_description(&[("pg_backend_pid", INT4)]),
                row(&[Some(b"1")]),
                complete("SELECT 1"),
            ]
        }
        _ => Vec::new(),
    };
    [parts.concat(), ready()].concat()
}
