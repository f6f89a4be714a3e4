//! Sessions: their rows, and their ends. A use of a refresh token is in `rotation`.

use std::collections::HashMap;

use countersign_core::session::{EndReason, Session};
use countersign_core::{SessionId, Timestamp, UserId};
use uuid::Uuid;

use super::Postgres;
use super::sql::{self, Db, Result, params};
use super::{admin, audit, news, users};
use crate::row::{self, Columns, SESSION_WIDTH, session_columns, user_columns};
use crate::{AuditEvent, EndOutcome, Page, SessionFilter, SessionRow, StoreError, User, listing, people};

type Answer<T> = std::result::Result<T, StoreError>;

/// The most sessions that a list shows: the newest.
const LIST: i64 = 1000;

impl Postgres {
    pub(crate) async fn session(&self, id: SessionId) -> Answer<Option<(Session, Option<User>)>> {
        self.read(id, |db, id| async move { with_user(&db, *id).await }).await
    }

    pub(crate) async fn list_sessions(&self, filter: SessionFilter) -> Answer<Page<SessionRow, SessionId>> {
        self.read(filter, |db, filter| async move {
            let rows = db.rows(&listing::sessions::page(&filter), row::session_row).await?;
            Ok(people::page_of_sessions(rows, filter.limit))
        })
        .await
    }

    pub(crate) async fn sessions_of(&self, user: UserId, now: Timestamp) -> Answer<Vec<Session>> {
        self.read((user, now), |db, args| async move {
            let (user, now) = &*args;
            let query = concat!(
                "SELECT ",
                session_columns!(),
                " FROM sessions WHERE user_id = $1 AND ended_at IS NULL AND refresh_expires_at > $2
                AND ends_at > $2 ORDER BY id DESC LIMIT $3"
            );
            db.all(query, params![user.0, now.millis(), LIST], row::session).await
        })
        .await
    }

    pub(crate) async fn end_session(
        &self,
        id: SessionId,
        of: Option<UserId>,
        reason: EndReason,
        event: AuditEvent,
    ) -> Answer<EndOutcome> {
        self.write((id, of, reason, event), |db, args| async move {
            let (id, of, reason, event) = &*args;
            let session = match locked(&db, *id).await? {
                Some(session) if of.is_none_or(|user| user == session.user) => session,
                _ => return Ok(EndOutcome::Unknown),
            };
            if let Some(ended) = session.ended {
                return Ok(EndOutcome::AlreadyEnded(ended));
            }
            end(&db, *id, *reason, event.at).await?;
            audit::append(&db, event).await?;
            Ok(EndOutcome::Ended(*id))
        })
        .await
    }

    pub(crate) async fn end_sessions(
        &self,
        user: UserId,
        except: Option<SessionId>,
        reason: EndReason,
        event: AuditEvent,
    ) -> Answer<u64> {
        self.write((user, except, reason, event), |db, args| async move {
            let (user, except, reason, event) = &*args;
            // Whoever ends many sessions of a user takes the user first.
            users::locked(&db, *user).await?;
            let ended_in_admin = admin::end_all(&db, *user).await?;
            let ended = end_all(&db, *user, *except, *reason, event.at).await?;
            if ended_in_admin || !ended.is_empty() {
                audit::append(&db, event).await?;
            }
            Ok(ended.iter().filter(|end| end.was_live).count() as u64)
        })
        .await
    }

    pub(crate) async fn live_sessions(&self) -> Answer<u64> {
        self.read((), |db, _| async move {
            let query = "SELECT SUM(count)::bigint FROM open_sessions";
            let count = db.first(query, &[], |row| row.number_there(0)).await?;
            Ok(u64::try_from(count.unwrap_or(0)).unwrap_or(0))
        })
        .await
    }
}

/// A session and its user.
pub(super) async fn with_user(db: &Db, id: SessionId) -> Result<Option<(Session, Option<User>)>> {
    let query = concat!(
        "SELECT ",
        session_columns!(),
        ", ",
        user_columns!(),
        " FROM sessions LEFT JOIN users ON users.id = sessions.user_id WHERE sessions.id = $1"
    );
    db.first_often(query, params![sql::id(id)], |row| {
        Ok((row::session(row)?, row::joined_user(row, SESSION_WIDTH)?))
    })
    .await
}

/// A session that nobody else changes until the transaction ends.
pub(super) async fn locked(db: &Db, id: SessionId) -> Result<Option<Session>> {
    let query = concat!("SELECT ", session_columns!(), " FROM sessions WHERE id = $1 FOR UPDATE");
    db.first(query, params![sql::id(id)], row::session).await
}

pub(super) async fn insert(db: &Db, session: &Session) -> Result<()> {
    let insert = "INSERT INTO sessions (id, user_id, delivery, remember, created_at, ends_at, generation,
            rotated_at, refresh_expires_at, ip, user_agent, replay_keys)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let params = params![
        sql::id(session.id),
        session.user.0,
        session.delivery.as_str(),
        session.remember,
        session.created_at.millis(),
        session.ends_at.millis(),
        session.generation.0,
        session.rotated_at.millis(),
        session.refresh_expires_at.millis(),
        session.client.ip.map(|ip| ip.to_string()),
        session.client.user_agent.as_deref(),
        session.replay_keys.as_flattened(),
    ];
    db.run(insert, params).await?;
    count(db, 1).await
}

/// Ends a session, whoever owns it, if nobody has: its owner.
///
/// One whose time is over is ended too: time can be set back, and an end must stand.
pub(super) async fn end(db: &Db, id: SessionId, reason: EndReason, now: Timestamp) -> Result<Option<UserId>> {
    Ok(end_several(db, &[id], reason, now).await?.pop().map(|(_, owner)| owner))
}

/// Ends sessions, whoever owns them, that nobody has: with their owners, in the order in which they are named.
pub(super) async fn end_several(
    db: &Db,
    sessions: &[SessionId],
    reason: EndReason,
    now: Timestamp,
) -> Result<Vec<(SessionId, UserId)>> {
    if sessions.is_empty() {
        return Ok(Vec::new());
    }
    let update = "UPDATE sessions SET ended_at = $1, end_reason = $2 WHERE id = ANY($3) AND ended_at IS NULL
        RETURNING id, user_id";
    let ids: Vec<Uuid> = sessions.iter().copied().map(sql::id).collect();
    let owner = |row: &_| Ok((Columns::session_id(row, 0)?, UserId(Columns::number_there(row, 1)?)));
    let mut owners: HashMap<_, _> =
        db.all(update, params![now.millis(), reason.as_str(), ids], owner).await?.into_iter().collect();
    let ended: Vec<_> =
        sessions.iter().filter_map(|session| Some((*session, owners.remove(session)?))).collect();
    tell(db, ended.iter().map(|(session, _)| *session), reason, now).await?;
    Ok(ended)
}

/// A session that has just ended.
pub(super) struct JustEnded {
    pub(super) session: SessionId,
    /// Whether its time wasn't over before.
    was_live: bool,
}

/// Ends all sessions of a user but one, and those of the admin site with them. The user is locked, or gone.
pub(super) async fn end_all(
    db: &Db,
    user: UserId,
    except: Option<SessionId>,
    reason: EndReason,
    now: Timestamp,
) -> Result<Vec<JustEnded>> {
    let update = "UPDATE sessions SET ended_at = $1, end_reason = $2
        WHERE user_id = $3 AND ended_at IS NULL AND ($4 IS NULL OR id <> $4)
        RETURNING id, refresh_expires_at > $1 AND ends_at > $1";
    let params = params![now.millis(), reason.as_str(), user.0, except.map(sql::id)];
    let just_ended =
        |row: &_| Ok(JustEnded { session: Columns::session_id(row, 0)?, was_live: Columns::flag(row, 1)? });
    let ended = db.all(update, params, just_ended).await?;
    admin::end_all(db, user).await?;
    tell(db, ended.iter().map(|end| end.session), reason, now).await?;
    Ok(ended)
}

/// Tells every node of ends, and counts them.
async fn tell(
    db: &Db,
    ended: impl Iterator<Item = SessionId>,
    reason: EndReason,
    now: Timestamp,
) -> Result<()> {
    let ended: Vec<_> = ended.collect();
    news::add_ends(db, now, &ended, reason).await?;
    count(db, -row::count(ended.len() as u64)).await
}

/// Keeps the count of sessions that nobody has ended. Last of all in its transaction: two that share a row wait for
/// each other from here to the end.
pub(super) async fn count(db: &Db, change: i64) -> Result<()> {
    if change != 0 {
        let update = "UPDATE open_sessions SET count = count + $1 WHERE shard = pg_backend_pid() % 64";
        db.run(update, params![change]).await?;
    }
    Ok(())
}
