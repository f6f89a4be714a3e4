//! The audit.

use countersign_core::UserId;

use super::Postgres;
use super::sql::{self, Db, Param, Result, Value, params};
use crate::row::{self, audit_columns};
use crate::{AuditEvent, AuditFilter, AuditRow, EventKind, StoreError};

impl Postgres {
    pub(crate) async fn audit(&self, events: Vec<AuditEvent>) -> std::result::Result<(), StoreError> {
        self.write(events, |db, events| async move {
            lock_buckets(&db, &events).await?;
            for event in &*events {
                append(&db, event).await?;
            }
            Ok(())
        })
        .await
    }

    pub(crate) async fn audit_rows(
        &self,
        filter: AuditFilter,
    ) -> std::result::Result<Vec<AuditRow>, StoreError> {
        self.read(filter, |db, filter| async move {
            let kind = filter.kind.map(EventKind::as_str);
            let (user, limit) = (filter.user.map(|UserId(id)| id), i64::from(filter.limit));
            // Only the conditions that are asked for: with one that may be empty, no index would be used.
            let conditions: [(_, Option<Param<'_>>); 3] = [
                ("kind =", kind.as_ref().map(|kind| (kind as _, kind.sql_type()))),
                ("user_id =", user.as_ref().map(|user| (user as _, user.sql_type()))),
                ("seq <", filter.before.as_ref().map(|before| (before as _, before.sql_type()))),
            ];
            let (mut asked, mut params) = (vec!["TRUE".to_owned()], Vec::new());
            for (condition, value) in conditions {
                if let Some(value) = value {
                    params.push(value);
                    asked.push(format!("{condition} ${}", params.len()));
                }
            }
            params.push((&limit, limit.sql_type()));
            let query = format!(
                "SELECT {} FROM audit WHERE {} ORDER BY seq DESC LIMIT ${}",
                audit_columns!(),
                asked.join(" AND "),
                params.len()
            );
            db.all(&query, &params, row::audit).await
        })
        .await
    }
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
