//! The life of a session, as pure rules.
//!
//! A session is one row with a *generation* number; a refresh token says which session and which generation it is.
//! [`judge`] says what a refresh token may do. Its rules, in order:
//!
//! 1. An ended session, or one past its time, is never live again.
//! 2. A generation that the store has not reached (a restored backup) is not ours: [`Refusal::Unknown`].
//! 3. The current generation rotates, unless the last rotation (a login counts as one) lies within the grace: then
//!    it is answered as it is, so that a page that starts twice rotates once.
//! 4. The generation just before is answered with the *current* one, never with another branch: within the grace to
//!    anyone (racing tabs), after it only to a client that repeats the `Idempotency-Key` of a request that was
//!    answered with the current one (a lost answer).
//! 5. Anything else has been used up by someone: [`Refusal::Reused`] is theft, and the whole session ends.
//!
//! A store does the common case in one statement whose `WHERE` is [`Session::is_due`]; the behaviour suite proves
//! that the statement and this module agree.

use crate::client::Client;
use crate::id::{Generation, SessionId, UserId};
use crate::time::{Seconds, Timestamp};

/// How many `Idempotency-Key`s of one rotation are remembered.
pub const REPLAY_KEYS: usize = 4;

/// The longest life of a session whose login said `remember: false`.
const UNREMEMBERED_LIFETIME: Seconds = Seconds(12 * 60 * 60);

/// A session, as the store keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// How its tokens reach the client; fixed for life.
    pub delivery: Delivery,
    /// Whether its cookies outlive the browser's window.
    pub remember: bool,
    /// The login. Also the tokens' `auth_time`.
    pub created_at: Timestamp,
    /// When it ends, however often it is rotated.
    pub ends_at: Timestamp,
    /// The current generation.
    pub generation: Generation,
    /// When the current generation was made.
    pub rotated_at: Timestamp,
    /// When the current generation's refresh token expires; never past `ends_at`.
    pub refresh_expires_at: Timestamp,
    /// Who made the current generation.
    pub client: Client,
    /// Hashes of the `Idempotency-Key`s of requests of the generation before that were answered with this one.
    pub replay_keys: Vec<ReplayKey>,
    /// When and why it ended, if it did.
    pub ended: Option<Ended>,
}

/// How a session's tokens reach the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// The refresh token in an `HttpOnly` cookie, countersigned by the CSRF token: for browsers.
    Cookie,
    /// The refresh token in the body, for clients with a secure storage of their own.
    Body,
}

/// The SHA-256 of an `Idempotency-Key`.
pub type ReplayKey = [u8; 32];

/// The end of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: EndReason,
}

/// Why a session ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EndReason {
    /// The client logged out.
    Logout,
    /// The client logged in again.
    Replaced,
    /// The user ended it from the list of sessions.
    EndedByUser,
    /// Someone with the right to ended it: the admin site or the command line.
    EndedByStaff,
    /// The password was changed.
    PasswordChanged,
    /// A refresh token was used twice.
    Theft,
    /// The user was deactivated.
    UserDeactivated,
    /// The user was deleted.
    UserDeleted,
}

/// The spans that rotation goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RotationPolicy {
    /// How long a rotation is answered again (`rotation_grace`).
    pub grace: Seconds,
    /// The life of a refresh token (`refresh_token_lifetime`).
    pub refresh_lifetime: Seconds,
    /// The clock skew that is allowed (`leeway`).
    pub leeway: Seconds,
}

/// What a refresh token may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Move the session one generation on.
    Rotate,
    /// Answer with the current generation, as it stands.
    AnswerCurrent(Answer),
    /// Refuse. [`Refusal::Reused`] also ends the session.
    Refuse(Refusal),
}

/// Why a token is answered with a current generation that it didn't make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It is the current generation, and too young to rotate.
    TooYoung,
    /// It is the generation before, within the grace. Its `Idempotency-Key`, if it has a new one and there is
    /// room, is remembered.
    Grace {
        /// Whether the key is to be remembered.
        remember_key: bool,
    },
    /// It is the generation before, past the grace, and repeats a remembered key.
    Replay,
}

/// Why a token is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The store knows nothing of this session or generation, or another user owns it.
    Unknown,
    /// The session ended.
    Ended,
    /// The session ended because its user was deactivated or deleted.
    UserInactive,
    /// The generation was used up: theft.
    Reused,
}

/// What a login says about the session that it starts.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The new session's id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// How its tokens reach the client.
    pub delivery: Delivery,
    /// Whether it may outlive the browser's window.
    pub remember: bool,
    /// Who logged in.
    pub client: Client,
    /// The longest life (`session_lifetime`).
    pub lifetime: Seconds,
}

impl Session {
    /// A session that starts `now`.
    pub fn start(new: NewSession, policy: &RotationPolicy, now: Timestamp) -> Self {
        let lifetime = if new.remember { new.lifetime } else { new.lifetime.min(UNREMEMBERED_LIFETIME) };
        let ends_at = now + lifetime;
        Self {
            id: new.id,
            user: new.user,
            delivery: new.delivery,
            remember: new.remember,
            created_at: now,
            ends_at,
            generation: Generation::FIRST,
            rotated_at: now,
            refresh_expires_at: ends_at.min(now + policy.refresh_lifetime),
            client: new.client,
            replay_keys: Vec::new(),
            ended: None,
        }
    }

    /// The session one generation on.
    #[must_use]
    pub fn rotated(
        self,
        client: Client,
        key: Option<ReplayKey>,
        policy: &RotationPolicy,
        now: Timestamp,
    ) -> Self {
        Self {
            generation: self.generation.next(),
            rotated_at: now,
            refresh_expires_at: self.ends_at.min(now + policy.refresh_lifetime),
            client,
            replay_keys: key.into_iter().collect(),
            ..self
        }
    }

    /// The session, ended. One that has ended keeps its first end.
    #[must_use]
    pub fn ended(self, reason: EndReason, now: Timestamp) -> Self {
        Self { ended: self.ended.or(Some(Ended { at: now, reason })), ..self }
    }

    /// Whether the session still lives: nobody ended it, and its time is not over.
    pub fn liveness(&self, leeway: Seconds, now: Timestamp) -> Result<(), Refusal> {
        match self.ended {
            Some(ended) => Err(ended.reason.refusal()),
            None if self.refresh_expires_at.min(self.ends_at) <= now - leeway => Err(Refusal::Ended),
            None => Ok(()),
        }
    }

    /// Whether the current generation is old enough to rotate.
    ///
    /// A clock that was set back far beyond the grace doesn't stop rotation until it has caught up.
    pub fn is_due(&self, policy: &RotationPolicy, now: Timestamp) -> bool {
        !self.within_grace(policy, now)
    }

    fn within_grace(&self, policy: &RotationPolicy, now: Timestamp) -> bool {
        now.millis().abs_diff(self.rotated_at.millis()) < policy.grace.millis().unsigned_abs()
    }
}

/// What a refresh token of this generation, with this `Idempotency-Key`, may do to this session `now`.
///
/// The token's signature, expiry and countersignature have been checked before.
pub fn judge(
    session: &Session,
    presented: Generation,
    key: Option<&ReplayKey>,
    policy: &RotationPolicy,
    now: Timestamp,
) -> Verdict {
    if let Err(refusal) = session.liveness(policy.leeway, now) {
        return Verdict::Refuse(refusal);
    }
    if presented > session.generation {
        return Verdict::Refuse(Refusal::Unknown);
    }
    if presented == session.generation {
        return if session.is_due(policy, now) {
            Verdict::Rotate
        } else {
            Verdict::AnswerCurrent(Answer::TooYoung)
        };
    }
    if presented.next() != session.generation {
        return Verdict::Refuse(Refusal::Reused);
    }
    let remembered = key.is_some_and(|key| session.replay_keys.contains(key));
    if session.within_grace(policy, now) {
        let room = session.replay_keys.len() < REPLAY_KEYS;
        return Verdict::AnswerCurrent(Answer::Grace { remember_key: key.is_some() && !remembered && room });
    }
    if remembered { Verdict::AnswerCurrent(Answer::Replay) } else { Verdict::Refuse(Refusal::Reused) }
}

impl EndReason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Logout,
        Self::Replaced,
        Self::EndedByUser,
        Self::EndedByStaff,
        Self::PasswordChanged,
        Self::Theft,
        Self::UserDeactivated,
        Self::UserDeleted,
    ];

    /// Its name in the store, the audit and the logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Replaced => "replaced",
            Self::EndedByUser => "ended_by_user",
            Self::EndedByStaff => "ended_by_staff",
            Self::PasswordChanged => "password_changed",
            Self::Theft => "theft",
            Self::UserDeactivated => "user_deactivated",
            Self::UserDeleted => "user_deleted",
        }
    }

    /// The reason of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// What a client of a session that ended so is told.
    pub const fn refusal(self) -> Refusal {
        match self {
            Self::UserDeactivated | Self::UserDeleted => Refusal::UserInactive,
            Self::Logout
            | Self::Replaced
            | Self::EndedByUser
            | Self::EndedByStaff
            | Self::PasswordChanged
            | Self::Theft => Refusal::Ended,
        }
    }
}

impl Delivery {
    /// Its name in the store and in `token_delivery`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Body => "body",
        }
    }

    /// The delivery of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Cookie, Self::Body].into_iter().find(|delivery| delivery.as_str() == name)
    }
}
