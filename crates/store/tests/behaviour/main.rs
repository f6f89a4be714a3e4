//! What every engine of the store does, written against its face alone: a new engine joins by one line in
//! `support::stores`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test they are assertions; clippy.toml's exemption doesn't reach an integration test's helpers"
)]

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod audit;
mod batches;
mod cleanup;
mod copy;
mod counts;
mod fields;
mod import;
mod keys;
mod login;
mod meta;
mod model;
mod news;
mod people;
mod rotation;
mod sessions;
mod users;
