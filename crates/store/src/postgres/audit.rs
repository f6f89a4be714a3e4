//! The audit.

use countersign_core::UserId;

use super::Postgres;
use super::sql::{self, Db, Result, params};
use crate::row;
use crate::{AuditCount, AuditCounts, AuditEvent, AuditFilter, AuditRow, StoreError, listing};

impl Postgres {
    pub(crate) async fn audit(&self, events: Vec<AuditEvent>) -> std::result::Result<(), StoreError> {
        self.write(events, |db, events| async move { append_all(&db, &events).await }).await
    }

    pub(crate) async fn audit_rows(
        &self,
        filter: AuditFilter,
    ) -> std::result::Result<Vec<AuditRow>, StoreError> {
        self.read(
            filter,
            |db, filter| async move { db.rows(&listing::audit::rows(&filter), row::audit).await },
        )
        .await
    }

    pub(crate) async fn audit_counts(
        &self,
        asked: AuditCounts,
    ) -> std::result::Result<Vec<AuditCount>, StoreError> {
        self.read(asked, |db, asked| async move {
            let mut all = Vec::new();
            for kind in &asked.kinds {
                let counts = listing::audit::counts(&asked, *kind);
                let counts = db.rows(&counts, |row| row::audit_count(row, &asked, *kind)).await?;
                all.extend(counts.into_iter().flatten());
            }
            Ok(all)
        })
        .await
    }
}

/// Appends events to a transaction.
pub(super) async fn append_all(db: &Db, events: &[AuditEvent]) -> Result<()> {
    lock_buckets(db, events).await?;
    for event in events {
        append(db, event).await?;
    }
    Ok(())
}

/// Takes the rows that will be counted again, in one order for all: two nodes that count the same don't wait in a
/// circle.
async fn lock_buckets(db: &Db, events: &[AuditEvent]) -> Result<()> {
    let buckets = events.iter().filter_map(|event| event.bucket.as_deref());
    let buckets: Vec<String> = buckets.map(|bucket| sql::without_nul(bucket).into_owned()).collect();
    if buckets.len() > 1 {
        let query = "SELECT seq FROM audit WHERE bucket = ANY($1) ORDER BY bucket FOR UPDATE";
        db.run(query, params![buckets]).await?;
    }
    Ok(())
}

/// Appends an event to the transaction that it tells of.
pub(super) async fn append(db: &Db, event: &AuditEvent) -> Result<()> {
    let insert = "INSERT INTO audit (at, kind, actor_id, user_id, session_id, ip, detail, bucket, count)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (bucket) WHERE bucket IS NOT NULL
        DO UPDATE SET count = audit.count + excluded.count, at = excluded.at";
    let bucket = event.bucket.as_deref().map(sql::without_nul);
    let params = params![
        event.at.millis(),
        event.kind.as_str(),
        event.actor.map(|UserId(id)| id),
        event.user.map(|UserId(id)| id),
        event.session.map(sql::id),
        event.ip.map(|ip| ip.to_string()),
        row::json(&event.detail)?,
        bucket.as_deref(),
        row::count(event.count),
    ];
    db.run(insert, params).await?;
    Ok(())
}
