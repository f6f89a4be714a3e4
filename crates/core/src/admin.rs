//! The life of a session of the admin site, as pure rules.
//!
//! It is not a session of the API: an opaque token in a cookie of its own, that the store knows by its hash, in use by
//! people alone. So it can be asked for at every request, and needs neither generations nor signatures.
//!
//! 1. It ends [`IDLE`] after its last use, and [`LIFETIME`] after the sign-in, whatever its use.
//! 2. Its use is written down at most once in [`STEP`], so that reading pages isn't writing; it may so end that much
//!    earlier, never later.
//! 3. What can't be undone, or lifts somebody, asks for the password again [`PROOF`] after it was last given.

use std::fmt;

use crate::client::Client;
use crate::id::UserId;
use crate::secret::sha256;
use crate::time::{Seconds, Timestamp};

/// How long a session lives without being used.
pub const IDLE: Seconds = Seconds(30 * 60);
/// How long a session lives at most.
pub const LIFETIME: Seconds = Seconds(12 * 60 * 60);
/// How long a password that was given is proof enough.
pub const PROOF: Seconds = Seconds(10 * 60);
/// How exactly the last use is known.
pub const STEP: Seconds = Seconds(60);

/// What the store knows a session by: the SHA-256 of its token. Whoever reads the store can't sign in with it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AdminSessionId([u8; 32]);

/// A session of the admin site, as the store keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdminSession {
    /// The hash of its token.
    pub id: AdminSessionId,
    /// Whose it is.
    pub user: UserId,
    /// The sign-in.
    pub created_at: Timestamp,
    /// The last use that was written down.
    pub used_at: Timestamp,
    /// When the password was last given.
    pub proved_at: Timestamp,
    /// Who signed in.
    pub client: Client,
}

impl AdminSessionId {
    /// Of a token, as the cookie carries it.
    pub fn of(token: &[u8]) -> Self {
        Self(sha256(token))
    }

    /// From the bytes that the store keeps.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes that the store keeps.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl AdminSession {
    /// A session that begins with a sign-in.
    pub fn start(id: AdminSessionId, user: UserId, client: Client, now: Timestamp) -> Self {
        Self { id, user, created_at: now, used_at: now, proved_at: now, client }
    }

    /// Whether it may be used.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.used_at + IDLE && now < self.created_at + LIFETIME
    }

    /// Whether this use is to be written down.
    pub fn is_to_be_touched(&self, now: Timestamp) -> bool {
        now >= self.used_at + STEP
    }

    /// Whether the password was given lately enough.
    pub fn is_proved(&self, now: Timestamp) -> bool {
        now < self.proved_at + PROOF
    }
}

impl fmt::Debug for AdminSessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminSessionId(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn session() -> AdminSession {
        AdminSession::start(AdminSessionId::of(b"token"), UserId(1), Client::default(), START)
    }

    #[test]
    fn it_ends_half_an_hour_after_its_last_use() {
        let mut session = session();
        assert!(session.is_live(START + Seconds(1799)));
        assert!(!session.is_live(START + Seconds(1800)));
        session.used_at = START + Seconds(1799);
        assert!(session.is_live(START + Seconds(1800)));
    }

    #[test]
    fn it_ends_after_twelve_hours_whatever_its_use() {
        let mut session = session();
        session.used_at = START + Seconds(12 * 3600 - 1);
        assert!(session.is_live(START + Seconds(12 * 3600 - 1)));
        assert!(!session.is_live(START + Seconds(12 * 3600)));
    }

    #[test]
    fn its_use_is_written_down_once_a_minute() {
        assert!(!session().is_to_be_touched(START + Seconds(59)));
        assert!(session().is_to_be_touched(START + Seconds(60)));
    }

    #[test]
    fn the_password_is_proof_for_ten_minutes() {
        assert!(session().is_proved(START + Seconds(599)));
        assert!(!session().is_proved(START + Seconds(600)));
    }

    #[test]
    fn an_id_does_not_show_itself() {
        assert_eq!(format!("{:?}", session().id), "AdminSessionId(…)");
    }
}
