//! Removing what is over, in small batches: a reader looks for it, the writer removes what was found.
//!
//! Ended sessions have an index. Those whose time just ran out have none, since a rotation would have to keep it up:
//! a walk through all sessions, in the order of their birth, finds them. Each call looks at a stretch of it and
//! remembers where it stopped, so that ten million sessions cost no call more than ten thousand.

use countersign_core::{SessionId, Timestamp};
use rusqlite::{Connection, Params};

use super::Sqlite;
use super::sql::{self, Result};
use crate::row::Columns;

/// The most rows of each kind that one call removes.
const BATCH: u16 = 500;

/// How many sessions of the walk one call looks at.
const STRETCH: u32 = 10_000;

/// Where the walk stopped: the last session that it looked at.
#[derive(Clone, Copy, Default)]
pub(super) struct Walk(Option<SessionId>);

/// What may be removed: so old that nobody needs it.
#[derive(Clone, Copy)]
struct Before {
    sessions: Timestamp,
    news: Timestamp,
    audit: Timestamp,
}

#[derive(Default)]
struct Found {
    sessions: Vec<SessionId>,
    news: Vec<i64>,
    batches: Vec<[u8; 16]>,
    audit: Vec<i64>,
}

impl Sqlite {
    pub(crate) async fn clean_up(
        &self,
        sessions_before: Timestamp,
        news_before: Timestamp,
        audit_before: Timestamp,
    ) -> Result<u64> {
        let before = Before { sessions: sessions_before, news: news_before, audit: audit_before };
        let walk = *self.0.walk();
        let (found, walk) = self.read(move |db| look(db, before, walk)).await?;
        let removed =
            if found.is_empty() { 0 } else { self.write(move |db| remove(db, before, &found)).await? };
        *self.0.walk() = walk;
        Ok(removed)
    }
}

fn look(db: &Connection, before: Before, walk: Walk) -> Result<(Found, Walk)> {
    let ended = "SELECT id FROM sessions WHERE ended_at < $1 ORDER BY ended_at LIMIT $2";
    let mut sessions = sql::all(db, ended, (before.sessions.millis(), BATCH), |row| row.session_id(0))?;
    let (expired, walk) = stroll(db, before.sessions, walk, usize::from(BATCH) - sessions.len())?;
    sessions.extend(expired);
    let news =
        "SELECT seq FROM news WHERE at < $1 AND seq < (SELECT max(seq) FROM news) ORDER BY seq LIMIT $2";
    let audit = "SELECT seq FROM audit WHERE at < $1 ORDER BY at LIMIT $2";
    let news = sequence(db, news, (before.news.millis(), BATCH))?;
    let audit = sequence(db, audit, (before.audit.millis(), BATCH))?;
    let batches = "SELECT id FROM written_batches WHERE at < $1 LIMIT $2";
    let batches = sql::all(db, batches, (before.news.millis(), BATCH), |row| Ok(row.get(0)?))?;
    Ok((Found { sessions, news, batches, audit }, walk))
}

/// Looks at the next stretch of the walk for sessions whose time ran out, until it has found `room` of them.
fn stroll(db: &Connection, before: Timestamp, walk: Walk, room: usize) -> Result<(Vec<SessionId>, Walk)> {
    let stretch = "SELECT id, ended_at IS NULL AND (refresh_expires_at < $1 OR ends_at < $1) FROM sessions
        WHERE id > $2 ORDER BY id LIMIT $3";
    // Every id is greater than no bytes.
    let after = walk.0.as_ref().map_or(&[][..], |id| id.as_bytes());
    let mut statement = db.prepare_cached(stretch)?;
    let mut rows = statement.query((before.millis(), after, STRETCH))?;
    let (mut expired, mut walk, mut looked_at) = (Vec::new(), walk, 0);
    while expired.len() < room
        && let Some(row) = rows.next()?
    {
        let id = row.session_id(0)?;
        if row.get(1)? {
            expired.push(id);
        }
        walk = Walk(Some(id));
        looked_at += 1;
    }
    let at_the_end = expired.len() < room && looked_at < STRETCH;
    Ok((expired, if at_the_end { Walk::default() } else { walk }))
}

/// Removes what was found, if it is still to go; how many rows went.
fn remove(db: &Connection, before: Before, found: &Found) -> Result<u64> {
    let sessions = "DELETE FROM sessions WHERE id = $1 AND (
            ended_at < $2 OR ended_at IS NULL AND (refresh_expires_at < $2 OR ends_at < $2)
        )";
    let mut removed = 0;
    for id in &found.sessions {
        removed += sql::run(db, sessions, (id.as_bytes(), before.sessions.millis()))?;
    }
    for seq in &found.news {
        removed += sql::run(db, "DELETE FROM news WHERE seq = $1", [seq])?;
    }
    for id in &found.batches {
        removed += sql::run(db, "DELETE FROM written_batches WHERE id = $1", [id])?;
    }
    for seq in &found.audit {
        let delete = "DELETE FROM audit WHERE seq = $1 AND at < $2";
        removed += sql::run(db, delete, (seq, before.audit.millis()))?;
    }
    Ok(removed as u64)
}

fn sequence(db: &Connection, query: &str, params: impl Params) -> Result<Vec<i64>> {
    sql::all(db, query, params, |row| Ok(row.get(0)?))
}

impl Found {
    fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.news.is_empty() && self.batches.is_empty() && self.audit.is_empty()
    }
}
