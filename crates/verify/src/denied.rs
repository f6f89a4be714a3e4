//! Why a private route isn't answered.

use crate::csrf::CsrfFailure;
use crate::problem::{Challenge, Problem};

/// One variant for each answer, in the order in which they are looked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum Denied {
    /// No `Authorization` header, or an empty one.
    #[error("no credentials were sent")]
    NotAuthenticated,
    /// The scheme stands alone: answered as [`Denied::TokenPrefixMissing`], but no token was sent.
    #[error("no token follows the scheme")]
    TokenMissing,
    /// A single word that is no scheme: a token without one.
    #[error("the token has no scheme")]
    TokenPrefixMissing,
    /// The token was good once.
    #[error("the token has expired")]
    TokenExpired,
    /// Anything else about the token. The client learns no more than that.
    #[error("the token is not valid")]
    TokenInvalid,
    /// An unsafe method without this session's countersignature.
    #[error("the request is not countersigned")]
    CsrfFailed(#[from] CsrfFailure),
    /// The token is good, its session is over.
    #[error("the session has ended")]
    SessionEnded,
    /// The session is over since its user was deactivated or deleted.
    #[error("the user is inactive")]
    UserInactive,
    /// Whether the session lives can't be known right now.
    #[error("the session can't be checked right now")]
    Unavailable,
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NotAuthenticated => Self::not_authenticated(),
            Denied::TokenMissing => Self::token_prefix_missing().with_challenge(Challenge::Bare),
            Denied::TokenPrefixMissing => Self::token_prefix_missing(),
            Denied::TokenExpired => Self::token_expired(),
            Denied::TokenInvalid => Self::token_invalid(),
            Denied::CsrfFailed(failure) => Self::csrf_failed(failure),
            Denied::SessionEnded => Self::session_ended(),
            Denied::UserInactive => Self::user_inactive(),
            Denied::Unavailable => Self::unavailable(),
        }
    }
}
