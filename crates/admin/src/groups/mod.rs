//! Groups and permissions.

pub(crate) mod group;
pub(crate) mod list;
pub(crate) mod permissions;
