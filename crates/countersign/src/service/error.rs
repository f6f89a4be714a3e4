//! Why a use case was refused: one variant for each thing that a caller can do about it.
//!
//! `http::error` says what a client sees of each; the command line prints their sentences.

use countersign_core::Seconds;
use countersign_core::session::Refusal;
use countersign_store::{ProfileError, StoreError};
use countersign_verify::CsrfFailure;

use super::derive::CryptoFailure;
use super::keys::KeyError;
use super::people::Denied;
use super::tokens::IssueError;

pub use countersign_core::fields::FieldErrors;

/// Why a use case was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A login without a user name or a password.
    #[error("username and password required")]
    MissingCredentials,
    /// A login with a name and a password that don't belong together, or of an inactive user: never said which.
    #[error("the user name or the password is wrong")]
    InvalidCredentials,
    /// Too many failed passwords.
    #[error("too many failed attempts; try again in {} seconds", .0.0)]
    Throttled(Seconds),
    /// The hashing queue is full.
    #[error("too many logins at this moment; try again soon")]
    Overloaded,
    /// No token came along, or several and no way to tell which counts.
    #[error("Authentication credentials were not provided.")]
    NotAuthenticated,
    /// The refresh token doesn't verify, or the store never heard of it.
    #[error("invalid refresh token, please login again.")]
    RefreshTokenInvalid,
    /// The refresh token's time is over.
    #[error("expired refresh token, please login again.")]
    RefreshTokenExpired,
    /// What the user may do doesn't fit into an access token, as `claims_include` has it.
    #[error(
        "this user has more groups and permissions than fit into an access token; whoever runs the server gives them \
         fewer, or changes claims_include"
    )]
    TooManyRights,
    /// The CSRF header is missing, or isn't this session's.
    #[error("{0}")]
    CsrfFailed(CsrfFailure),
    /// The session ended.
    #[error("the session has ended, please login again.")]
    SessionEnded,
    /// The session ended because its user was deactivated or deleted.
    #[error("user is inactive")]
    UserInactive,
    /// The refresh token was used before: theft, and the session has ended.
    #[error("this refresh token was used before, so its session was ended; please login again.")]
    RefreshTokenReused,
    /// The password beside a change is wrong.
    #[error("the password is wrong")]
    WrongPassword,
    /// The new password won't do; why.
    #[error("the new password won't do")]
    InvalidPassword(Vec<String>),
    /// Fields that won't do; why.
    #[error("some fields won't do")]
    InvalidFields(FieldErrors),
    /// Who acts may not do that.
    #[error(transparent)]
    Denied(Denied),
    /// What was asked for can't be, as things stand; the sentence says why.
    #[error("{0}")]
    Conflict(String),
    /// A link that counts once was used, or its time is over.
    #[error("this link doesn't count any more: it was used, its time is over, or a newer one was made")]
    LinkInvalid,
    /// There is no such thing, or it is someone else's.
    #[error("there is no such thing")]
    NotFound,
    /// The store can't be reached, or not now.
    #[error("the service is unavailable at the moment; try again soon")]
    Unavailable(#[source] StoreError),
    /// The signing keys can't be used; the sentence says what to do. Only who runs the server meets this.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A defect. The log has more.
    #[error("an internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Unavailable(error),
            StoreError::Defect(_) => Self::Internal(error.into()),
        }
    }
}

impl From<CryptoFailure> for Error {
    fn from(error: CryptoFailure) -> Self {
        Self::Internal(error.into())
    }
}

impl From<IssueError> for Error {
    fn from(error: IssueError) -> Self {
        Self::Internal(error.into())
    }
}

impl From<ProfileError> for Error {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::FieldTaken(field) => Self::field_taken(&field),
            ProfileError::Store(error) => error.into(),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown => Self::RefreshTokenInvalid,
            Refusal::Ended => Self::SessionEnded,
            Refusal::UserInactive => Self::UserInactive,
            Refusal::Reused => Self::RefreshTokenReused,
        }
    }
}

impl Error {
    /// One sentence about one field.
    pub fn field(name: &str, sentence: impl Into<String>) -> Self {
        Self::InvalidFields(FieldErrors::from([(name.to_owned(), vec![sentence.into()])]))
    }

    /// A unique field's value is another user's.
    pub(super) fn field_taken(name: &str) -> Self {
        Self::field(name, "Another user has this value already.")
    }
}
