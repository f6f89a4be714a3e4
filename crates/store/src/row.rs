//! How rows become values: once for both engines. An engine says how it reads a column; the rest is here.

use std::net::IpAddr;

use countersign_core::admin::{AdminSession, AdminSessionId};
use countersign_core::session::{Delivery, EndReason, Ended, Session};
use countersign_core::{
    Client, Generation, GroupId, GroupName, PermissionName, SessionId, Timestamp, UserId,
};
use serde_json::{Map, Value};

use crate::{
    AuditCount, AuditCounts, AuditEvent, AuditRow, CeilingState, EventKind, LoginUser, NewsItem,
    PasswordHash, Permission, Person, SessionEnd, SessionRow, StoreError, StoredKey, User, listing,
};

type Result<T> = std::result::Result<T, StoreError>;

/// The columns that make a [`User`], as [`user`] reads them.
macro_rules! user_columns {
    () => {
        "users.id, users.username, users.email, users.first_name, users.last_name, users.is_active,
        users.is_staff, users.is_superuser, users.joined_at, users.last_login_at, users.fields"
    };
}
pub(crate) use user_columns;

/// How many columns [`user_columns`] names.
pub(crate) const USER_WIDTH: usize = 11;

/// The columns that make a [`Session`], as [`session`] reads them.
macro_rules! session_columns {
    () => {
        "sessions.id, sessions.user_id, sessions.delivery, sessions.remember, sessions.created_at,
        sessions.ends_at, sessions.generation, sessions.rotated_at, sessions.refresh_expires_at, sessions.ip,
        sessions.user_agent, sessions.replay_keys, sessions.ended_at, sessions.end_reason"
    };
}
pub(crate) use session_columns;

/// How many columns [`session_columns`] names.
pub(crate) const SESSION_WIDTH: usize = 14;

/// The columns that make an [`AdminSession`], as [`admin_session`] reads them.
macro_rules! admin_session_columns {
    () => {
        "admin_sessions.id, admin_sessions.user_id, admin_sessions.created_at, admin_sessions.used_at,
        admin_sessions.proved_at, admin_sessions.ip, admin_sessions.user_agent"
    };
}
pub(crate) use admin_session_columns;

/// How many columns [`admin_session_columns`] names.
pub(crate) const ADMIN_SESSION_WIDTH: usize = 7;

/// The columns that make a [`StoredKey`], as [`key`] reads them.
macro_rules! key_columns {
    () => {
        "kid, algorithm, sealed, created_at, signs_from"
    };
}
pub(crate) use key_columns;

/// Raises a shared number; the one that stands.
pub(crate) const RAISE_META: &str = "INSERT INTO meta (name, value) VALUES ($1, CAST($2 AS TEXT))
    ON CONFLICT (name) DO UPDATE SET value = CASE
        WHEN CAST(meta.value AS BIGINT) < CAST(excluded.value AS BIGINT) THEN excluded.value ELSE meta.value END
    RETURNING CAST(value AS BIGINT)";

/// The columns that make an [`AuditRow`], as [`audit`] reads them.
macro_rules! audit_columns {
    () => {
        "seq, at, kind, actor_id, user_id, session_id, ip, detail, bucket, count"
    };
}
pub(crate) use audit_columns;

/// The columns that make a [`NewsItem`] with its time, as [`news`] reads them.
macro_rules! news_columns {
    () => {
        "seq, at, kind, session_id, user_id, reason"
    };
}
pub(crate) use news_columns;

/// A row of an engine: its columns, by their place, as what they may hold.
pub(crate) trait Columns {
    fn number(&self, column: usize) -> Result<Option<i64>>;
    fn text(&self, column: usize) -> Result<Option<String>>;
    fn bytes(&self, column: usize) -> Result<Option<Vec<u8>>>;
    fn flag(&self, column: usize) -> Result<bool>;
    fn id(&self, column: usize) -> Result<Option<SessionId>>;

    fn number_there(&self, column: usize) -> Result<i64> {
        known(self.number(column)?, "a number")
    }

    fn text_there(&self, column: usize) -> Result<String> {
        known(self.text(column)?, "a text")
    }

    fn bytes_there(&self, column: usize) -> Result<Vec<u8>> {
        known(self.bytes(column)?, "a value")
    }

    fn session_id(&self, column: usize) -> Result<SessionId> {
        known(self.id(column)?, "the id of a session")
    }

    fn timestamp(&self, column: usize) -> Result<Timestamp> {
        self.number_there(column).map(Timestamp::from_millis)
    }

    fn optional_timestamp(&self, column: usize) -> Result<Option<Timestamp>> {
        Ok(self.number(column)?.map(Timestamp::from_millis))
    }

    fn optional_user_id(&self, column: usize) -> Result<Option<UserId>> {
        Ok(self.number(column)?.map(UserId))
    }

    fn optional_ip(&self, column: usize) -> Result<Option<IpAddr>> {
        self.text(column)?.map(|text| known(text.parse().ok(), "an address")).transpose()
    }

    fn object(&self, column: usize) -> Result<Map<String, Value>> {
        known(serde_json::from_str(&self.text_there(column)?).ok(), "a JSON object")
    }
}

/// Reads a user from [`user_columns`] that begin at this column.
pub(crate) fn user(row: &impl Columns, first: usize) -> Result<User> {
    Ok(User {
        id: UserId(row.number_there(first)?),
        username: row.text_there(first + 1)?,
        email: row.text_there(first + 2)?,
        first_name: row.text_there(first + 3)?,
        last_name: row.text_there(first + 4)?,
        is_active: row.flag(first + 5)?,
        is_staff: row.flag(first + 6)?,
        is_superuser: row.flag(first + 7)?,
        joined_at: row.timestamp(first + 8)?,
        last_login_at: row.optional_timestamp(first + 9)?,
        fields: row.object(first + 10)?,
    })
}

/// Reads a user from [`user_columns`] of an outer join: none, if there was none to join.
pub(crate) fn joined_user(row: &impl Columns, first: usize) -> Result<Option<User>> {
    row.number(first)?.map(|_| user(row, first)).transpose()
}

/// Reads what a password check needs from [`user_columns`], then hash, failures, the last of them, and whether the
/// network is known.
pub(crate) fn login_user(row: &impl Columns) -> Result<LoginUser> {
    let failures = row.number_there(USER_WIDTH + 1)?;
    Ok(LoginUser {
        user: user(row, 0)?,
        hash: PasswordHash::new(row.text_there(USER_WIDTH)?),
        ceiling: CeilingState {
            failures: u32::try_from(failures).unwrap_or(u32::MAX),
            last_failure_at: row.optional_timestamp(USER_WIDTH + 2)?,
        },
        network_known: row.flag(USER_WIDTH + 3)?,
    })
}

/// Reads a session from [`session_columns`], which come first.
pub(crate) fn session(row: &impl Columns) -> Result<Session> {
    let (delivery, replay_keys) = (row.text_there(2)?, row.bytes_there(11)?);
    let (replay_keys, rest) = replay_keys.as_chunks();
    Ok(Session {
        id: row.session_id(0)?,
        user: UserId(row.number_there(1)?),
        delivery: known(Delivery::parse(&delivery), "the delivery of a session")?,
        remember: row.flag(3)?,
        created_at: row.timestamp(4)?,
        ends_at: row.timestamp(5)?,
        generation: Generation(row.number_there(6)?),
        rotated_at: row.timestamp(7)?,
        refresh_expires_at: row.timestamp(8)?,
        client: Client { ip: row.optional_ip(9)?, user_agent: row.text(10)? },
        replay_keys: known(rest.is_empty().then(|| replay_keys.to_vec()), "the keys of a session")?,
        ended: ended(row)?,
    })
}

fn ended(row: &impl Columns) -> Result<Option<Ended>> {
    let Some(at) = row.optional_timestamp(12)? else { return Ok(None) };
    Ok(Some(Ended { at, reason: end_reason(row, 13)? }))
}

fn end_reason(row: &impl Columns, column: usize) -> Result<EndReason> {
    known(EndReason::parse(&row.text_there(column)?), "the reason of an end")
}

/// Reads a session of the admin site from [`admin_session_columns`], which come first.
pub(crate) fn admin_session(row: &impl Columns) -> Result<AdminSession> {
    let id = known(row.bytes_there(0)?.try_into().ok(), "the id of a session")?;
    Ok(AdminSession {
        id: AdminSessionId::from_bytes(id),
        user: UserId(row.number_there(1)?),
        created_at: row.timestamp(2)?,
        used_at: row.timestamp(3)?,
        proved_at: row.timestamp(4)?,
        client: Client { ip: row.optional_ip(5)?, user_agent: row.text(6)? },
    })
}

/// Reads a signing key from [`key_columns`].
pub(crate) fn key(row: &impl Columns) -> Result<StoredKey> {
    Ok(StoredKey {
        kid: row.text_there(0)?,
        algorithm: row.text_there(1)?,
        sealed: row.bytes_there(2)?,
        created_at: row.timestamp(3)?,
        signs_from: row.timestamp(4)?,
    })
}

/// Reads an event from [`audit_columns`].
pub(crate) fn audit(row: &impl Columns) -> Result<AuditRow> {
    let event = AuditEvent {
        at: row.timestamp(1)?,
        kind: known(EventKind::parse(&row.text_there(2)?), "the kind of an event")?,
        actor: row.optional_user_id(3)?,
        user: row.optional_user_id(4)?,
        session: row.id(5)?,
        ip: row.optional_ip(6)?,
        detail: row.object(7)?,
        bucket: row.text(8)?,
        count: row.number_there(9)?.unsigned_abs(),
    };
    Ok(AuditRow { seq: row.number_there(0)?, event })
}

/// Reads a session and its user's name from [`session_columns`], and one more.
pub(crate) fn session_row(row: &impl Columns) -> Result<SessionRow> {
    Ok(SessionRow { session: session(row)?, username: row.text(SESSION_WIDTH)? })
}

/// Reads a user and what they are sorted by from [`user_columns`], and one more.
pub(crate) fn sorted_user(row: &impl Columns) -> Result<(User, String)> {
    Ok((user(row, 0)?, row.text_there(USER_WIDTH)?))
}

/// Reads a count from the number of a step, and how often something happened in it.
pub(crate) fn audit_count(
    row: &impl Columns,
    asked: &AuditCounts,
    kind: EventKind,
) -> Result<Option<AuditCount>> {
    let (number, count) = (row.number_there(0)?, row.number(1)?);
    let start = Timestamp::from_millis(asked.from.millis() + number * listing::audit::step(asked));
    Ok(count.map(|count| AuditCount { kind, start, count: count.unsigned_abs() }))
}

pub(crate) fn permission_name(row: &impl Columns, column: usize) -> Result<PermissionName> {
    known(PermissionName::parse(&row.text_there(column)?).ok(), "the name of a permission")
}

pub(crate) fn group_name(row: &impl Columns, column: usize) -> Result<GroupName> {
    known(GroupName::parse(&row.text_there(column)?).ok(), "the name of a group")
}

/// Reads a permission from its name, description, and whether it is built in.
pub(crate) fn permission(row: &impl Columns) -> Result<Permission> {
    Ok(Permission { name: permission_name(row, 0)?, description: row.text_there(1)?, built_in: row.flag(2)? })
}

/// Reads what a detail says of an account from [`DETAIL`](crate::people::DETAIL): all but the person.
pub(crate) fn account(row: &impl Columns) -> Result<(bool, CeilingState, Option<Timestamp>)> {
    let ceiling = CeilingState {
        failures: u32::try_from(row.number_there(1)?).unwrap_or(u32::MAX),
        last_failure_at: row.optional_timestamp(2)?,
    };
    let hash = PasswordHash::new(row.text_there(0)?);
    Ok((hash.is_usable(), ceiling, row.optional_timestamp(3)?))
}

/// Takes a row of [`MEMBERSHIPS`](crate::people::MEMBERSHIPS) in.
pub(crate) fn membership(row: &impl Columns, person: &mut Person) -> Result<()> {
    match row.number_there(0)? {
        0 => drop(person.groups.insert(GroupId(row.number_there(1)?), group_name(row, 2)?)),
        1 => drop(person.permissions.insert(permission_name(row, 2)?)),
        _ => drop(person.inherited.insert(permission_name(row, 2)?)),
    }
    Ok(())
}

const SESSION_ENDED: &str = "session_ended";
const USER_CHANGED: &str = "user_changed";
const RIGHTS_CHANGED: &str = "rights_changed";
const KEYS_CHANGED: &str = "keys_changed";

/// Reads a piece of news, with the time of its writing, from [`news_columns`].
pub(crate) fn news(row: &impl Columns) -> Result<(Timestamp, NewsItem)> {
    let item = match row.text_there(2)?.as_str() {
        SESSION_ENDED => {
            let end = SessionEnd { session: row.session_id(3)?, reason: end_reason(row, 5)? };
            Some(NewsItem::SessionEnded(end))
        }
        USER_CHANGED => row.optional_user_id(4)?.map(NewsItem::UserChanged),
        RIGHTS_CHANGED => Some(NewsItem::RightsChanged),
        KEYS_CHANGED => Some(NewsItem::KeysChanged),
        _ => None,
    };
    Ok((row.timestamp(1)?, known(item, "a piece of news")?))
}

/// What the columns `kind`, `session_id`, `user_id` and `reason` of a piece of news hold.
pub(crate) fn news_values(
    item: NewsItem,
) -> (&'static str, Option<SessionId>, Option<i64>, Option<&'static str>) {
    match item {
        NewsItem::SessionEnded(end) => (SESSION_ENDED, Some(end.session), None, Some(end.reason.as_str())),
        NewsItem::UserChanged(UserId(user)) => (USER_CHANGED, None, Some(user), None),
        NewsItem::RightsChanged => (RIGHTS_CHANGED, None, None, None),
        NewsItem::KeysChanged => (KEYS_CHANGED, None, None, None),
    }
}

/// What was read, if this program can have written it.
pub(crate) fn known<T>(value: Option<T>, what: &str) -> Result<T> {
    value.ok_or_else(|| StoreError::Defect(format!("{what} in it can't be read")))
}

/// The text of a JSON object.
pub(crate) fn json(object: &Map<String, Value>) -> Result<String> {
    serde_json::to_string(object).map_err(|error| StoreError::Defect(error.to_string()))
}

/// A count, as a column holds it.
pub(crate) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
