//! What is asked of the store about sessions, and what it answers.

use countersign_core::session::{Answer, EndReason, Ended, Refusal, ReplayKey, Session};
use countersign_core::{ClaimsRoom, Client, Generation, Network, Rights, SessionId, UserId};

use crate::user::{Password, PasswordHash, User};

/// What a login does besides starting a session.
#[derive(Clone, Debug)]
pub struct Login {
    /// The hash that the password was checked against: if it has changed since, so has the password.
    pub checked: PasswordHash,
    /// The same password under today's hashing, if the stored hash is an old one.
    pub upgraded: Option<Password>,
    /// Older sessions of this browser, which end.
    pub replaces: Vec<SessionId>,
    /// Where the login came from.
    pub network: Network,
    /// Whether the answer is to say what the user may do, and how much there is room for.
    pub wants_rights: Option<ClaimsRoom>,
}

/// What became of a session that was to start.
#[expect(clippy::large_enum_variant, reason = "the large one is the usual one, and each is soon taken apart")]
#[derive(Clone, PartialEq, Debug)]
pub enum StartOutcome {
    /// It has started. With the user as they are now, and those sessions that ended with it.
    Started {
        /// The user.
        user: User,
        /// What they may do, if the login wanted to know.
        rights: Option<Rights>,
        /// The sessions that ended in the same transaction.
        ended: Vec<SessionId>,
    },
    /// The user was deactivated or deleted, or the password changed, between the check and now. Nothing has changed.
    NoLonger,
    /// There is no room for what the user may do. Nothing has changed.
    TooManyRights,
}

/// A refresh token that verified: what it says, and who brought it.
#[derive(Clone, Debug)]
pub struct Rotate {
    /// The session that it names.
    pub session: SessionId,
    /// The user that it names.
    pub user: UserId,
    /// The generation that it is.
    pub generation: Generation,
    /// The hash of the request's `Idempotency-Key`.
    pub key: Option<ReplayKey>,
    /// Who brought it.
    pub client: Client,
    /// Whether the answer is to say what the user may do, and how much there is room for.
    pub wants_rights: Option<ClaimsRoom>,
}

/// What became of a use of a refresh token.
#[derive(Clone, PartialEq, Debug)]
pub enum Rotation {
    /// The session is one generation on.
    Rotated {
        /// As it is now.
        session: Session,
        /// Its user.
        user: User,
        /// What they may do, if it was asked for.
        rights: Option<Rights>,
    },
    /// The session is as it was, and the current generation is to be answered.
    Answered {
        /// As it is.
        session: Session,
        /// Its user.
        user: User,
        /// What they may do, if it was asked for.
        rights: Option<Rights>,
        /// Why.
        answer: Answer,
    },
    /// Refused. With [`Refusal::Reused`] the session has ended, just now, and the audit has it.
    Refused(Refusal),
    /// There is no room for what the user may do. Nothing has changed, and the token stays as good as it was.
    TooManyRights,
}

/// What became of a session that was to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndOutcome {
    /// It has ended, just now.
    Ended(SessionId),
    /// It had ended before.
    AlreadyEnded(Ended),
    /// There is no such session, or it belongs to someone else.
    Unknown,
}

impl EndOutcome {
    /// Whether the session ended by this very call, and for this reason.
    pub fn is_new(self) -> bool {
        matches!(self, Self::Ended(_))
    }
}

/// A session's end, as the news tell it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionEnd {
    /// Which.
    pub session: SessionId,
    /// Why.
    pub reason: EndReason,
}
