//! Whether a session that signed tokens speak of is still alive: the seam between a verifier and whoever knows.
//!
//! A signature can't tell. So the first time that a verifier sees a token it asks once ([`Liveness::check`] with
//! `first_sight`): does the session exist, is it live, does it belong to the token's user? From then on only bad
//! news matters, and a source keeps the little that there is in memory: the sessions that ended while a token of
//! theirs may live. A source whose news is too old asks again, and answers [`NotLive::Unavailable`] where it can't:
//! stale news is never trusted in silence.

use std::fmt;
use std::pin::Pin;

use countersign_core::jwt::AccessClaims;

/// Who knows which sessions are alive.
pub trait Liveness: Send + Sync + 'static {
    /// Whether the session that these verified claims name is alive.
    ///
    /// `first_sight` is true until a check of this very token has been answered with `Ok`, and may be true again
    /// later: the memory of it is a bounded cache. At first sight the question is whether `session` exists, is live
    /// and belongs to `user`; afterwards, whether news of its end has come.
    fn check(&self, claims: &AccessClaims, first_sight: bool) -> Answer;
}

/// The answer of a [`Liveness`]: mostly known at once, so that the common case neither waits nor allocates.
#[must_use]
pub enum Answer {
    /// It is known.
    Now(Result<(), NotLive>),
    /// Somebody has to be asked.
    Later(Pin<Box<dyn Future<Output = Result<(), NotLive>> + Send>>),
}

/// Why a session doesn't count as alive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum NotLive {
    /// Nobody has heard of the session or the user, or it isn't this user's session.
    #[error("the session is not known")]
    Unknown,
    /// It ended: by a logout, a theft, a new password, or its time.
    #[error("the session has ended")]
    Ended,
    /// It ended when its user was deactivated or deleted.
    #[error("the user is inactive")]
    UserInactive,
    /// Whoever knows can't be asked right now.
    #[error("whether the session is alive can't be known right now")]
    Unavailable,
}

/// For a service that only verifies: a token counts until it expires, whatever became of its session.
#[derive(Clone, Copy, Default, Debug)]
pub struct NoLiveness;

impl Answer {
    /// An answer that is still to be found.
    pub fn later(answer: impl Future<Output = Result<(), NotLive>> + Send + 'static) -> Self {
        Self::Later(Box::pin(answer))
    }

    /// The answer, when it is there.
    pub async fn wait(self) -> Result<(), NotLive> {
        match self {
            Self::Now(answer) => answer,
            Self::Later(answer) => answer.await,
        }
    }
}

impl Liveness for NoLiveness {
    fn check(&self, _: &AccessClaims, _: bool) -> Answer {
        Answer::Now(Ok(()))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(answer) => write!(f, "Now({answer:?})"),
            Self::Later(_) => f.write_str("Later(…)"),
        }
    }
}
