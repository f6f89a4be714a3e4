//! The admin site as a browser meets it, but without the browser.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test they are assertions; clippy.toml's exemption doesn't reach an integration test's helpers"
)]

mod custom_fields;
mod forged;
mod forms;
mod log;
mod markup;
mod reading;
mod roles;
mod session;
mod set_up;
mod support;
