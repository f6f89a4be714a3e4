//! The use cases.

pub mod password;
