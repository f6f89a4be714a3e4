//! The two JWTs from outside, through the public face of `jwt`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy.toml exempts #[test] functions only, not the helpers beside them"
)]

mod attacks;
mod claims;
mod forge;
mod keys;
mod properties;
mod round_trip;
mod support;
