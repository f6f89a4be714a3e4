//! Removing what is over, in small batches, by one node at a time: who finds another one at it has nothing to do.
//!
//! Ended sessions have an index. Those whose time just ran out have none, since a rotation would have to keep it up:
//! a walk through all sessions, in the order of their birth, finds them. Each call looks at a stretch of it and
//! remembers where it stopped, so that ten million sessions cost no call more than ten thousand.

use countersign_core::Timestamp;
use uuid::Uuid;

use super::Postgres;
use super::migrate::{CLEAN_UP_LOCK, try_lock};
use super::sql::{self, Db, Result, params};
use super::{counts, sessions};
use crate::StoreError;
use crate::row::{self, Columns};

/// The most rows of each kind that one call removes.
const BATCH: i64 = 500;

/// How many sessions of the walk one call looks at.
const STRETCH: i64 = 10_000;

/// Where the walk stopped: the last session that it looked at.
#[derive(Clone, Copy, Default)]
pub(super) struct Walk(Option<Uuid>);

/// What may be removed: so old that nobody needs it.
#[derive(Clone, Copy)]
struct Before {
    sessions: Timestamp,
    news: Timestamp,
    audit: Timestamp,
}

impl Postgres {
    pub(crate) async fn clean_up(
        &self,
        sessions_before: Timestamp,
        news_before: Timestamp,
        audit_before: Timestamp,
    ) -> std::result::Result<u64, StoreError> {
        let before = Before { sessions: sessions_before, news: news_before, audit: audit_before };
        let walk = *self.0.walk();
        let done = self.write((before, walk), |db, args| async move {
            let (before, walk) = *args;
            if !try_lock(&db, CLEAN_UP_LOCK).await? {
                return Ok(None);
            }
            remove(&db, before, walk).await.map(Some)
        });
        let Some((removed, walk)) = done.await? else { return Ok(0) };
        *self.0.walk() = walk;
        Ok(removed)
    }
}

/// How many rows went, and where the walk has come to.
async fn remove(db: &Db, before: Before, walk: Walk) -> Result<(u64, Walk)> {
    let mut found = ended(db, before.sessions).await?;
    let (expired, walk) = stroll(db, before.sessions, walk, BATCH - row::count(found.len() as u64)).await?;
    found.extend(expired);
    // The last one stays, however old: where it isn't there any more, the database has lost it.
    let news = "DELETE FROM news WHERE seq IN (SELECT seq FROM news
        WHERE at < $1 AND seq < (SELECT max(seq) FROM news) ORDER BY seq LIMIT $2)";
    let batches = "DELETE FROM written_batches WHERE id IN (
        SELECT id FROM written_batches WHERE at < $1 LIMIT $2)";
    let audit = "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE at < $1 ORDER BY at LIMIT $2)
        AND at < $1";
    let mut removed = counts::clean_up(db, before.news).await?;
    removed += db.run(batches, params![before.news.millis(), BATCH]).await?;
    removed += db.run(news, params![before.news.millis(), BATCH]).await?;
    removed += db.run(audit, params![before.audit.millis(), BATCH]).await?;
    removed += remove_sessions(db, before.sessions, found).await?;
    Ok((removed, walk))
}

async fn ended(db: &Db, before: Timestamp) -> Result<Vec<Uuid>> {
    let query = "SELECT id FROM sessions WHERE ended_at < $1 ORDER BY ended_at LIMIT $2";
    db.all(query, params![before.millis(), BATCH], |row| row.session_id(0).map(sql::id)).await
}

/// Looks at the next stretch of the walk for sessions whose time ran out, until it has found `room` of them.
async fn stroll(db: &Db, before: Timestamp, walk: Walk, room: i64) -> Result<(Vec<Uuid>, Walk)> {
    // Every session's id is greater than none.
    let after = walk.0.unwrap_or(Uuid::nil());
    let query = "SELECT id FROM sessions WHERE id > $1 ORDER BY id OFFSET $2 LIMIT 1";
    let id = |row: &_| Columns::session_id(row, 0).map(sql::id);
    let end = db.first(query, params![after, STRETCH - 1], id).await?;
    let query = "SELECT id FROM sessions WHERE id > $1 AND id <= $2 AND ended_at IS NULL
            AND (refresh_expires_at < $3 OR ends_at < $3)
        ORDER BY id LIMIT $4";
    let expired =
        db.all(query, params![after, end.unwrap_or(Uuid::max()), before.millis(), room], id).await?;
    let is_full = row::count(expired.len() as u64) == room;
    let walk = if is_full { Walk(expired.last().copied().or(walk.0)) } else { Walk(end) };
    Ok((expired, walk))
}

/// Removes what was found, if it is still to go: a rotation may have been faster.
async fn remove_sessions(db: &Db, before: Timestamp, found: Vec<Uuid>) -> Result<u64> {
    let delete = "DELETE FROM sessions WHERE id = ANY($1) AND (
            ended_at < $2 OR ended_at IS NULL AND (refresh_expires_at < $2 OR ends_at < $2)
        ) RETURNING ended_at";
    let ended_at = db.all(delete, params![found, before.millis()], |row| row.number(0)).await?;
    let open = ended_at.iter().filter(|ended_at| ended_at.is_none()).count();
    sessions::count(db, -row::count(open as u64)).await?;
    Ok(ended_at.len() as u64)
}
