//! Counts of guesses, where all nodes meet them. The rules are the core's; here one try waits for the other.

use countersign_core::Timestamp;
use countersign_core::guess::{SharedCounts, StoredCount};
use uuid::Uuid;

use super::Postgres;
use super::sql::{Db, Result, params};
use crate::row::Columns;
use crate::{CountKey, StoreError};

/// The most counts that are kept. More may lie there until the next clean-up.
const COUNTS_MAX: i64 = 300_000;
/// The most that one call removes.
const BATCH: i64 = 5000;

impl Postgres {
    pub(crate) async fn change_counts<T, F>(
        &self,
        keys: [CountKey; 3],
        change: F,
        now: Timestamp,
    ) -> std::result::Result<(T, SharedCounts), StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut SharedCounts) -> T + Send + Sync + 'static,
    {
        let keys = keys.map(|CountKey(key)| Uuid::from_bytes(key));
        self.write((keys, change, now), |db, args| async move {
            let (keys, change, now) = &*args;
            let kept = locked(&db, keys).await?;
            let mut counts = SharedCounts::read(kept.each_ref().map(Vec::as_slice));
            let answer = change(&mut counts);
            let new = counts.stored(*now);
            if new.each_ref().map(|count| &count.bytes) != kept.each_ref() {
                keep(&db, keys, new).await?;
            }
            Ok((answer, counts))
        })
        .await
    }
}

/// The counts under these keys, which nobody else changes until the transaction ends.
async fn locked(db: &Db, keys: &[Uuid; 3]) -> Result<[Vec<u8>; 3]> {
    // In the order of their keys, so that two tries never wait for each other in a circle.
    let lock = "INSERT INTO guess_counts (key, bytes, worth, over_at)
        SELECT key, '', 0, 0 FROM unnest($1) AS keys (key) ORDER BY key
        ON CONFLICT (key) DO UPDATE SET key = excluded.key
        RETURNING key, bytes";
    let rows = db
        .all(lock, params![keys.to_vec()], |row| Ok((row.session_id(0)?, row.bytes(1)?.unwrap_or_default())))
        .await?;
    let of = |key: Uuid| {
        let row = rows.iter().find(|(found, _)| super::sql::id(*found) == key);
        row.map(|(_, bytes)| bytes.clone()).unwrap_or_default()
    };
    Ok(keys.map(of))
}

async fn keep(db: &Db, keys: &[Uuid; 3], counts: [StoredCount; 3]) -> Result<()> {
    let update = "UPDATE guess_counts AS kept SET bytes = new.bytes, worth = new.worth, over_at = new.over_at
        FROM unnest($1, $2, $3, $4) AS new (key, bytes, worth, over_at) WHERE kept.key = new.key";
    let worth: Vec<i64> = counts.iter().map(|count| count.worth.into()).collect();
    let over_at: Vec<i64> = counts.iter().map(|count| count.over_at.millis()).collect();
    let bytes: Vec<Vec<u8>> = counts.into_iter().map(|count| count.bytes).collect();
    db.run(update, params![keys.to_vec(), bytes, worth, over_at]).await.map(drop)
}

/// Removes counts that were over before this moment, and the least of those that are too many; how many went.
pub(super) async fn clean_up(db: &Db, before: Timestamp) -> Result<u64> {
    // What a try holds is left alone: it would wait here for us, and we for it.
    let over = "DELETE FROM guess_counts WHERE key IN (
        SELECT key FROM guess_counts WHERE over_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let too_many = "DELETE FROM guess_counts WHERE key IN (
        SELECT key FROM guess_counts ORDER BY worth, over_at
        LIMIT least($1, greatest(0, (SELECT count(*) FROM guess_counts) - $2)) FOR UPDATE SKIP LOCKED)";
    let removed = db.run(over, params![before.millis(), BATCH]).await?;
    Ok(removed + db.run(too_many, params![BATCH, COUNTS_MAX]).await?)
}
