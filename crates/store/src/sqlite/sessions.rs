//! Sessions: their rows, and their ends. A use of a refresh token is in `rotation`.

use countersign_core::session::{EndReason, Session};
use countersign_core::{SessionId, Timestamp, UserId};
use rusqlite::Connection;

use super::Sqlite;
use super::sql::{self, Result};
use super::{admin, audit, news};
use crate::row::{self, Columns, SESSION_WIDTH, session_columns, user_columns};
use crate::{AuditEvent, EndOutcome, Page, SessionFilter, SessionRow, User, listing, people};

/// The most sessions that a list shows: the newest.
const LIST: u32 = 1000;

impl Sqlite {
    pub(crate) async fn session(&self, id: SessionId) -> Result<Option<(Session, Option<User>)>> {
        self.read_now(move |db| {
            let query = concat!(
                "SELECT ",
                session_columns!(),
                ", ",
                user_columns!(),
                " FROM sessions LEFT JOIN users ON users.id = sessions.user_id WHERE sessions.id = $1"
            );
            sql::first(db, query, [id.as_bytes()], |row| {
                Ok((row::session(row)?, row::joined_user(row, SESSION_WIDTH)?))
            })
        })
        .await
    }

    pub(crate) async fn list_sessions(&self, filter: SessionFilter) -> Result<Page<SessionRow, SessionId>> {
        self.read(move |db| {
            let page = listing::sessions::page(&filter);
            let rows = sql::all(db, &page.text, sql::values(&page), |row| row::session_row(row))?;
            Ok(people::page_of_sessions(rows, filter.limit))
        })
        .await
    }

    pub(crate) async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>> {
        self.read(move |db| {
            let query = concat!(
                "SELECT ",
                session_columns!(),
                " FROM sessions WHERE user_id = $1 AND ended_at IS NULL AND refresh_expires_at > $2
                AND ends_at > $2 ORDER BY id DESC LIMIT $3"
            );
            sql::all(db, query, (user.0, now.millis(), LIST), |row| row::session(row))
        })
        .await
    }

    pub(crate) async fn end_session(
        &self,
        id: SessionId,
        of: Option<UserId>,
        reason: EndReason,
        event: AuditEvent,
    ) -> Result<EndOutcome> {
        self.write(move |db| {
            let session = match by_id(db, id)? {
                Some(session) if of.is_none_or(|user| user == session.user) => session,
                _ => return Ok(EndOutcome::Unknown),
            };
            if let Some(ended) = session.ended {
                return Ok(EndOutcome::AlreadyEnded(ended));
            }
            end(db, id, reason, event.at)?;
            audit::append(db, &event)?;
            Ok(EndOutcome::Ended(id))
        })
        .await
    }

    pub(crate) async fn end_sessions(
        &self,
        user: UserId,
        except: Option<SessionId>,
        reason: EndReason,
        event: AuditEvent,
    ) -> Result<u64> {
        self.write(move |db| {
            let ended_in_admin = admin::end_all(db, user)?;
            let ended = end_all(db, user, except, reason, event.at)?;
            if ended_in_admin || !ended.is_empty() {
                audit::append(db, &event)?;
            }
            Ok(ended.iter().filter(|end| end.was_live).count() as u64)
        })
        .await
    }

    pub(crate) async fn live_sessions(&self) -> Result<u64> {
        self.read(|db| {
            let count: i64 = sql::value(db, "SELECT count FROM open_sessions", [])?;
            Ok(u64::try_from(count).unwrap_or(0))
        })
        .await
    }
}

pub(super) fn by_id(db: &Connection, id: SessionId) -> Result<Option<Session>> {
    let query = concat!("SELECT ", session_columns!(), " FROM sessions WHERE id = $1");
    sql::first(db, query, [id.as_bytes()], |row| row::session(row))
}

pub(super) fn insert(db: &Connection, session: &Session) -> Result<()> {
    let insert = "INSERT INTO sessions (id, user_id, delivery, remember, created_at, ends_at, generation,
            rotated_at, refresh_expires_at, ip, user_agent, replay_keys)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let params = rusqlite::params![
        session.id.as_bytes(),
        session.user.0,
        session.delivery.as_str(),
        session.remember,
        session.created_at.millis(),
        session.ends_at.millis(),
        session.generation.0,
        session.rotated_at.millis(),
        session.refresh_expires_at.millis(),
        session.client.ip.map(|ip| ip.to_string()),
        session.client.user_agent,
        session.replay_keys.as_flattened(),
    ];
    sql::run(db, insert, params)?;
    Ok(())
}

/// Ends a session, whoever owns it, if nobody has: its owner.
///
/// One whose time is over is ended too: time can be set back, and an end must stand.
pub(super) fn end(
    db: &Connection,
    id: SessionId,
    reason: EndReason,
    now: Timestamp,
) -> Result<Option<UserId>> {
    let update = "UPDATE sessions SET ended_at = $1, end_reason = $2 WHERE id = $3 AND ended_at IS NULL
        RETURNING user_id";
    let params = (now.millis(), reason.as_str(), id.as_bytes());
    let owner = sql::first(db, update, params, |row| Ok(UserId(row.get(0)?)))?;
    if owner.is_some() {
        news::add_end(db, now, id, reason)?;
    }
    Ok(owner)
}

/// A session that has just ended.
pub(super) struct JustEnded {
    pub(super) session: SessionId,
    /// Whether its time wasn't over before.
    was_live: bool,
}

/// Ends all sessions of a user but one, and those of the admin site with them.
pub(super) fn end_all(
    db: &Connection,
    user: UserId,
    except: Option<SessionId>,
    reason: EndReason,
    now: Timestamp,
) -> Result<Vec<JustEnded>> {
    let update = "UPDATE sessions SET ended_at = $1, end_reason = $2
        WHERE user_id = $3 AND ended_at IS NULL AND ($4 IS NULL OR id <> $4)
        RETURNING id, refresh_expires_at > $1 AND ends_at > $1";
    let except = except.map(|id| *id.as_bytes());
    let ended = sql::all(db, update, (now.millis(), reason.as_str(), user.0, except), |row| {
        Ok(JustEnded { session: row.session_id(0)?, was_live: row.get(1)? })
    })?;
    ended.iter().try_for_each(|end| news::add_end(db, now, end.session, reason))?;
    admin::end_all(db, user)?;
    Ok(ended)
}
