//! The program, as those who run it meet it: the real binary, a folder of its own, an empty environment, free ports.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml exempts #[test] functions only, not the helpers beside them"
)]

mod check;
mod demo;
mod doctor;
mod export;
mod fields;
mod people;
mod postgres;
mod proxy;
mod serve;
mod support;
mod tools;
