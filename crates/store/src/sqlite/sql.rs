//! Small helpers around rusqlite: cached statements, rows, and what its errors mean for a caller.
//!
//! Parameters are written `$1`, `$2`, … in the order of their first appearance, which is how SQLite numbers them:
//! so the same text does for PostgreSQL.

use countersign_core::SessionId;
use rusqlite::types::{FromSql, Value};
use rusqlite::{Connection, ErrorCode, Params, Row, params_from_iter};

use crate::StoreError;
use crate::listing::{Arg, Statement};
use crate::row::Columns;

/// What every use case here returns.
pub(super) type Result<T> = std::result::Result<T, StoreError>;

/// Runs a statement; how many rows it changed.
pub(super) fn run(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
    db.prepare_cached(sql)?.execute(params)
}

/// The values of a statement that was put together.
pub(super) fn values(statement: &Statement) -> impl Params {
    params_from_iter(statement.args.clone().into_iter().map(|arg| match arg {
        Arg::Int(number) => Value::Integer(number),
        Arg::Text(text) => Value::Text(text),
        Arg::Session(id) => Value::Blob(id.as_bytes().to_vec()),
    }))
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

impl Columns for Row<'_> {
    fn number(&self, column: usize) -> Result<Option<i64>> {
        Ok(self.get(column)?)
    }

    fn text(&self, column: usize) -> Result<Option<String>> {
        Ok(self.get(column)?)
    }

    fn bytes(&self, column: usize) -> Result<Option<Vec<u8>>> {
        Ok(self.get(column)?)
    }

    fn flag(&self, column: usize) -> Result<bool> {
        Ok(self.get(column)?)
    }

    fn id(&self, column: usize) -> Result<Option<SessionId>> {
        Ok(self.get::<_, Option<[u8; 16]>>(column)?.map(SessionId::from_bytes))
    }
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
