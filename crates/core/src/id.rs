//! Ids: a user's is a number (people arrive from Django with foreign keys to keep), a session's a UUIDv7.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time::Timestamp;

/// A user's id: positive, never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub i64);

/// A group's id: positive, never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupId(pub i64);

/// A session's id: a UUIDv7, so that sessions lie in the store in the order of their birth.
///
/// It is no secret and no credential: it names a session in both JWTs and in the list of sessions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(Uuid);

/// How often a session has been rotated; a refresh token says which generation it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub i64);

impl SessionId {
    /// A new id for a session that starts `now`, from ten random bytes (RFC 9562, section 5.7).
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// From the sixteen bytes that the store keeps.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The sixteen bytes that the store keeps, and that the CSRF token is made from.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl Generation {
    /// The generation that a login starts with.
    pub const FIRST: Self = Self(1);

    /// The generation after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no session id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a session id: write it as it is listed, 8-4-4-4-12 hexadecimal digits")]
pub struct NotASessionId;

/// Only the one canonical form is taken: lower case, hyphens where they belong.
impl FromStr for SessionId {
    type Err = NotASessionId;

    fn from_str(text: &str) -> Result<Self, NotASessionId> {
        let id = Self(Uuid::try_parse(text).map_err(|_| NotASessionId)?);
        if id.to_string() == text { Ok(id) } else { Err(NotASessionId) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_is_read_only_in_its_canonical_form() {
        let id = SessionId::new(Timestamp::from_secs(1_700_000_000), [7; 10]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse::<SessionId>(), Err(NotASessionId));
        assert_eq!(id.to_string().replace('-', "").parse::<SessionId>(), Err(NotASessionId));
    }

    #[test]
    fn session_ids_sort_by_birth() {
        let early = SessionId::new(Timestamp::from_millis(1000), [255; 10]);
        let late = SessionId::new(Timestamp::from_millis(1001), [0; 10]);
        assert!(early < late);
    }
}
