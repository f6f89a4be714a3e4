//! The audit.

use countersign_core::UserId;
use rusqlite::Connection;

use super::Sqlite;
use super::sql::{self, Result};
use crate::row;
use crate::{AuditCount, AuditCounts, AuditEvent, AuditFilter, AuditRow, listing};

impl Sqlite {
    pub(crate) async fn audit(&self, events: Vec<AuditEvent>) -> Result<()> {
        self.write(move |db| append_all(db, &events)).await
    }

    pub(crate) async fn audit_rows(&self, filter: AuditFilter) -> Result<Vec<AuditRow>> {
        self.read(move |db| {
            let rows = listing::audit::rows(&filter);
            sql::all(db, &rows.text, sql::values(&rows), |row| row::audit(row))
        })
        .await
    }

    pub(crate) async fn audit_counts(&self, asked: AuditCounts) -> Result<Vec<AuditCount>> {
        self.read(move |db| {
            let mut all = Vec::new();
            for kind in &asked.kinds {
                let counts = listing::audit::counts(&asked, *kind);
                let counts = sql::all(db, &counts.text, sql::values(&counts), |row| {
                    row::audit_count(row, &asked, *kind)
                })?;
                all.extend(counts.into_iter().flatten());
            }
            Ok(all)
        })
        .await
    }
}

/// Appends events to a transaction.
pub(super) fn append_all(db: &Connection, events: &[AuditEvent]) -> Result<()> {
    events.iter().try_for_each(|event| append(db, event))
}

/// Appends an event to the transaction that it tells of.
pub(super) fn append(db: &Connection, event: &AuditEvent) -> Result<()> {
    let insert = "INSERT INTO audit (at, kind, actor_id, user_id, session_id, ip, detail, bucket, count)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (bucket) WHERE bucket IS NOT NULL
        DO UPDATE SET count = count + excluded.count, at = excluded.at";
    let params = (
        event.at.millis(),
        event.kind.as_str(),
        event.actor.map(|UserId(id)| id),
        event.user.map(|UserId(id)| id),
        event.session.map(|id| *id.as_bytes()),
        event.ip.map(|ip| ip.to_string()),
        row::json(&event.detail)?,
        event.bucket.as_deref(),
        row::count(event.count),
    );
    sql::run(db, insert, params)?;
    Ok(())
}
