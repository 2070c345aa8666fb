//! The support code of tests on real servers: clusters, a proxy that spoils the network, a terminal to read, deadlines.
//!
//! A test file includes it with `mod support;`. Everything blocks except [`wait::eventually`]; in an asynchronous test
//! with one thread call the slow parts through `tokio::task::spawn_blocking`, or give it two threads.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(unreachable_pub, reason = "a test file is a crate of its own")]

pub mod churn;
pub mod command;
pub mod fake;
pub mod faketime;
pub mod here;
pub mod judged;
pub mod pooler;
pub mod process;
pub mod proxy;
pub mod pty;
pub mod quiet;
pub mod report;
pub mod servers;
pub mod stage;
pub mod stream;
pub mod tls;
pub mod wait;
pub mod watched;
