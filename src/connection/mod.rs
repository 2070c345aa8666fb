//! The connection manager, usable without a terminal: it watches every node, keeps a pool for each, runs one statement
//! on many of them, and reports everything that happens as events.
//!
//! ```no_run
//! use pgwatch::connection::{ConnectionManager, ManagerConfig};
//! use pgwatch::model::{NodeConfig, NodeName};
//!
//! # async fn watch() -> Result<(), Box<dyn std::error::Error>> {
//! let node = NodeConfig::new(NodeName::parse("primary")?, "127.0.0.1");
//! let (handle, mut events) = ConnectionManager::start(ManagerConfig::new(vec![node]));
//! while let Some(event) = events.recv().await {
//!     println!("{event:?}");
//! #   break;
//! }
//! handle.shutdown(false).await;
//! # Ok(())
//! # }
//! ```
//!
//! | loop | where | period | speaks through |
//! | --- | --- | --- | --- |
//! | actor | `manager.rs` | woken by commands, reports, and once a second | `Command` in, `Event` out |
//! | health, one a node | `health/monitor.rs`, on the connection of `health/probe.rs` | `health.interval`, woken by the facts' answers instead while they come as often; while the node is lost, as `health/monitor/reaching.rs` says | reports to the actor, orders from it |
//! | facts, one a node | `facts/poller.rs` | `refresh`, while the node answers | reports to the actor, `SignOfLife` to the health loop |
//! | views, one a node | `views/viewer.rs`, over the sessions of `views/ask.rs` | each view's own while a screen shows it, else that of the rules | reports to the actor |
//! | pool, one a node | `pool/keep.rs` | a third of `idle_timeout`; a socket that closes | `PoolStats`, read by the actor once a second |
//! | tunnel, one for each command | `tunnel.rs` | ends with the command, which is restarted by the backoff | its state, which attempts wait for |
//! | query, one a node and batch | `query.rs` | ends with the statement | reports to the actor |
//!
//! All channels are bounded. Tasks wait while the actor's channel is full; the actor waits for no listener. Events that
//! a listener has not taken stay in its outbox, where newer news of a topic replaces older (`manager/outbox.rs`).

pub mod error;
mod facts;
mod handle;
mod health;
mod manager;
pub mod pool;
pub mod query;
mod report;
mod schedule;
pub mod session;
mod tunnel;
mod views;
mod wire;

pub use handle::{Handle, ManagerConfig};
pub use manager::ConnectionManager;
