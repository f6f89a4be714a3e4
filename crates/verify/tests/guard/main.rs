//! The guarding layer from outside: a small axum router behind it, and whoever calls.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy.toml exempts #[test] functions only, not the helpers beside them"
)]

mod contract;
mod forgeries;
mod memory;
mod rights;
mod routes;
mod support;
