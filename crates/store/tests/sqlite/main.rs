//! What only SQLite has: a file that others may hold, break or fill, and one writer for all.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test they are assertions; clippy.toml's exemption doesn't reach an integration test's helpers"
)]

#[path = "../support/mod.rs"]
mod support;

mod checkpoints;
mod child;
mod crash;
mod embedded;
mod file;
mod opening;
mod processes;
mod writer;
