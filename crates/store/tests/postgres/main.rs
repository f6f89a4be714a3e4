//! What the PostgreSQL engine does besides what every engine does: connections, TLS, trouble with the server, and what
//! several nodes share.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test they are assertions; clippy.toml's exemption doesn't reach an integration test's helpers"
)]

#[path = "../support/mod.rs"]
mod support;

mod connecting;
mod nodes;
mod standby;
mod tls;
mod trouble;

use std::time::Duration;

use countersign_store::Store;
use countersign_store::postgres::{OpenError, Opening, Postgres};

/// A node, with this much patience.
async fn open_with(url: &str, opening: &Opening) -> Result<Store, OpenError> {
    Postgres::open(url.parse().unwrap(), opening).await.map(Store::Postgres)
}

/// A node that is patient enough for a busy machine.
async fn open(url: &str) -> Store {
    open_with(url, &Opening { patience: Duration::from_secs(20), ..Opening::usual() }).await.unwrap()
}
