//! Servers that answer only the first message. These are the only fake servers here.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// The message after which a mute server falls silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It accepts TLS, but does not do the handshake.
    TlsRequest,
    /// It accepts every login, and then answers nothing.
    Startup,
}

/// The first message of a client that wants TLS.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// `AuthenticationOk`; `server_version` 15.0; a cancel key; `ReadyForQuery`.
const WELCOME: &[u8] = b"R\x00\x00\x00\x08\x00\x00\x00\x00\
    S\x00\x00\x00\x18server_version\x0015.0\x00\
    K\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x02\
    Z\x00\x00\x00\x05I";

/// Listens as long as the runtime lives; returns the port.
pub fn listen(runtime: &Runtime, after: After) -> u16 {
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
    let port = listener.local_addr().expect("a port").port();
    runtime.spawn(async move {
        // Kept, so that no connection is closed.
        let mut kept = tokio::task::JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            kept.spawn(serve(client, after));
        }
    });
    port
}

/// Serves a client until it disconnects.
async fn serve(mut client: TcpStream, after: After) {
    let mut buffer = vec![0; 4 << 10];
    let mut welcomed = false;
    while let Ok(count @ 1..) = client.read(&mut buffer).await {
        let asks_for_tls = buffer.get(..count).is_some_and(|said| said.starts_with(&SSL_REQUEST));
        let answer: &[u8] = match after {
            After::TlsRequest if asks_for_tls => b"S",
            After::Startup if asks_for_tls => b"N",
            After::Startup if !welcomed => WELCOME,
            _ => continue,
        };
        welcomed |= answer == WELCOME;
        if client.write_all(answer).await.is_err() {
            return;
        }
    }
}
