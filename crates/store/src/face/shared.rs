//! The store's face: what the nodes share: news, counts of guesses, keys, the audit.

use crate::{
    AuditCount, AuditCounts, AuditEvent, AuditFilter, AuditRow, Batch, CountKey, News, NewsSeq, Store,
    StoreError, StoredKey,
};
use countersign_core::Timestamp;
use countersign_core::guess::SharedCounts;

/// News: what every node has to know at once.
impl Store {
    /// The number of the latest news.
    pub async fn news_head(&self) -> Result<NewsSeq, StoreError> {
        engine!(self, engine => engine.news_head().await)
    }

    /// The news after `seq`, oldest first; cheap when there are none.
    pub async fn news(&self, after: NewsSeq) -> Result<News, StoreError> {
        engine!(self, engine => engine.news(after).await)
    }
}

/// Counts of guesses, where several nodes serve.
impl Store {
    /// Changes the three counts of a guess where all nodes meet them, one change after the other: what `change`
    /// answered, and the counts as they stand then. It is asked again where the store has to begin anew. `None`: this
    /// engine has one server, whose own memory is enough.
    ///
    /// They outlive no crash of the database, and nobody waits for a disk.
    pub async fn change_counts<T: Send + 'static>(
        &self,
        keys: [CountKey; 3],
        change: impl Fn(&mut SharedCounts) -> T + Send + Sync + 'static,
        now: Timestamp,
    ) -> Result<Option<(T, SharedCounts)>, StoreError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => {
                drop((keys, change, now));
                std::future::ready(Ok(None)).await
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(engine) => engine.change_counts(keys, change, now).await.map(Some),
        }
    }
}

/// Signing keys, sealed by the caller.
impl Store {
    /// All keys, oldest first.
    pub async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        engine!(self, engine => engine.keys().await)
    }

    /// Adds a key, unless the one that signs last has its algorithm already (another node was faster); the keys that
    /// now stand.
    pub async fn ensure_key(&self, key: StoredKey, event: AuditEvent) -> Result<Vec<StoredKey>, StoreError> {
        engine!(self, engine => engine.ensure_key(key, event).await)
    }

    /// Adds a key.
    pub async fn add_key(&self, key: StoredKey, event: AuditEvent) -> Result<(), StoreError> {
        engine!(self, engine => engine.add_key(key, event).await)
    }

    /// Removes keys by their `kid`s; how many there were.
    pub async fn remove_keys(&self, kids: Vec<String>, event: AuditEvent) -> Result<u64, StoreError> {
        engine!(self, engine => engine.remove_keys(kids, event).await)
    }

    /// Replaces the sealed private parts of keys, all or none: where one of them has gone meanwhile, that is
    /// [`StoreError::Unavailable`].
    pub async fn reseal_keys(
        &self,
        sealed: Vec<(String, Vec<u8>)>,
        event: AuditEvent,
    ) -> Result<(), StoreError> {
        engine!(self, engine => engine.reseal_keys(sealed, event).await)
    }
}

/// The audit, and what is written in the background.
impl Store {
    /// Appends events. Those of one [`AuditEvent::bucket`] become one row with a count.
    pub async fn audit(&self, events: Vec<AuditEvent>) -> Result<(), StoreError> {
        engine!(self, engine => engine.audit(events).await)
    }

    /// Writes down what was gathered. What was written before under the same name isn't written again.
    pub async fn write_batch(&self, batch: Batch) -> Result<(), StoreError> {
        engine!(self, engine => engine.write_batch(batch).await)
    }

    /// Reads the audit, newest first.
    pub async fn audit_rows(&self, filter: AuditFilter) -> Result<Vec<AuditRow>, StoreError> {
        engine!(self, engine => engine.audit_rows(filter).await)
    }

    /// How much happened, by kind, in each step of a span of time. Steps in which nothing did are left out.
    pub async fn audit_counts(&self, counts: AuditCounts) -> Result<Vec<AuditCount>, StoreError> {
        engine!(self, engine => engine.audit_counts(counts).await)
    }
}
