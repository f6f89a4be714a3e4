//! Small helpers around tokio-postgres: statements, rows, and what its errors mean for a caller.
//!
//! Every statement is unnamed and says the types of its parameters: one message there, one back, and nothing is left
//! behind on the connection, so that it works through a pooler that lends a server's connection for one transaction.
//! Where the URL says that there is none (`prepared_statements=true`), the few that are most asked for have names, and
//! the server plans them once a connection.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_core::SessionId;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Row, Statement as Prepared};
use uuid::Uuid;

use crate::StoreError;
use crate::listing::{Arg, Statement};
use crate::row::Columns;

/// What the parts of a use case return.
pub(super) type Result<T> = std::result::Result<T, Error>;

/// Why a part of a use case failed, and whether the use case may be tried again as a whole.
#[derive(Debug)]
pub(super) struct Error {
    pub(super) cause: StoreError,
    pub(super) fault: Fault,
}

/// What an error says of the transaction that it happened in, and of the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// It is this use case's own: another try would end the same.
    Own,
    /// The transaction lost against another one and is undone: a new try may win.
    Lost,
    /// The connection is gone. A transaction that wasn't being committed is undone.
    Connection,
    /// The server takes no writes any more, since it is a standby now; or it knows a prepared statement no more.
    /// Nothing was done.
    ReadOnly,
}

/// A connection that a use case runs its statements on.
#[derive(Clone)]
pub(super) struct Db(pub(super) Arc<Connection>);

/// A connection, and the statements that the server knows by name on it, if it is to know any.
pub(super) struct Connection {
    pub(super) client: Client,
    prepared: Option<Mutex<HashMap<&'static str, Prepared>>>,
}

/// A parameter and its type.
pub(super) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// A value that can be a parameter.
pub(super) trait Value: ToSql + Sync {
    fn sql_type(&self) -> Type;

    fn as_sql(&self) -> &(dyn ToSql + Sync);
}

macro_rules! value {
    ($($rust:ty => $sql:ident),* $(,)?) => {
        $(impl Value for $rust {
            fn sql_type(&self) -> Type {
                Type::$sql
            }

            fn as_sql(&self) -> &(dyn ToSql + Sync) {
                self
            }
        })*
    };
}

value! {
    bool => BOOL, i64 => INT8, &str => TEXT, String => TEXT, Uuid => UUID, &[u8] => BYTEA, Vec<u8> => BYTEA,
    Vec<bool> => BOOL_ARRAY, Vec<i64> => INT8_ARRAY, Vec<Uuid> => UUID_ARRAY, Vec<String> => TEXT_ARRAY,
    Vec<Vec<u8>> => BYTEA_ARRAY, Vec<Option<i64>> => INT8_ARRAY,
    Option<i64> => INT8, Option<&str> => TEXT, Option<String> => TEXT, Option<Uuid> => UUID,
}

impl<T: Value> Value for &T
where
    for<'a> &'a T: ToSql,
{
    fn sql_type(&self) -> Type {
        (**self).sql_type()
    }

    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        (**self).as_sql()
    }
}

/// Parameters, with their types.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$((&$value as &(dyn tokio_postgres::types::ToSql + Sync), $crate::postgres::sql::Value::sql_type(&$value))),*]
    };
}
pub(super) use params;

impl Db {
    /// Runs a statement; how many rows it changed.
    pub(super) async fn run(&self, sql: &str, params: &[Param<'_>]) -> Result<u64> {
        let params = params.iter().map(|(value, of)| (*value, of.clone()));
        Ok(self.0.client.execute_typed(sql, &params.collect::<Vec<_>>()).await?)
    }

    /// The first row of a query, if there is one.
    pub(super) async fn first<T>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row) -> std::result::Result<T, StoreError>,
    ) -> Result<Option<T>> {
        let rows = self.0.client.query_typed(sql, params).await?;
        Ok(rows.first().map(read).transpose()?)
    }

    /// The same for a query that is asked for so often that the server may know it by name, where it keeps such names.
    pub(super) async fn first_often<T>(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row) -> std::result::Result<T, StoreError>,
    ) -> Result<Option<T>> {
        let Some(statement) = self.0.prepare(sql, params).await? else {
            return self.first(sql, params, read).await;
        };
        let values: Vec<_> = params.iter().map(|(value, _)| *value).collect();
        let rows = self.0.client.query(&statement, &values).await?;
        Ok(rows.first().map(read).transpose()?)
    }

    /// All rows of a query.
    pub(super) async fn all<T>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        mut read: impl FnMut(&Row) -> std::result::Result<T, StoreError>,
    ) -> Result<Vec<T>> {
        let rows = self.0.client.query_typed(sql, params).await?;
        Ok(rows.iter().map(&mut read).collect::<std::result::Result<_, _>>()?)
    }

    /// Statements without parameters, several at once.
    pub(super) async fn batch(&self, sql: &str) -> Result<()> {
        Ok(self.0.client.batch_execute(sql).await?)
    }
}

impl Connection {
    pub(super) fn new(client: Client, prepares: bool) -> Self {
        Self { client, prepared: prepares.then(Mutex::default) }
    }

    /// The statement, by its name on this connection; none where there are to be no names.
    async fn prepare(&self, sql: &'static str, params: &[Param<'_>]) -> Result<Option<Prepared>> {
        let Some(prepared) = &self.prepared else { return Ok(None) };
        let known = prepared.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let types: Vec<_> = params.iter().map(|(_, of)| of.clone()).collect();
        let statement = self.client.prepare_typed(sql, &types).await?;
        prepared.lock().unwrap_or_else(PoisonError::into_inner).insert(sql, statement.clone());
        Ok(Some(statement))
    }
}

/// The values of a statement that was put together.
pub(super) struct Values(Vec<Box<dyn Value + Send>>);

impl Values {
    pub(super) fn of(statement: &Statement) -> Self {
        let values = statement.args.iter().map(|arg| -> Box<dyn Value + Send> {
            match arg {
                Arg::Int(number) => Box::new(*number),
                Arg::Text(text) => Box::new(without_nul(text).into_owned()),
                Arg::Session(session) => Box::new(id(*session)),
            }
        });
        Self(values.collect())
    }

    fn params(&self) -> Vec<Param<'_>> {
        self.0.iter().map(|value| (value.as_sql(), value.sql_type())).collect()
    }
}

impl Db {
    /// All rows of a statement that was put together.
    pub(super) async fn rows<T>(
        &self,
        statement: &Statement,
        read: impl FnMut(&Row) -> std::result::Result<T, StoreError>,
    ) -> Result<Vec<T>> {
        let values = Values::of(statement);
        self.all(&statement.text, &values.params(), read).await
    }
}

/// A session's id, as a parameter.
pub(super) fn id(session: SessionId) -> Uuid {
    Uuid::from_bytes(*session.as_bytes())
}

/// A name that somebody else took since it was asked for: all is undone, and the next try sees it taken.
pub(super) fn lost_if_taken(error: Error) -> Error {
    if matches!(&error.cause, StoreError::Defect(text) if text.contains(SqlState::UNIQUE_VIOLATION.code())) {
        let cause = StoreError::Unavailable("somebody else has just taken the same name".to_owned());
        return Error { cause, fault: Fault::Lost };
    }
    error
}

/// PostgreSQL keeps no NUL in a text, which is the one character that it refuses. Nobody's name has it, so a text with
/// one names nobody; where a text is only kept to be read by people, this stands in its place.
pub(super) fn without_nul(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

impl Columns for Row {
    fn number(&self, column: usize) -> std::result::Result<Option<i64>, StoreError> {
        get(self, column)
    }

    fn text(&self, column: usize) -> std::result::Result<Option<String>, StoreError> {
        get(self, column)
    }

    fn bytes(&self, column: usize) -> std::result::Result<Option<Vec<u8>>, StoreError> {
        get(self, column)
    }

    fn flag(&self, column: usize) -> std::result::Result<bool, StoreError> {
        get(self, column)
    }

    fn id(&self, column: usize) -> std::result::Result<Option<SessionId>, StoreError> {
        let id: Option<Uuid> = get(self, column)?;
        Ok(id.map(|id| SessionId::from_bytes(id.into_bytes())))
    }
}

fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> std::result::Result<T, StoreError> {
    row.try_get(column).map_err(|error| StoreError::Defect(describe(&error)))
}

/// What is wrong, without the values that a statement was about.
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(refused) = error.as_db_error() {
        return format!("{} ({})", refused.message(), refused.code().code());
    }
    let cause = error.source().map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let fault = error.code().map_or_else(|| without_code(&error), fault);
        let text = describe(&error);
        let now = fault != Fault::Own || error.code().is_some_and(is_of_the_moment);
        let cause = if now { StoreError::Unavailable(text) } else { StoreError::Defect(text) };
        Self { cause, fault }
    }
}

/// An error that the server didn't send: of the connection, or of a value that doesn't fit.
fn without_code(error: &tokio_postgres::Error) -> Fault {
    let io = error.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
    if error.is_closed() || io { Fault::Connection } else { Fault::Own }
}

fn fault(code: &SqlState) -> Fault {
    match code.code().get(..2) {
        // Whether the statement was done is unknown (40003), as if the connection had broken.
        Some("40") if code.code() == "40003" => Fault::Connection,
        Some("40") => Fault::Lost,
        // Connection exceptions, and a server that is going down; not a statement that was cancelled.
        Some("08") => Fault::Connection,
        Some("57") if *code != SqlState::QUERY_CANCELED => Fault::Connection,
        _ if *code == SqlState::READ_ONLY_SQL_TRANSACTION => Fault::ReadOnly,
        // A statement by name, after the tables have changed, or of another connection (behind a pooler after all).
        _ if *code == SqlState::INVALID_SQL_STATEMENT_NAME || *code == SqlState::FEATURE_NOT_SUPPORTED => {
            Fault::ReadOnly
        }
        // Of a transaction that took too long, the server ended the whole connection.
        _ if *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Fault::Connection,
        _ => Fault::Own,
    }
}

/// Trouble of the moment; what a new try can't mend is a defect.
fn is_of_the_moment(code: &SqlState) -> bool {
    // Insufficient resources, operator intervention, system errors, authorization, and locks that can't be had.
    matches!(code.code().get(..2), Some("53" | "57" | "58" | "28" | "55"))
}

/// An error of a use case itself.
impl From<StoreError> for Error {
    fn from(cause: StoreError) -> Self {
        Self { cause, fault: Fault::Own }
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        error.cause
    }
}
