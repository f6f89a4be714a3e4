//! News. The order of their numbers is not the order in which they become visible: a transaction takes its number, and
//! may commit after others that took later ones, by a moment or (while a standby must confirm, and can't) by minutes.
//!
//! So a reader remembers which numbers are missing below the one that it has come to. Each time it asks for what is
//! above, and for what was missing: a piece that commits late is delivered late, but once. A number whose transaction
//! was undone stays missing, and is given up when nothing that it could tell would matter any more.
//!
//! Numbers can go back, too: an asynchronous standby that is promoted lacks the last ones, and gives them again. So a
//! reader remembers the last piece itself, which clean-up leaves alone until there is a later one. Where another one
//! stands in its place, or none, all that is there is delivered once more: what was written under the same numbers is
//! among it, and to hear the rest again does no harm. A machine that slept for hours begins anew in the same way.

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
    /// The piece with the highest number that was delivered.
    last: Option<Piece>,
}

/// A piece of news under its number.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Piece {
    seq: i64,
    at: Timestamp,
    item: NewsItem,
}

impl Postgres {
    pub(crate) async fn news_head(&self) -> Answer<NewsSeq> {
        // With the numbers just below the head, to see which of them are missing.
        let pieces = self.read_news((), |db, _| async move {
            let query = concat!("SELECT ", news_columns!(), " FROM news ORDER BY seq DESC LIMIT $1");
            db.all(query, params![row::count(MISSING as u64)], piece).await
        });
        let pieces = pieces.await?;
        let head = pieces.first().map_or(0, |piece| piece.seq);
        let mut reader = self.0.reader();
        if head > reader.head {
            reader.begin(pieces.last());
            reader.take(pieces.iter().rev().copied(), Instant::now());
        }
        Ok(NewsSeq(head))
    }

    pub(crate) async fn news(&self, after: NewsSeq) -> Answer<News> {
        let missing: Vec<i64> = self.0.reader().missing.keys().copied().collect();
        let pieces = self.read_news((after, missing), |db, args| async move {
            let (after, missing) = &*args;
            // With the last one that was delivered, to see that it is still there.
            let query = concat!(
                "SELECT ",
                news_columns!(),
                " FROM news WHERE seq >= $1 OR seq = ANY($2) ORDER BY seq"
            );
            db.all(query, params![after.0, missing], piece).await
        });
        let pieces = pieces.await?;
        if self.0.reader().is_lost(after, &pieces) {
            return self.news_anew().await;
        }
        let head = pieces.last().map_or(after, |last| NewsSeq(last.seq).max(after));
        let mut reader = self.0.reader();
        // Of two that read at once, one delivers what was missing.
        let is_new = |piece: &Piece| piece.seq > after.0 || reader.missing.contains_key(&piece.seq);
        let pieces: Vec<_> = pieces.into_iter().filter(is_new).collect();
        reader.head = reader.head.max(after.0.min(head.0));
        reader.take(pieces.iter().copied(), Instant::now());
        Ok(News { head, items: items(&pieces), anew: false })
    }

    /// All the news that there are.
    async fn news_anew(&self) -> Answer<News> {
        let pieces = self.read_news((), |db, _| async move {
            db.all(concat!("SELECT ", news_columns!(), " FROM news ORDER BY seq"), &[], piece).await
        });
        let pieces = pieces.await?;
        let mut reader = self.0.reader();
        *reader = Reader::default();
        reader.begin(pieces.first());
        reader.take(pieces.iter().copied(), Instant::now());
        let head = NewsSeq(pieces.last().map_or(0, |last| last.seq));
        Ok(News { head, items: items(&pieces), anew: true })
    }
}

fn piece(row: &tokio_postgres::Row) -> Answer<Piece> {
    let (at, item) = row::news(row)?;
    Ok(Piece { seq: row.number_there(0)?, at, item })
}

fn items(pieces: &[Piece]) -> Vec<(Timestamp, NewsItem)> {
    pieces.iter().map(|piece| (piece.at, piece.item)).collect()
}

impl Reader {
    /// Begins with this piece, the first that is left. What lies further below it was cleaned up.
    fn begin(&mut self, first: Option<&Piece>) {
        self.head = first.map_or(0, |first| first.seq - SKIPPED).max(self.head);
    }

    /// Whether what is there from this number on isn't what it was when that was the last one.
    fn is_lost(&self, after: NewsSeq, there: &[Piece]) -> bool {
        self.last.is_some_and(|last| last.seq == after.0 && !there.contains(&last))
    }

    /// Takes in pieces that are delivered, in the order of their numbers.
    fn take(&mut self, delivered: impl Iterator<Item = Piece>, now: Instant) {
        for piece in delivered {
            let seq = piece.seq;
            self.missing.remove(&seq);
            if self.last.is_none_or(|last| seq > last.seq) {
                self.last = Some(piece);
            }
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
