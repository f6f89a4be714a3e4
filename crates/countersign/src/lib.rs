//! Countersign: self-hosted authentication for browser apps, mobile and desktop apps over an HTTP API.

pub mod http;
pub mod service;
pub mod settings;

/// The refresh cookie's name, before its prefix.
pub const REFRESH_COOKIE: &str = "refreshtoken";
