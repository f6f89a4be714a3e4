//! The database as rows of plain values: see [`crate::copy`].

use countersign_core::SessionId;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

use super::sql::Result;
use super::{SET_META, Sqlite, sql};
use crate::copy::{Kind, Row, Table, UNDER_WAY, Value, placeholders};
use crate::row::known;

impl Sqlite {
    pub(crate) async fn count_rows(&self, table: &'static Table) -> Result<u64> {
        let query = format!("SELECT COUNT(*) FROM {}", table.name);
        let count: i64 = self.read(move |db| sql::value(db, &query, [])).await?;
        Ok(count.unsigned_abs())
    }

    pub(crate) async fn rows(
        &self,
        table: &'static Table,
        after: Option<Row>,
        limit: u32,
    ) -> Result<Vec<Row>> {
        self.read(move |db| {
            let limit = Value::Number(i64::from(limit));
            let key = after.as_deref().map(|row| table.key_of(row)).unwrap_or_default();
            let params = params_from_iter(key.iter().chain([&limit]));
            sql::all(db, &table.select(after.is_some()), params, |row| read(table, row))
        })
        .await
    }

    pub(crate) async fn last_row(&self, table: &'static Table) -> Result<Option<Row>> {
        self.read(move |db| sql::first(db, &table.select_last(), [], |row| read(table, row))).await
    }

    pub(crate) async fn begin_copy(
        &self,
        from: String,
        first: Vec<(&'static Table, Vec<Row>)>,
    ) -> Result<()> {
        self.write(move |db| {
            for (table, rows) in &first {
                sql::run(db, &format!("DELETE FROM {}", table.name), [])?;
                put(db, table, rows)?;
            }
            Ok(sql::run(db, SET_META, (UNDER_WAY, &from)).map(drop)?)
        })
        .await
    }

    pub(crate) async fn put_rows(&self, table: &'static Table, rows: Vec<Row>) -> Result<()> {
        self.write(move |db| put(db, table, &rows)).await
    }

    pub(crate) async fn last_number(&self, table: &'static Table) -> Result<i64> {
        self.read(move |db| {
            let query = "SELECT seq FROM sqlite_sequence WHERE name = $1";
            Ok(sql::first(db, query, [table.name], |row| Ok(row.get(0)?))?.unwrap_or(0))
        })
        .await
    }

    pub(crate) async fn settle(&self, numbers: Vec<(&'static Table, i64)>) -> Result<()> {
        self.write(move |db| {
            for (table, number) in &numbers {
                sql::run(db, "DELETE FROM sqlite_sequence WHERE name = $1", [table.name])?;
                let insert = "INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)";
                sql::run(db, insert, (table.name, number))?;
            }
            // The triggers have counted along; counted at once it is beyond doubt.
            let recount = "UPDATE open_sessions
                SET count = (SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL)";
            Ok(sql::run(db, recount, []).map(drop)?)
        })
        .await
    }

    pub(crate) async fn end_copy(&self) -> Result<()> {
        self.write(|db| Ok(sql::run(db, "DELETE FROM meta WHERE name = $1", [UNDER_WAY]).map(drop)?)).await
    }
}

fn put(db: &Connection, table: &Table, rows: &[Row]) -> Result<()> {
    let (name, width) = (table.name, table.columns.len());
    let insert =
        format!("INSERT INTO {name} ({}) VALUES ({})", table.names(0..width), placeholders(1, width));
    for row in rows {
        sql::run(db, &insert, params_from_iter(row))?;
    }
    Ok(())
}

fn read(table: &Table, row: &rusqlite::Row<'_>) -> Result<Row> {
    let cells = table.columns.iter().enumerate().map(|(place, column)| {
        let cell = row.get_ref(place)?;
        known(value(cell, column.kind), column.name)
    });
    cells.collect()
}

fn value(cell: ValueRef<'_>, kind: Kind) -> Option<Value> {
    Some(match (kind, cell) {
        (_, ValueRef::Null) => Value::Null,
        (Kind::Number, ValueRef::Integer(number)) => Value::Number(number),
        (Kind::Flag, ValueRef::Integer(flag)) => Value::Flag(flag != 0),
        (Kind::Text, ValueRef::Text(text)) => Value::text(String::from_utf8(text.to_vec()).ok()?),
        (Kind::Bytes, ValueRef::Blob(bytes)) => Value::Bytes(bytes.to_vec()),
        (Kind::Session, ValueRef::Blob(id)) => Value::Session(SessionId::from_bytes(id.try_into().ok()?)),
        _ => return None,
    })
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Number(number) => ValueRef::Integer(*number),
            Self::Flag(flag) => ValueRef::Integer(i64::from(*flag)),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::Session(id) => ValueRef::Blob(id.as_bytes()),
        }))
    }
}
