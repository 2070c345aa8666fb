//! Servers that say the first word and no more: only deliberately bad ones are not real.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// After what a mute server falls silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It takes TLS, and then does not shake hands.
    TlsRequest,
    /// It lets everybody in, and then answers nothing.
    Startup,
}

/// The first word of a client that asks for TLS.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// Let in; `server_version` 15.0; a key to cancel with; ready.
const WELCOME: &[u8] = b"R\x00\x00\x00\x08\x00\x00\x00\x00\
    S\x00\x00\x00\x18server_version\x0015.0\x00\
    K\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x02\
    Z\x00\x00\x00\x05I";

/// Listens as long as the runtime lives; the port.
pub fn listen(runtime: &Runtime, after: After) -> u16 {
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
    let port = listener.local_addr().expect("a port").port();
    runtime.spawn(async move {
        // Kept, so that nothing is closed.
        let mut kept = tokio::task::JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            kept.spawn(serve(client, after));
        }
    });
    port
}

/// Until the client goes.
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
