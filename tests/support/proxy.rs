//! A TCP proxy in front of a server that spoils the network: cut without a word in both directions or in one, refused,
//! reset, slow, or accepting and never answering. It runs on its own thread, outside any runtime of the test.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// What happens to the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// They pass.
    Up,
    /// No byte passes and nothing is closed, as with a pulled cable or a firewall that drops packets.
    Blackhole,
    /// What the client sends is dropped silently.
    BlackholeToServer,
    /// What the server sends is dropped silently.
    BlackholeToClient,
    /// Old connections go on; new ones are accepted and never answered.
    HangNew,
    /// Every chunk is delayed by this much, in each direction.
    Delay(Duration),
}

impl Link {
    fn passes(self, way: Way) -> bool {
        match self {
            Self::Up | Self::HangNew | Self::Delay(_) => true,
            Self::Blackhole => false,
            Self::BlackholeToServer => way == Way::ToClient,
            Self::BlackholeToClient => way == Way::ToServer,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

enum Door {
    Open(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

/// The proxy; dropping it closes everything.
pub struct Proxy {
    port: u16,
    link: watch::Sender<Link>,
    /// Counts resets.
    reset: watch::Sender<u32>,
    /// The port of the server.
    server: Arc<AtomicU16>,
    /// How often clients have sent something.
    questions: Arc<AtomicU64>,
    door: mpsc::UnboundedSender<Door>,
    runtime: Option<Runtime>,
}

impl Proxy {
    /// Listens on a free port and forwards everything to this port of 127.0.0.1.
    pub fn to(server_port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (link, link_seen) = watch::channel(Link::Up);
        let (reset, reset_seen) = watch::channel(0);
        let (door, doors) = mpsc::unbounded_channel();
        let (port_known, port) = std::sync::mpsc::channel();
        let server = Arc::new(AtomicU16::new(server_port));
        let behind = Arc::clone(&server);
        let questions = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&questions);
        runtime.spawn(async move {
            let listener = listen_somewhere().await;
            port_known.send(listener.local_addr().unwrap().port()).unwrap();
            serve(listener, &behind, &counted, doors, link_seen, reset_seen).await;
        });
        Self { port: port.recv().unwrap(), link, reset, server, questions, door, runtime: Some(runtime) }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// How often clients have sent something so far, over all connections.
    pub fn questions(&self) -> u64 {
        self.questions.load(Ordering::Relaxed)
    }

    /// Changes what happens to the bytes, at once and for every connection. Bytes that were held back pass when the
    /// link is up again.
    pub fn set(&self, link: Link) {
        self.link.send_replace(link);
    }

    /// Forwards new connections to this port: another server at the same address.
    pub fn point(&self, server_port: u16) {
        self.server.store(server_port, Ordering::Relaxed);
    }

    /// Closes the port: new connections are refused, old ones go on.
    pub fn refuse(&self) {
        self.through(Door::Close);
        // A child process that another thread is starting holds a copy of the socket until it calls exec.
        super::wait::wait_for("the port is closed", super::wait::SOON, || {
            let refused = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).err()?;
            (refused.kind() == io::ErrorKind::ConnectionRefused).then_some(())
        });
    }

    /// Opens the port again.
    pub fn accept(&self) {
        self.through(Door::Open);
    }

    /// Ends every connection with RST, on both sides.
    pub fn reset(&self) {
        self.reset.send_modify(|count| *count += 1);
    }

    fn through(&self, door: impl FnOnce(oneshot::Sender<()>) -> Door) {
        let (done, mut wait) = oneshot::channel();
        self.door.send(door(done)).unwrap();
        super::wait::wait_for("the proxy's door moves", super::wait::SOON, || wait.try_recv().ok());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Below the ports that the kernel uses for outgoing connections, which could connect to themselves there.
async fn listen_somewhere() -> TcpListener {
    loop {
        if let Ok(listener) = listen(fastrand::u16(12_000..32_000)).await {
            return listener;
        }
    }
}

async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

async fn serve(
    listener: TcpListener,
    server: &AtomicU16,
    questions: &Arc<AtomicU64>,
    mut doors: mpsc::UnboundedReceiver<Door>,
    link: watch::Receiver<Link>,
    reset: watch::Receiver<u32>,
) {
    let port = listener.local_addr().unwrap().port();
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Ok((client, _)) = accepted => {
                let server = server.load(Ordering::Relaxed);
                connections.spawn(connection(client, server, Arc::clone(questions), link.clone(), reset.clone()));
            }
            door = doors.recv() => match door {
                Some(Door::Close(done)) => {
                    listener = None;
                    let _ = done.send(());
                }
                Some(Door::Open(done)) => {
                    if listener.is_none() {
                        listener = Some(listen(port).await.expect("the proxy's port is free"));
                    }
                    let _ = done.send(());
                }
                None => return,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(
    client: TcpStream,
    server_port: u16,
    questions: Arc<AtomicU64>,
    mut link: watch::Receiver<Link>,
    mut reset: watch::Receiver<u32>,
) {
    reset.mark_unchanged();
    client.set_nodelay(true).unwrap();
    let connect = async {
        // The connection hangs here for good, so that a link that recovers answers only later ones.
        if *link.borrow() == Link::HangNew {
            std::future::pending::<()>().await;
        }
        link.wait_for(|link| link.passes(Way::ToServer)).await.ok()?;
        TcpStream::connect((Ipv4Addr::LOCALHOST, server_port)).await.ok()
    };
    let server = tokio::select! {
        server = connect => server,
        _ = reset.changed() => {
            let _ = client.set_zero_linger();
            return;
        }
    };
    // A server that refuses would look like a connection that closes at once; refuse() really refuses.
    let Some(server) = server else { return };
    server.set_nodelay(true).unwrap();
    // Only borrowed below: after a reset both sockets must still be here to be closed with RST.
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let both = async {
        tokio::join!(
            pump(&mut from_client, &mut to_server, Way::ToServer, link.clone(), Some(&questions)),
            pump(&mut from_server, &mut to_client, Way::ToClient, link.clone(), None),
        )
    };
    tokio::select! {
        _ = both => {}
        _ = reset.changed() => {
            let _ = from_client.as_ref().set_zero_linger();
            let _ = from_server.as_ref().set_zero_linger();
            // Dropping them would close the connection in order first.
            to_client.forget();
            to_server.forget();
        }
    }
}

/// Forwards one direction until its sender is done, and then shuts down the receiver's side. Delayed chunks travel in
/// parallel: the link has a high latency, not a low bandwidth.
async fn pump(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    way: Way,
    link: watch::Receiver<Link>,
    counter: Option<&AtomicU64>,
) {
    let (queue, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(256);
    let read = async {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            if let Some(counter) = counter {
                counter.fetch_add(1, Ordering::Relaxed);
            }
            let delay = match *link.borrow() {
                Link::Delay(delay) => delay,
                _ => Duration::ZERO,
            };
            if queue.send((Instant::now() + delay, buffer[..count].to_vec())).await.is_err() {
                break;
            }
        }
        drop(queue);
    };
    let write = async {
        let mut link = link.clone();
        while let Some((at, bytes)) = due.recv().await {
            sleep_until(at).await;
            if link.wait_for(|link| link.passes(way)).await.is_err() || to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let _ = link.wait_for(|link| link.passes(way)).await;
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}
