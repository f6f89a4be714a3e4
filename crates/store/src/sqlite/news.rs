//! News. One writer at a time: the order of their numbers is the order in which they became visible.

use countersign_core::session::EndReason;
use countersign_core::{SessionId, Timestamp};
use rusqlite::Connection;

use super::Sqlite;
use super::sql::{self, Result};
use crate::row::{self, news_columns};
use crate::{News, NewsItem, NewsSeq, SessionEnd};

impl Sqlite {
    pub(crate) async fn news_head(&self) -> Result<NewsSeq> {
        self.read(|db| sql::value(db, "SELECT COALESCE(MAX(seq), 0) FROM news", []).map(NewsSeq)).await
    }

    pub(crate) async fn news(&self, after: NewsSeq) -> Result<News> {
        self.read(move |db| {
            let query = concat!("SELECT ", news_columns!(), " FROM news WHERE seq > $1 ORDER BY seq");
            let mut head = after;
            let items = sql::all(db, query, [after.0], |row| {
                head = NewsSeq(row.get(0)?);
                row::news(row)
            })?;
            Ok(News { head, items, anew: false })
        })
        .await
    }
}

/// Adds a piece of news to the transaction that makes it.
pub(super) fn add(db: &Connection, at: Timestamp, item: NewsItem) -> Result<()> {
    let (kind, session, user, reason) = row::news_values(item);
    let session = session.map(|id| *id.as_bytes());
    let insert = "INSERT INTO news (at, kind, session_id, user_id, reason) VALUES ($1, $2, $3, $4, $5)";
    sql::run(db, insert, (at.millis(), kind, session, user, reason))?;
    Ok(())
}

/// Adds the news that a session ended.
pub(super) fn add_end(db: &Connection, at: Timestamp, session: SessionId, reason: EndReason) -> Result<()> {
    add(db, at, NewsItem::SessionEnded(SessionEnd { session, reason }))
}
