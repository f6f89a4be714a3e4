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

use std::collections::BTreeSet;

use copy::{Row, Table};
use countersign_core::admin::{AdminSession, AdminSessionId};
use countersign_core::guess::SharedCounts;
use countersign_core::session::{EndReason, RotationPolicy, Session};
use countersign_core::{GroupId, GroupName, Network, PermissionName, Rights, SessionId, Timestamp, UserId};

pub use admin::{AdminLogin, SetUpError};
pub use audit::{AuditCount, AuditCounts, AuditCursor, AuditEvent, AuditFilter, AuditRow, EventKind};
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

    /// A value that all nodes share, such as the longest access lifetime ever issued.
    pub async fn meta(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        engine!(self, engine => engine.meta(name).await)
    }

    /// Sets a shared value.
    pub async fn set_meta(&self, name: &'static str, value: String) -> Result<(), StoreError> {
        engine!(self, engine => engine.set_meta(name, value).await)
    }
}

/// Users.
impl Store {
    /// A user, by id or name.
    pub async fn user(&self, who: UserSelector) -> Result<Option<User>, StoreError> {
        engine!(self, engine => engine.user(who).await)
    }

    /// What a password check needs to know of a user, by id or name.
    ///
    /// `by_email` also takes an e-mail address, if exactly one user has it and it is nobody's user name.
    pub async fn user_for_login(
        &self,
        who: UserSelector,
        by_email: bool,
        network: Network,
    ) -> Result<Option<LoginUser>, StoreError> {
        engine!(self, engine => engine.user_for_login(who, by_email, network).await)
    }

    /// Makes a user with what they may do, at the event's moment. The event is told the new id.
    pub async fn create_user(&self, new: NewUser, event: AuditEvent) -> Result<User, PeopleError> {
        engine!(self, engine => engine.create_user(new, event).await)
    }

    /// Changes what a user may change of themselves, and makes it news; `None` where there is no such user.
    pub async fn update_profile(
        &self,
        user: UserId,
        change: ProfileChange,
        event: AuditEvent,
    ) -> Result<Option<User>, ProfileError> {
        engine!(self, engine => engine.update_profile(user, change, event).await)
    }

    /// Sets a password, ends every session of the user and forgets failed guesses; `false`: no such user.
    pub async fn set_password(
        &self,
        user: UserId,
        password: Password,
        event: AuditEvent,
    ) -> Result<bool, StoreError> {
        engine!(self, engine => engine.set_password(user, password, event).await)
    }

    /// A user's own change of password: if `checked` is still the stored hash, every session of the user ends and
    /// `next` starts, in one transaction.
    pub async fn change_password(
        &self,
        checked: PasswordHash,
        password: Password,
        next: Session,
        event: AuditEvent,
    ) -> Result<StartOutcome, StoreError> {
        engine!(self, engine => engine.change_password(checked, password, next, event).await)
    }

    /// Activates or deactivates a user; deactivating ends their sessions. `false`: no such user. The last active
    /// superuser stays.
    pub async fn set_active(
        &self,
        user: UserId,
        active: bool,
        event: AuditEvent,
    ) -> Result<bool, PeopleError> {
        engine!(self, engine => engine.set_active(user, active, event).await)
    }

    /// Deletes a user and ends their sessions (their rows stay until their tokens have died, to say why). `false`: no
    /// such user. The last active superuser stays.
    pub async fn delete_user(
        &self,
        user: UserId,
        reach: Reach,
        event: AuditEvent,
    ) -> Result<bool, PeopleError> {
        engine!(self, engine => engine.delete_user(user, reach, event).await)
    }

    /// The custom fields of users after this one, by their ids; at most so many.
    pub async fn field_page(&self, after: UserId, limit: u32) -> Result<Vec<FieldHolder>, StoreError> {
        engine!(self, engine => engine.field_page(after, limit).await)
    }

    /// Puts users after this one (at most so many) under the values of their custom fields as these are declared now:
    /// what came to be found by its value, or unique, since the values were written. Nothing of the values changes.
    ///
    /// Of those who share a value that is to be unique one has it, and nobody else can get it.
    pub async fn enter_fields(&self, after: UserId, limit: u32) -> Result<EnteredPage, StoreError> {
        engine!(self, engine => engine.enter_fields(after, limit).await)
    }

    /// One hash for each way of hashing that is still in use, to measure what checking it costs.
    pub async fn password_samples(&self) -> Result<Vec<PasswordHash>, StoreError> {
        engine!(self, engine => engine.password_samples().await)
    }

    /// Adds failed guesses to the ceilings of accounts, many at once.
    pub async fn record_failures(&self, failures: Vec<Failures>) -> Result<(), StoreError> {
        engine!(self, engine => engine.record_failures(failures).await)
    }

    /// Forgets the failed guesses at a user's password (`users unlock`). `false`: no such user.
    pub async fn unlock(&self, user: UserId, event: AuditEvent) -> Result<bool, StoreError> {
        engine!(self, engine => engine.unlock(user, event).await)
    }
}

/// Looking after people. What changes what someone may do is news ([`NewsItem::UserChanged`],
/// [`NewsItem::RightsChanged`]).
impl Store {
    /// A page of users.
    pub async fn users(&self, filter: UserFilter) -> Result<UserPage, StoreError> {
        engine!(self, engine => engine.users(filter).await)
    }

    /// A user and what they may do, and what else there is to say about the account.
    pub async fn user_detail(&self, user: UserId) -> Result<Option<UserDetail>, StoreError> {
        engine!(self, engine => engine.user_detail(user).await)
    }

    /// What a user may do.
    pub async fn rights(&self, user: UserId) -> Result<Option<Rights>, StoreError> {
        engine!(self, engine => engine.rights(user).await)
    }

    /// Changes a user: what they are called, whether they may log in, what they may do.
    ///
    /// The event gets a detail `changes`, with before and after. Where nothing is changed, nothing is written. A user
    /// who is switched off loses their sessions. An open link to set a password goes where the user is switched off,
    /// gets another address or may do more than when it was made. The last active superuser stays one.
    pub async fn change_user(
        &self,
        user: UserId,
        change: UserChange,
        reach: Reach,
        event: AuditEvent,
    ) -> Result<ChangedUser, PeopleError> {
        engine!(self, engine => engine.change_user(user, change, reach, event).await)
    }

    /// Keeps a link with which an active user can set a password, in place of the one before.
    pub async fn make_password_link(
        &self,
        link: PasswordLink,
        reach: Reach,
        event: AuditEvent,
    ) -> Result<(), PeopleError> {
        engine!(self, engine => engine.make_password_link(link, reach, event).await)
    }

    /// Whose link this is, if it is still good; it stays so.
    pub async fn password_link(&self, hash: LinkHash, now: Timestamp) -> Result<Option<User>, StoreError> {
        engine!(self, engine => engine.password_link(hash, now).await)
    }

    /// Uses up a link: if it is still good, its user's password is set, as [`Store::set_password`] does it. Of many
    /// uses at once, one gets there. The event is told the user's id.
    pub async fn use_password_link(
        &self,
        hash: LinkHash,
        password: Password,
        event: AuditEvent,
    ) -> Result<Option<User>, StoreError> {
        engine!(self, engine => engine.use_password_link(hash, password, event).await)
    }
}

/// Groups and permissions.
impl Store {
    /// A page of groups, by name.
    pub async fn groups(&self, filter: GroupFilter) -> Result<Page<Group, GroupName>, StoreError> {
        engine!(self, engine => engine.groups(filter).await)
    }

    /// A group.
    pub async fn group(&self, group: GroupId) -> Result<Option<Group>, StoreError> {
        engine!(self, engine => engine.group(group).await)
    }

    /// Makes a group whose members have these permissions. The event is told its name and id.
    pub async fn create_group(
        &self,
        name: GroupName,
        permissions: BTreeSet<PermissionName>,
        event: AuditEvent,
    ) -> Result<Group, PeopleError> {
        engine!(self, engine => engine.create_group(name, permissions, event).await)
    }

    /// Changes a group. The event gets a detail `changes`, with before and after.
    pub async fn change_group(
        &self,
        group: GroupId,
        change: GroupChange,
        event: AuditEvent,
    ) -> Result<ChangedGroup, PeopleError> {
        engine!(self, engine => engine.change_group(group, change, event).await)
    }

    /// Deletes a group, if those who act could give it and all that it has; its members lose what they had through it.
    /// The event, which is told all of that; `None`: no such group.
    pub async fn delete_group(
        &self,
        group: GroupId,
        reach: Reach,
        event: AuditEvent,
    ) -> Result<Option<AuditEvent>, PeopleError> {
        engine!(self, engine => engine.delete_group(group, reach, event).await)
    }

    /// All permissions, by name.
    pub async fn permissions(&self) -> Result<Vec<Permission>, StoreError> {
        engine!(self, engine => engine.permissions().await)
    }

    /// Makes a permission that isn't built in. The event is told its name.
    pub async fn create_permission(
        &self,
        name: PermissionName,
        description: String,
        event: AuditEvent,
    ) -> Result<(), PeopleError> {
        engine!(self, engine => engine.create_permission(name, description, event).await)
    }

    /// Deletes a permission, and takes it from all who have it. `false`: no such permission.
    pub async fn delete_permission(
        &self,
        name: PermissionName,
        event: AuditEvent,
    ) -> Result<bool, PeopleError> {
        engine!(self, engine => engine.delete_permission(name, event).await)
    }
}

/// People who come from elsewhere, and go there.
impl Store {
    /// Brings people in with their ids, or brings up to date those who came before; what became of each, in the same
    /// order. One who can't come is passed over, and the others come.
    pub async fn import_users(&self, batch: ImportBatch) -> Result<Vec<Arrival>, StoreError> {
        engine!(self, engine => engine.import_users(batch).await)
    }

    /// Brings groups in with their permissions, or brings up to date those that came before; what became of each. With
    /// `dry_run` it says what would, and changes nothing. The event is each group's, and is told which it is about.
    pub async fn import_groups(
        &self,
        groups: Vec<IncomingGroup>,
        event: AuditEvent,
        dry_run: bool,
    ) -> Result<Vec<GroupArrival>, StoreError> {
        engine!(self, engine => engine.import_groups(groups, event, dry_run).await)
    }

    /// The users after this id with all that is kept of them, in the order of their ids.
    pub async fn export_users(&self, after: UserId, limit: u32) -> Result<Vec<ExportedUser>, StoreError> {
        engine!(self, engine => engine.export_users(after, limit).await)
    }
}

/// Sessions.
impl Store {
    /// A login: if the user is still active and `login.checked` is still their hash, the session starts, the older
    /// ones named end (whoever they belonged to, each with an event of its own), the password's hash is upgraded,
    /// failed guesses are forgotten, and the network is known from now on (the newest 50 are).
    pub async fn start_session(
        &self,
        session: Session,
        login: Login,
        event: AuditEvent,
    ) -> Result<StartOutcome, StoreError> {
        engine!(self, engine => engine.start_session(session, login, event).await)
    }

    /// A use of a refresh token, as `countersign_core::session::judge` says, in one atomic step.
    ///
    /// Its events are made here: a theft, which ends the session, and an answer without a rotation to a client from
    /// another network with another user agent. A session whose user is inactive or gone ends too, should it live.
    pub async fn rotate_session(
        &self,
        rotate: Rotate,
        policy: RotationPolicy,
        now: Timestamp,
    ) -> Result<Rotation, StoreError> {
        engine!(self, engine => engine.rotate_session(rotate, policy, now).await)
    }

    /// A session and its user, whatever state either is in.
    pub async fn session(&self, id: SessionId) -> Result<Option<(Session, Option<User>)>, StoreError> {
        engine!(self, engine => engine.session(id).await)
    }

    /// A page of sessions, of all users or one, newest first.
    pub async fn list_sessions(
        &self,
        filter: SessionFilter,
    ) -> Result<Page<SessionRow, SessionId>, StoreError> {
        engine!(self, engine => engine.list_sessions(filter).await)
    }

    /// A user's live sessions, newest first, at most a thousand.
    pub async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        engine!(self, engine => engine.sessions_of(user, now).await)
    }

    /// Ends a session, if nobody has and it belongs to `of` (or to anyone, with `None`).
    ///
    /// One whose time is over is ended too: clocks are set back, and a logout must stand.
    pub async fn end_session(
        &self,
        id: SessionId,
        of: Option<UserId>,
        reason: EndReason,
        event: AuditEvent,
    ) -> Result<EndOutcome, StoreError> {
        engine!(self, engine => engine.end_session(id, of, reason, event).await)
    }

    /// Ends all sessions of a user but `except`; how many of them lived.
    pub async fn end_sessions(
        &self,
        user: UserId,
        except: Option<SessionId>,
        reason: EndReason,
        event: AuditEvent,
    ) -> Result<u64, StoreError> {
        engine!(self, engine => engine.end_sessions(user, except, reason, event).await)
    }

    /// How many sessions nobody has ended, for a gauge: a count that is kept, not made, so it is cheap. Those whose
    /// time has just run out are in it until [`Store::clean_up`] comes to them.
    pub async fn live_sessions(&self) -> Result<u64, StoreError> {
        engine!(self, engine => engine.live_sessions().await)
    }

    /// Removes one small batch of sessions that ended or expired before `sessions_before`, news (and shared
    /// counts of guesses) before `news_before` and audit rows before `audit_before`; how many rows went. Zero: nothing to do for now.
    ///
    /// Sessions whose time just ran out are found on a walk through all of them, ten thousand a call: where there are
    /// more, it takes several calls to come round.
    ///
    /// Sessions are kept after their end for as long as a token of theirs could still be shown, so that its bearer
    /// can be told why it is refused.
    pub async fn clean_up(
        &self,
        sessions_before: Timestamp,
        news_before: Timestamp,
        audit_before: Timestamp,
    ) -> Result<u64, StoreError> {
        engine!(self, engine => engine.clean_up(sessions_before, news_before, audit_before).await)
    }
}

/// Sessions of the admin site.
impl Store {
    /// A sign-in: if the user is still active staff and `login.checked` is still their hash, the session starts, the
    /// older one ends, and what [`Store::start_session`] does besides is done. `None`: no longer, and nothing has
    /// changed. Sessions whose time is over are removed on the way.
    pub async fn start_admin_session(
        &self,
        session: AdminSession,
        login: AdminLogin,
        event: AuditEvent,
    ) -> Result<Option<User>, StoreError> {
        engine!(self, engine => engine.start_admin_session(session, login, event).await)
    }

    /// A session of the admin site and its user, whatever state either is in. A password that changes, and whatever
    /// else ends all sessions of a user, removes it.
    pub async fn admin_session(
        &self,
        id: AdminSessionId,
    ) -> Result<Option<(AdminSession, User)>, StoreError> {
        engine!(self, engine => engine.admin_session(id).await)
    }

    /// Writes down that a session of the admin site was used, and whether its user gave the password, now.
    pub async fn touch_admin_session(
        &self,
        id: AdminSessionId,
        proved: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        engine!(self, engine => engine.touch_admin_session(id, proved, now).await)
    }

    /// Ends a session of the admin site. `false`: there is none, and the event isn't written.
    pub async fn end_admin_session(&self, id: AdminSessionId, event: AuditEvent) -> Result<bool, StoreError> {
        engine!(self, engine => engine.end_admin_session(id, event).await)
    }

    /// Whether someone has every right and may log in.
    pub async fn has_superuser(&self) -> Result<bool, StoreError> {
        engine!(self, engine => engine.has_superuser().await)
    }

    /// Makes the first superuser, if the shared value `name` is still `expected` and there is no superuser yet; the
    /// value goes with it, so that of two who try at once one wins.
    pub async fn set_up(
        &self,
        name: &'static str,
        expected: String,
        new: NewUser,
        event: AuditEvent,
    ) -> Result<User, SetUpError> {
        engine!(self, engine => engine.set_up(name, expected, new, event).await)
    }
}

/// News: what every node has to know at once.
impl Store {
    /// The number of the latest news.
    pub async fn news_head(&self) -> Result<NewsSeq, StoreError> {
        engine!(self, engine => engine.news_head().await)
    }

    /// The news after `seq`, oldest first; cheap when there are none.
    pub async fn news(&self, after: NewsSeq) -> Result<News, StoreError> {
        engine!(self, engine => engine.news(after).await)
    }
}

/// Counts of guesses, where several nodes serve.
impl Store {
    /// Changes the three counts of a guess where all nodes meet them, one change after the other: what `change`
    /// answered, and the counts as they stand then. It is asked again where the store has to begin anew. `None`: this
    /// engine has one server, whose own memory is enough.
    ///
    /// They outlive no crash of the database, and nobody waits for a disk.
    pub async fn change_counts<T: Send + 'static>(
        &self,
        keys: [CountKey; 3],
        change: impl Fn(&mut SharedCounts) -> T + Send + Sync + 'static,
        now: Timestamp,
    ) -> Result<Option<(T, SharedCounts)>, StoreError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => {
                drop((keys, change, now));
                std::future::ready(Ok(None)).await
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(engine) => engine.change_counts(keys, change, now).await.map(Some),
        }
    }
}

/// Signing keys, sealed by the caller.
impl Store {
    /// All keys, oldest first.
    pub async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        engine!(self, engine => engine.keys().await)
    }

    /// Adds a key, unless the one that signs last has its algorithm already (another node was faster); the keys that
    /// now stand.
    pub async fn ensure_key(&self, key: StoredKey, event: AuditEvent) -> Result<Vec<StoredKey>, StoreError> {
        engine!(self, engine => engine.ensure_key(key, event).await)
    }

    /// Adds a key.
    pub async fn add_key(&self, key: StoredKey, event: AuditEvent) -> Result<(), StoreError> {
        engine!(self, engine => engine.add_key(key, event).await)
    }

    /// Removes keys by their `kid`s; how many there were.
    pub async fn remove_keys(&self, kids: Vec<String>, event: AuditEvent) -> Result<u64, StoreError> {
        engine!(self, engine => engine.remove_keys(kids, event).await)
    }

    /// Replaces the sealed private parts of keys, all or none: where one of them has gone meanwhile, that is
    /// [`StoreError::Unavailable`].
    pub async fn reseal_keys(
        &self,
        sealed: Vec<(String, Vec<u8>)>,
        event: AuditEvent,
    ) -> Result<(), StoreError> {
        engine!(self, engine => engine.reseal_keys(sealed, event).await)
    }
}

/// The audit.
impl Store {
    /// Appends events. Those of one [`AuditEvent::bucket`] become one row with a count.
    pub async fn audit(&self, events: Vec<AuditEvent>) -> Result<(), StoreError> {
        engine!(self, engine => engine.audit(events).await)
    }

    /// Reads the audit, newest first.
    pub async fn audit_rows(&self, filter: AuditFilter) -> Result<Vec<AuditRow>, StoreError> {
        engine!(self, engine => engine.audit_rows(filter).await)
    }

    /// How much happened, by kind, in each step of a span of time. Steps in which nothing did are left out.
    pub async fn audit_counts(&self, counts: AuditCounts) -> Result<Vec<AuditCount>, StoreError> {
        engine!(self, engine => engine.audit_counts(counts).await)
    }
}

/// Carrying everything over to another database: see [`copy`].
impl Store {
    /// How many rows a table has.
    pub async fn count_rows(&self, table: &'static Table) -> Result<u64, StoreError> {
        engine!(self, engine => engine.count_rows(table).await)
    }

    /// The rows of a table after this one, in the order of its key, at most `limit`.
    pub async fn rows(
        &self,
        table: &'static Table,
        after: Option<Row>,
        limit: u32,
    ) -> Result<Vec<Row>, StoreError> {
        engine!(self, engine => engine.rows(table, after, limit).await)
    }

    /// The last row of a table, in the order of its key.
    pub async fn last_row(&self, table: &'static Table) -> Result<Option<Row>, StoreError> {
        engine!(self, engine => engine.last_row(table).await)
    }

    /// Marks this database as the target of a copy that isn't whole yet, and puts these rows in the place of those that
    /// their tables have.
    pub async fn begin_copy(
        &self,
        from: String,
        first: Vec<(&'static Table, Vec<Row>)>,
    ) -> Result<(), StoreError> {
        engine!(self, engine => engine.begin_copy(from, first).await)
    }

    /// Adds rows to a table, all or none.
    pub async fn put_rows(&self, table: &'static Table, rows: Vec<Row>) -> Result<(), StoreError> {
        engine!(self, engine => engine.put_rows(table, rows).await)
    }

    /// The greatest number that the database has ever given in a numbered table; 0, if it gave none.
    pub async fn last_number(&self, table: &'static Table) -> Result<i64, StoreError> {
        engine!(self, engine => engine.last_number(table).await)
    }

    /// Puts in order what isn't in the rows: the numbers to go on from, and the count of open sessions.
    pub async fn settle(&self, numbers: Vec<(&'static Table, i64)>) -> Result<(), StoreError> {
        engine!(self, engine => engine.settle(numbers).await)
    }

    /// Takes the mark away that [`Store::begin_copy`] has set: the copy is whole.
    pub async fn end_copy(&self) -> Result<(), StoreError> {
        engine!(self, engine => engine.end_copy().await)
    }
}
