//! News. The order of their numbers is not the order in which they become visible: a transaction takes its number, and
//! may commit after others that took later ones, by a moment or (while a standby must confirm, and can't) by minutes.
//!
//! So a reader remembers which numbers are missing below the one that it has come to. Each time it asks for what is
//! above, and for what was missing: a piece that commits late is delivered late, but once. A number whose transaction
//! was undone stays missing, and is given up when nothing that it could tell would matter any more.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use countersign_core::session::EndReason;
use countersign_core::{SessionId, Timestamp};

use super::Postgres;
use super::sql::{self, Db, Result, params};
use crate::row::{self, Columns, news_columns};
use crate::{News, NewsItem, NewsSeq, SessionEnd, StoreError};

type Answer<T> = std::result::Result<T, StoreError>;

/// For how long a missing number is asked for. No transaction of ours is open for longer than a few seconds; one that
/// waits for a standby's word ends with the failover.
const PATIENCE: Duration = Duration::from_mins(15);
/// How many missing numbers are asked for at most: the latest.
const MISSING: usize = 10_000;
/// How many numbers a server leaves out that was killed.
const SKIPPED: i64 = 32;

/// Where the reader of this node has come to.
#[derive(Default)]
pub(super) struct Reader {
    /// All numbers up to here were delivered, or are missing.
    head: i64,
    /// The missing ones, and since when.
    missing: BTreeMap<i64, Instant>,
}

impl Postgres {
    pub(crate) async fn news_head(&self) -> Answer<NewsSeq> {
        // With the numbers just below the head, to see which of them are missing.
        let seqs = self.read_news((), |db, _| async move {
            let query = "SELECT seq FROM news ORDER BY seq DESC LIMIT $1";
            db.all(query, params![row::count(MISSING as u64)], |row| row.number_there(0)).await
        });
        let seqs = seqs.await?;
        let head = seqs.first().copied().unwrap_or(0);
        let mut reader = self.0.reader();
        if head > reader.head {
            // What lies further below the lowest that is left was cleaned up.
            let lowest =
                seqs.last().map_or(head, |lowest| lowest - SKIPPED).max(head - row::count(MISSING as u64));
            reader.head = reader.head.max(lowest).max(0);
            reader.take(seqs.iter().rev().copied(), Instant::now());
        }
        Ok(NewsSeq(head))
    }

    pub(crate) async fn news(&self, after: NewsSeq) -> Answer<News> {
        let missing: Vec<i64> = self.0.reader().missing.keys().copied().collect();
        let rows = self.read_news((after, missing), |db, args| async move {
            let (after, missing) = &*args;
            let query = concat!(
                "SELECT ",
                news_columns!(),
                " FROM news WHERE seq > $1 OR seq = ANY($2) ORDER BY seq"
            );
            db.all(query, params![after.0, missing], |row| Ok((row.number_there(0)?, row::news(row)?))).await
        });
        let rows = rows.await?;
        let head = rows.last().map_or(after, |(seq, _)| NewsSeq(*seq).max(after));
        let mut reader = self.0.reader();
        // Of two that read at once, one delivers what was missing.
        let is_new = |seq: i64| seq > after.0 || reader.missing.contains_key(&seq);
        let rows: Vec<_> = rows.into_iter().filter(|(seq, _)| is_new(*seq)).collect();
        reader.head = reader.head.max(after.0.min(head.0));
        reader.take(rows.iter().map(|(seq, _)| *seq), Instant::now());
        Ok(News { head, items: rows.into_iter().map(|(_, item)| item).collect() })
    }
}

impl Reader {
    /// Takes in numbers that were delivered, in their order.
    fn take(&mut self, delivered: impl Iterator<Item = i64>, now: Instant) {
        for seq in delivered {
            self.missing.remove(&seq);
            if seq > self.head {
                let first = (self.head + 1).max(seq - row::count(MISSING as u64));
                self.missing.extend((first..seq).map(|missing| (missing, now)));
                self.head = seq;
            }
        }
        self.missing.retain(|_, since| now.duration_since(*since) < PATIENCE);
        while self.missing.len() > MISSING {
            self.missing.pop_first();
        }
    }
}

/// Adds a piece of news to the transaction that makes it.
pub(super) async fn add(db: &Db, at: Timestamp, item: NewsItem) -> Result<()> {
    let (kind, session, user, reason) = row::news_values(item);
    let insert = "INSERT INTO news (at, kind, session_id, user_id, reason) VALUES ($1, $2, $3, $4, $5)";
    db.run(insert, params![at.millis(), kind, session.map(sql::id), user, reason]).await?;
    Ok(())
}

/// Adds the news that sessions ended.
pub(super) async fn add_ends(
    db: &Db,
    at: Timestamp,
    sessions: &[SessionId],
    reason: EndReason,
) -> Result<()> {
    let Some(first) = sessions.first() else { return Ok(()) };
    let (kind, _, _, reason) =
        row::news_values(NewsItem::SessionEnded(SessionEnd { session: *first, reason }));
    let insert = "INSERT INTO news (at, kind, session_id, reason)
        SELECT $1, $2, ended.id, $3 FROM unnest($4) WITH ORDINALITY AS ended (id, place) ORDER BY place";
    let ids: Vec<_> = sessions.iter().copied().map(sql::id).collect();
    db.run(insert, params![at.millis(), kind, reason, ids]).await?;
    Ok(())
}
