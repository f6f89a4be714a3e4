//! Several nodes over one PostgreSQL: the real program, a real cluster, a real nginx; each of them killed in turn.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml exempts #[test] functions only, not the helpers beside them"
)]

#[path = "../cli/support.rs"]
#[allow(dead_code, reason = "the other test programs use all of it")]
mod support;

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "the other test programs use all of it")]
mod common;

mod database;
mod failover;
mod guesses;
mod load;
mod node_dies;
mod nodes;
mod race;
mod shared;
mod unready;
