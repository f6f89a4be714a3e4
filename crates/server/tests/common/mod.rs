//! What several of the test programs here share, beside `cli/support.rs`.

pub(crate) mod dice;
pub(crate) mod http;
pub(crate) mod nginx;
pub(crate) mod server;
pub(crate) mod user;
