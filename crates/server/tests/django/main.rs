//! A real Django project, made by Django, and its users brought in by the real program.
//!
//! `project/` is the project and `project.py` makes it; the Python around it is prepared once, below `target/`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml exempts #[test] functions only, not the helpers beside them"
)]

#[path = "../cli/support.rs"]
#[expect(dead_code, reason = "shared with the tests of the command line, which use all of it")]
mod support;

mod import;
mod python;
mod trusting;
