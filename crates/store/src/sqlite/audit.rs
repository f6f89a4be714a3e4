//! The audit.

use countersign_core::UserId;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::Sqlite;
use super::sql::{self, Result};
use crate::row::{self, audit_columns};
use crate::{AuditEvent, AuditFilter, AuditRow};

impl Sqlite {
    pub(crate) async fn audit(&self, events: Vec<AuditEvent>) -> Result<()> {
        self.write(move |db| events.iter().try_for_each(|event| append(db, event))).await
    }

    pub(crate) async fn audit_rows(&self, filter: AuditFilter) -> Result<Vec<AuditRow>> {
        self.read(move |db| {
            let (query, params) = query(&filter);
            sql::all(db, &query, params_from_iter(params), |row| row::audit(row))
        })
        .await
    }
}

/// Only the conditions that are asked for: with one that may be empty, no index would be used.
fn query(filter: &AuditFilter) -> (String, Vec<Value>) {
    let conditions = [
        ("kind =", filter.kind.map(|kind| Value::from(kind.as_str().to_owned()))),
        ("user_id =", filter.user.map(|UserId(id)| id.into())),
        ("seq <", filter.before.map(Value::from)),
    ];
    let (mut asked, mut params) = (vec!["TRUE".to_owned()], Vec::new());
    for (condition, value) in conditions {
        if let Some(value) = value {
            params.push(value);
            asked.push(format!("{condition} ${}", params.len()));
        }
    }
    params.push(filter.limit.into());
    let query = format!(
        "SELECT {} FROM audit WHERE {} ORDER BY seq DESC LIMIT ${}",
        audit_columns!(),
        asked.join(" AND "),
        params.len()
    );
    (query, params)
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
