//! News. One writer at a time: the order of their numbers is the order in which they became visible.

use countersign_core::session::EndReason;
use countersign_core::{SessionId, Timestamp, UserId};
use rusqlite::{Connection, Row};

use super::Sqlite;
use super::sql::{self, Result, known};
use crate::{News, NewsItem, NewsSeq, SessionEnd};

impl Sqlite {
    pub(crate) async fn news_head(&self) -> Result<NewsSeq> {
        self.read(|db| sql::value(db, "SELECT COALESCE(MAX(seq), 0) FROM news", []).map(NewsSeq)).await
    }

    pub(crate) async fn news(&self, after: NewsSeq) -> Result<News> {
        self.read(move |db| {
            let query = "SELECT seq, at, kind, session_id, user_id, reason FROM news
                WHERE seq > $1 ORDER BY seq";
            let mut head = after;
            let items = sql::all(db, query, [after.0], |row| {
                head = NewsSeq(row.get(0)?);
                Ok((sql::timestamp(row, 1)?, item(row)?))
            })?;
            Ok(News { head, items })
        })
        .await
    }
}

/// Adds a piece of news to the transaction that makes it.
pub(super) fn add(db: &Connection, at: Timestamp, item: NewsItem) -> Result<()> {
    let (kind, session, user, reason) = match item {
        NewsItem::SessionEnded(end) => {
            (SESSION_ENDED, Some(*end.session.as_bytes()), None, Some(end.reason.as_str()))
        }
        NewsItem::UserChanged(UserId(user)) => (USER_CHANGED, None, Some(user), None),
        NewsItem::KeysChanged => (KEYS_CHANGED, None, None, None),
    };
    let insert = "INSERT INTO news (at, kind, session_id, user_id, reason) VALUES ($1, $2, $3, $4, $5)";
    sql::run(db, insert, (at.millis(), kind, session, user, reason))?;
    Ok(())
}

/// Adds the news that a session ended.
pub(super) fn add_end(db: &Connection, at: Timestamp, session: SessionId, reason: EndReason) -> Result<()> {
    add(db, at, NewsItem::SessionEnded(SessionEnd { session, reason }))
}

const SESSION_ENDED: &str = "session_ended";
const USER_CHANGED: &str = "user_changed";
const KEYS_CHANGED: &str = "keys_changed";

fn item(row: &Row<'_>) -> Result<NewsItem> {
    let kind: String = row.get(2)?;
    let item = match kind.as_str() {
        SESSION_ENDED => {
            let reason: String = row.get(5)?;
            let reason = known(EndReason::parse(&reason), "the reason of an end")?;
            Some(NewsItem::SessionEnded(SessionEnd { session: sql::session_id(row, 3)?, reason }))
        }
        USER_CHANGED => Some(NewsItem::UserChanged(UserId(row.get(4)?))),
        KEYS_CHANGED => Some(NewsItem::KeysChanged),
        _ => None,
    };
    known(item, "a piece of news")
}
