//! The rules of Countersign, as pure functions: `now` and randomness are arguments, nothing here does I/O.
//!
//! A login gives three tokens, kept in three places: a short access JWT in memory, a long refresh JWT in an
//! `HttpOnly` cookie, and a CSRF token whose SHA-256 both JWTs carry, so that it *countersigns* them.
//!
//! - [`session`]: the life cycle of a session: rotation, grace, theft.
//! - [`jwt`]: the strict JWT parser and verifier, and the claims of both tokens.
//! - [`csrf`]: the countersignature.
//! - [`admin`]: the life of a session of the admin site.
//! - [`client`]: who is at the other end.
//! - [`fields`]: custom user fields: what they take, and who may write them.
//! - [`guess`]: how many failed passwords are too many.
//! - [`name`]: user names and e-mail addresses.
//! - [`rights`]: permissions, groups, and who may change whose.
//! - [`origin`]: web origins, and who may call from which.
//! - [`json`]: JSON as we take it from strangers: no duplicate members, a bounded depth.

pub mod admin;
pub mod client;
pub mod csrf;
pub mod fields;
pub mod guess;
pub mod id;
pub mod json;
pub mod jwt;
pub mod name;
pub mod origin;
pub mod rights;
pub mod secret;
pub mod session;
pub mod time;

pub use client::{Client, Network};
pub use id::{Generation, GroupId, SessionId, UserId};
pub use rights::{BuiltIn, ClaimsRoom, GroupName, PermissionName, Rights};
pub use secret::Secret;
pub use time::{Clock, Seconds, Timestamp};
