//! Small helpers around rusqlite: cached statements, rows, and what its errors mean for a caller.
//!
//! Parameters are written `$1`, `$2`, … in the order of their first appearance, which is how SQLite numbers them:
//! so the same text does for PostgreSQL.

use std::net::IpAddr;

use countersign_core::{SessionId, Timestamp, UserId};
use rusqlite::types::FromSql;
use rusqlite::{Connection, ErrorCode, Params, Row};
use serde_json::{Map, Value};

use crate::StoreError;

/// What every use case here returns.
pub(super) type Result<T> = std::result::Result<T, StoreError>;

/// Runs a statement; how many rows it changed.
pub(super) fn run(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
    db.prepare_cached(sql)?.execute(params)
}

/// The first row of a query, if there is one.
pub(super) fn first<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// All rows of a query.
pub(super) fn all<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    db.prepare_cached(sql)?.query_and_then(params, read)?.collect()
}

/// The only value of a query that has one.
pub(super) fn value<T: FromSql>(db: &Connection, sql: &str, params: impl Params) -> Result<T> {
    Ok(db.prepare_cached(sql)?.query_row(params, |row| row.get(0))?)
}

pub(super) fn timestamp(row: &Row<'_>, column: usize) -> Result<Timestamp> {
    Ok(Timestamp::from_millis(row.get(column)?))
}

pub(super) fn optional_timestamp(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_millis))
}

pub(super) fn session_id(row: &Row<'_>, column: usize) -> Result<SessionId> {
    Ok(SessionId::from_bytes(row.get(column)?))
}

pub(super) fn optional_session_id(row: &Row<'_>, column: usize) -> Result<Option<SessionId>> {
    Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(SessionId::from_bytes))
}

pub(super) fn optional_user_id(row: &Row<'_>, column: usize) -> Result<Option<UserId>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(UserId))
}

pub(super) fn optional_ip(row: &Row<'_>, column: usize) -> Result<Option<IpAddr>> {
    let text = row.get::<_, Option<String>>(column)?;
    text.map(|text| known(text.parse().ok(), "an address")).transpose()
}

pub(super) fn object(row: &Row<'_>, column: usize) -> Result<Map<String, Value>> {
    let text = row.get::<_, String>(column)?;
    known(serde_json::from_str(&text).ok(), "a JSON object")
}

/// What was read, if this program can have written it.
pub(super) fn known<T>(value: Option<T>, what: &str) -> Result<T> {
    value.ok_or_else(|| StoreError::Defect(format!("{what} in it can't be read")))
}

/// The text of a JSON object.
pub(super) fn json(object: &Map<String, Value>) -> Result<String> {
    serde_json::to_string(object).map_err(|error| StoreError::Defect(error.to_string()))
}

/// Trouble of the moment is `Unavailable`; what a new try can't mend is a `Defect`.
impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::NoLargeFileSupport,
            ) => Self::Unavailable(error.to_string()),
            _ => Self::Defect(error.to_string()),
        }
    }
}
