//! For tests alone: real PostgreSQL clusters, started and thrown away.
//!
//! A test depends on it as a dev-dependency; no program does. What goes wrong here is a failed test, so functions
//! panic and say why.

#![allow(clippy::panic, clippy::expect_used, reason = "whoever calls is a test, and a panic is how it fails")]

mod cluster;
mod pooler;
mod programs;
mod watchdog;

pub use cluster::{Cluster, Frozen};
pub use pooler::Pooler;
pub use programs::Programs;

use std::net::TcpListener;

/// A TCP port of the loopback that was free a moment ago, for programs that can't choose one by themselves.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("no free port");
    listener.local_addr().expect("no address").port()
}
