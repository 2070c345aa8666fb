//! Plain facts that both halves of the program share: nodes, health, pools, rows, and the protocol between the
//! connection manager and its listeners. No I/O, no clock, nothing of a terminal: times are passed in with the facts.

pub mod alert;
pub mod change;
pub mod condition;
pub mod connect;
pub mod contained;
pub mod error;
pub mod facts;
pub mod figures;
pub mod health;
pub mod history;
pub mod name;
pub mod node;
pub mod pool;
pub mod protocol;
pub mod rates;
pub mod rows;
pub mod secret;
pub mod theme;
pub mod tls;
pub mod tunnel;
pub mod verdict;
pub mod view;

pub use alert::{Alert, AlertSeverity, Rule};
pub use change::{Change, Severity};
pub use condition::Condition;
pub use connect::{AuthMethod, AuthMethods, ConnectConfig, Host, SessionAttrs, TcpConfig};
pub use error::{ErrorKind, NodeError};
pub use facts::{Facts, Role, ServerFacts};
pub use health::{Health, HealthState};
pub use name::{InvalidName, NodeName, membership, quoted};
pub use node::{HealthConfig, NodeConfig, PasswordSource, PoolConfig, Thresholds};
pub use pool::{PoolStats, ProbeStats};
pub use protocol::{BatchId, Command, Event, EventKind};
pub use rows::{Column, RowSet};
pub use secret::Secret;
pub use theme::{ColorRole, Rgb, THEMES};
pub use tls::{ChannelBinding, RootCert, SslMode, TlsConfig, TlsVersion};
pub use tunnel::TunnelConfig;
pub use verdict::{Grade, LagSummary, NotJudged, Verdict};
pub use view::View;
