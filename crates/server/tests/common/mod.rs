//! What several of the test programs here share, beside `cli/support.rs`.

pub(crate) mod nginx;
