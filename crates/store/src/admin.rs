//! What is asked of the store about the admin site, and what it answers.

use countersign_core::Network;
use countersign_core::admin::AdminSessionId;

use crate::user::{Password, PasswordHash};
use crate::{PeopleError, StoreError};

/// What a sign-in to the admin site does besides starting a session.
#[derive(Clone, Debug)]
pub struct AdminLogin {
    /// The hash that the password was checked against: if it has changed since, so has the password.
    pub checked: PasswordHash,
    /// The same password under today's hashing, if the stored hash is an old one.
    pub upgraded: Option<Password>,
    /// The older session of this browser, which ends.
    pub replaces: Option<AdminSessionId>,
    /// Where the sign-in came from.
    pub network: Network,
}

/// Why the first superuser could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The link was used, another one was made since, or there is a superuser.
    #[error("the set-up link doesn't count any more")]
    NoLonger,
    /// The user won't do.
    #[error(transparent)]
    User(PeopleError),
    /// The store's own trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}
