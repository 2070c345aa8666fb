//! The local end of a tunnel: chosen before the command starts, and connected to when it listens.

use std::fs::Permissions;
use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::either::Either;

use crate::model::Host;
use crate::model::tunnel::LocalEnd;

/// The longest path of a unix socket, in bytes.
const LONGEST: usize = 107;

/// Ports below those that the kernel gives to outgoing connections: one of those could connect to itself while nothing
/// listens.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// A local end. Its folder is removed when it is dropped.
#[derive(Debug)]
pub(super) enum Local {
    Port(u16),
    /// A socket in a folder that only its owner may enter.
    Socket {
        folder: TempDir,
        path: PathBuf,
        socks: bool,
    },
}

/// Why there is no connection to a local end.
#[derive(Debug)]
pub(super) enum Refused {
    /// Nothing listens there.
    NotOpen,
    /// The tunnel does not lead to the server: what SOCKS says, if it does.
    Unreached(&'static str),
    /// What listens there is not what it must be.
    Not(&'static str),
}

impl Local {
    /// A free port, or a socket in a new folder.
    pub(super) fn choose(kind: LocalEnd) -> io::Result<Self> {
        if kind == LocalEnd::Port {
            // Should something take it first, the command ends and is started with another one.
            let free = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, fastrand::u16(PORTS))).ok()?.local_addr().ok();
            let port = (0..100).find_map(free).ok_or(io::ErrorKind::AddrInUse)?.port();
            return Ok(Self::Port(port));
        }
        let folders = [std::env::temp_dir(), PathBuf::from("/tmp")];
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for folder in folders {
            let only_ours = Permissions::from_mode(0o700);
            match tempfile::Builder::new().prefix("pgwatch-").permissions(only_ours).tempdir_in(folder) {
                Ok(folder) => {
                    let path = folder.path().join("s");
                    if is_usable(&path) {
                        return Ok(Self::Socket { folder, path, socks: kind == LocalEnd::Socks });
                    }
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// What its placeholder stands for.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Port(port) => port.to_string(),
            Self::Socket { path, .. } => path.display().to_string(),
        }
    }

    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Port(_) => None,
            Self::Socket { folder, .. } => Some(folder.path()),
        }
    }

    /// Connects to it. Sends nothing to the server.
    pub(super) async fn connect(&self) -> Result<Socket, Refused> {
        match self {
            Self::Port(port) => {
                let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).await.map_err(|_| Refused::NotOpen)?;
                // A socket without it works too, only later.
                let _ = socket.set_nodelay(true);
                Ok(Either::Left(socket))
            }
            Self::Socket { path, .. } => {
                UnixStream::connect(path).await.map(Either::Right).map_err(|_| Refused::NotOpen)
            }
        }
    }

    /// Waits until a SOCKS server answers, which needs nobody but the process of the tunnel.
    pub(super) async fn greet(&self, socket: &mut Socket) -> Result<(), Refused> {
        match (self, socket) {
            (Self::Socket { socks: true, .. }, Either::Right(socket)) => greet(socket).await,
            _ => Ok(()),
        }
    }

    /// Tells a SOCKS server where to connect to, and waits until it has. Every other local end leads there anyway.
    pub(super) async fn lead(&self, socket: &mut Socket, host: &Host) -> Result<(), Refused> {
        match (self, socket) {
            (Self::Socket { socks: true, .. }, Either::Right(socket)) => {
                request(socket, &host.target(), host.port).await
            }
            _ => Ok(()),
        }
    }
}

/// True if the path is short enough for a socket and needs no quotes in a shell.
fn is_usable(path: &Path) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    path.as_os_str().len() <= LONGEST && path.to_str().is_some_and(|path| path.chars().all(plain))
}

const NO_SOCKS: Refused = Refused::Not("what listens at its local end does not speak SOCKS 5");

/// The greeting of RFC 1928: version 5, one method, none.
async fn greet(socket: &mut UnixStream) -> Result<(), Refused> {
    socket.write_all(&[5, 1, 0]).await.map_err(|_| Refused::NotOpen)?;
    let mut answer = [0; 2];
    socket.read_exact(&mut answer).await.map_err(|_| Refused::NotOpen)?;
    if answer == [5, 0] { Ok(()) } else { Err(NO_SOCKS) }
}

/// The request of RFC 1928: connect to this host, whose name the far end resolves.
async fn request(socket: &mut UnixStream, host: &str, port: u16) -> Result<(), Refused> {
    let mut request = vec![5, 1, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(1);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(4);
            request.extend(address.octets());
        }
        Err(_) => {
            let length = u8::try_from(host.len()).map_err(|_| Refused::Unreached("the host name is too long"))?;
            request.extend([3, length]);
            request.extend(host.as_bytes());
        }
    }
    request.extend(port.to_be_bytes());
    let closed = |_| Refused::Unreached("");
    socket.write_all(&request).await.map_err(closed)?;
    let mut head = [0; 4];
    socket.read_exact(&mut head).await.map_err(closed)?;
    let [5, outcome, _, kind] = head else { return Err(NO_SOCKS) };
    if outcome != 0 {
        return Err(Refused::Unreached(meaning(outcome)));
    }
    // The address from which the server was reached, and its port, are of no interest.
    let length = match kind {
        1 => 4,
        4 => 16,
        3 => usize::from(socket.read_u8().await.map_err(closed)?),
        _ => return Err(NO_SOCKS),
    };
    let mut rest = vec![0; length + 2];
    socket.read_exact(&mut rest).await.map_err(closed)?;
    Ok(())
}

/// The outcomes of RFC 1928.
fn meaning(outcome: u8) -> &'static str {
    match outcome {
        2 => "the proxy does not allow it",
        3 => "the network is unreachable",
        4 => "the host is unreachable",
        5 => "connection refused",
        6 => "the connection timed out",
        _ => "the proxy failed to connect",
    }
}

/// A socket connected to a local end.
pub(super) type Socket = Either<TcpStream, UnixStream>;

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    #[test]
    fn a_socket_is_in_a_folder_of_its_own_that_is_removed() {
        let local = Local::choose(LocalEnd::Socket).unwrap();
        let folder = local.folder().unwrap().to_owned();
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(local.text(), folder.join("s").display().to_string());
        drop(local);
        assert!(!folder.exists());
    }

    #[test]
    fn a_path_that_a_shell_would_read_otherwise_is_not_used() {
        assert!(is_usable(Path::new("/tmp/pgwatch-aB1/s")));
        for path in ["/tmp/a b/s", "/tmp/$(id)/s", "/tmp/\u{e9}/s"] {
            assert!(!is_usable(Path::new(path)), "{path}");
        }
        assert!(!is_usable(&Path::new("/tmp").join("x".repeat(LONGEST))));
    }

    /// What a SOCKS server is sent for this host, and what we make of its answer.
    async fn asked(host: &str, answer: &[u8]) -> (Vec<u8>, Result<(), Refused>) {
        let local = Local::choose(LocalEnd::Socks).unwrap();
        let listener = UnixListener::bind(local.text()).unwrap();
        let server = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut greeting = [0; 3];
            socket.read_exact(&mut greeting).await.unwrap();
            assert_eq!(greeting, [5, 1, 0]);
            socket.write_all(&[5, 0]).await.unwrap();
            let mut request = vec![0; 300];
            let read = socket.read(&mut request).await.unwrap();
            request.truncate(read);
            socket.write_all(answer).await.unwrap();
            request
        };
        let client = async {
            let mut socket = local.connect().await.unwrap();
            local.greet(&mut socket).await.unwrap();
            let host = Host { name: host.to_owned(), addr: None, port: 5432 };
            local.lead(&mut socket, &host).await
        };
        tokio::join!(server, client)
    }

    #[tokio::test]
    async fn socks_is_told_the_server_and_believed_its_answer() {
        const DONE: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for (host, request) in [
            ("db1", &[5, 1, 0, 3, 3, b'd', b'b', b'1', 0x15, 0x38][..]),
            ("10.0.0.9", &[5, 1, 0, 1, 10, 0, 0, 9, 0x15, 0x38]),
            ("::1", &[5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x15, 0x38]),
        ] {
            let (sent, outcome) = asked(host, DONE).await;
            assert_eq!(sent, request, "{host}");
            assert!(outcome.is_ok(), "{outcome:?}");
        }
        for (answer, why) in [
            (&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0][..], Some("connection refused")),
            (&[5, 9, 0, 1], Some("the proxy failed to connect")),
            (&[], Some("")),
            (&[5, 0, 0, 1, 0], Some("")),
            (b"HTTP/1.1 400", None),
        ] {
            match (asked("db1", answer).await.1, why) {
                (Err(Refused::Unreached(said)), Some(why)) => assert_eq!(said, why),
                (Err(Refused::Not(_)), None) => {}
                (outcome, _) => panic!("{answer:?}: {outcome:?}"),
            }
        }
    }
}
