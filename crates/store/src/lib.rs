//! Countersign's store: users, sessions, keys and audit behind one face.
//!
//! The face is at use-case grain: each method is one transaction that leaves the store in order, however many
//! clients race for it. The store keeps what it is given and never sees a plain secret: passwords come as hashes,
//! private keys sealed, `Idempotency-Key`s hashed; a refresh token it never sees at all.
//!
//! Two rules hold for every method:
//!
//! - `Ok` of a method that changes something means that the change is on disk: it survives `kill -9` and a power cut.
//!   Its moment is the event's `at`.
//! - What can't be done now (the disk is full, the database is away) is [`StoreError::Unavailable`], and nothing has
//!   changed; the caller refuses, and never lets through what it couldn't check. One exception can't be helped: where
//!   the disk stalls in the middle of a commit, nobody knows yet, and the error says so.
//!
//! An event of the audit is handed in with the change that it tells of, and stands or falls with it: where nothing
//! was there to change, it isn't written.
//!
//! A caller may go away before its answer (a future that is dropped). What was asked for is done all the same, but for
//! what makes tokens that nobody would get: [`Store::start_session`], [`Store::change_password`] and
//! [`Store::rotate_session`] are not begun any more.

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
compile_error!("the store needs an engine: turn on the feature `sqlite` or `postgres`");

mod admin;
mod audit;
mod batch;
pub mod copy;
mod export;
mod fields;
mod import;
mod key;
mod listing;
mod news;
mod people;
#[cfg(feature = "postgres")]
pub mod postgres;
mod row;
mod session;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod told;
mod user;

use countersign_core::Timestamp;

pub use admin::{AdminLogin, SetUpError};
pub use audit::{AuditCount, AuditCounts, AuditCursor, AuditEvent, AuditFilter, AuditRow, EventKind};
pub use batch::{Batch, BatchId};
pub use export::ExportedUser;
pub use fields::{EnteredPage, FieldFilter, FieldHolder, FieldIs};
pub use import::{Arrival, GroupArrival, ImportBatch, IncomingGroup, IncomingUser, PasswordFate, TurnedAway};
pub use key::StoredKey;
pub use news::{News, NewsItem, NewsSeq};
pub use people::{
    ChangedGroup, ChangedUser, Edit, Group, GroupChange, GroupFilter, LinkHash, NotACursor, Page,
    PeopleError, Permission, Person, Reach, SessionFilter, SessionRow, UserChange, UserCursor, UserDetail,
    UserFilter, UserPage, UserSort,
};
pub use session::{EndOutcome, Login, Rotate, Rotation, SessionEnd, StartOutcome};
pub use user::{
    CeilingState, Failures, LoginUser, NewUser, Password, PasswordHash, PasswordLink, ProfileChange, User,
    UserSelector,
};

/// The store: one of the engines, behind one face.
#[derive(Clone)]
pub enum Store {
    /// The embedded database.
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Sqlite),
    /// A PostgreSQL server, that several nodes share.
    #[cfg(feature = "postgres")]
    Postgres(postgres::Postgres),
}

/// What a count of guesses is kept by: a keyed hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CountKey(pub [u8; 16]);

/// Why a use case could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not now: full, locked, away or too slow. Nothing has changed; try again later.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The database holds what this program can't have written, or refused a statement of ours: a defect.
    #[error("the database is not as expected: {0}")]
    Defect(String),
}

/// Why a profile could not be changed. Nothing of it has been.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Another user has the value of this field, which is unique.
    #[error("another user has this {0} already")]
    FieldTaken(String),
    /// The store's own trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Calls the same method on whichever engine this is.
macro_rules! engine {
    ($store:expr, $engine:ident => $call:expr) => {
        match $store {
            #[cfg(feature = "sqlite")]
            Store::Sqlite($engine) => $call,
            #[cfg(feature = "postgres")]
            // In a box: a conversation over the network has a large state, and whoever waits for the store would carry
            // it about, with the other engine too.
            Store::Postgres($engine) => Box::pin(async move { $call }).await,
        }
    };
}

// Below the macro, which reaches what comes after it.
mod face;

/// Being there.
impl Store {
    /// Whether the store answers, by reading from it and (SQLite) by asking whether it can be written.
    pub async fn ping(&self) -> Result<(), StoreError> {
        engine!(self, engine => engine.ping().await)
    }

    /// What time it is for all nodes of the store; `None` where that is this machine's own matter.
    pub async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        engine!(self, engine => engine.time().await)
    }

    /// Finishes what is under way and closes the database. Later calls are [`StoreError::Unavailable`].
    pub async fn close(&self) {
        engine!(self, engine => engine.close().await);
    }

    /// A value that all nodes share.
    pub async fn meta(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        engine!(self, engine => engine.meta(name).await)
    }

    /// Sets a shared value.
    pub async fn set_meta(&self, name: &'static str, value: String) -> Result<(), StoreError> {
        engine!(self, engine => engine.set_meta(name, value).await)
    }

    /// Raises a shared number, such as the longest access lifetime ever issued, to this one if it is less or isn't
    /// there; the number that now stands. Of several who raise it at once the highest wins.
    pub async fn raise_meta(&self, name: &'static str, to: u32) -> Result<u32, StoreError> {
        let stands = engine!(self, engine => engine.raise_meta(name, i64::from(to)).await)?;
        u32::try_from(stands).map_err(|_| StoreError::Defect(format!("{name} has no value that it can have")))
    }
}
