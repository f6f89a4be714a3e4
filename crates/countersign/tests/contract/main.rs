//! The contract, sentence by sentence: HTTP against the real router and a real SQLite file, told by actors.
//!
//! One binary, so that it is linked once. A file a chapter; each test's name is a sentence of the contract.

#![expect(unreachable_pub, reason = "a test's modules are reached by nobody")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

mod any_bytes;
mod audit;
mod body_delivery;
mod ceiling;
mod conventions;
mod copy;
mod csrf;
mod docs;
mod document;
mod every_route;
mod fields;
mod forge;
mod forgeries;
mod guessing;
mod indistinguishable;
mod keys;
mod log;
mod login;
mod logout;
mod new_session;
mod operations;
mod origins;
mod overload;
mod password;
mod people;
mod private_routes;
mod profile;
mod refresh;
mod rights;
mod rotation;
mod secrets;
mod sessions;
mod story;
mod support;
mod tokens;
mod unavailable;
