//! The database as rows of plain values: see [`crate::copy`].

use std::sync::Arc;

use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::Postgres;
use super::sql::{self, Db, Param, Result, params};
use crate::StoreError;
use crate::copy::{Column, Kind, Row, Table, UNDER_WAY, Value, placeholders};
use crate::row::Columns;

type Answer<T> = std::result::Result<T, StoreError>;

impl Postgres {
    pub(crate) async fn count_rows(&self, table: &'static Table) -> Answer<u64> {
        let count = self.read((), move |db, _| async move {
            let query = format!("SELECT COUNT(*) FROM {}", table.name);
            db.first(&query, &[], |row| row.number_there(0)).await
        });
        Ok(count.await?.unwrap_or(0).unsigned_abs())
    }

    pub(crate) async fn rows(
        &self,
        table: &'static Table,
        after: Option<Row>,
        limit: u32,
    ) -> Answer<Vec<Row>> {
        self.read((after, limit), move |db, args| async move {
            let (after, limit) = &*args;
            let limit = i64::from(*limit);
            let key = after.as_deref().map(|row| table.key_of(row)).unwrap_or_default();
            let key: Vec<_> = key.iter().map(cell).collect();
            let mut params: Vec<Param<'_>> =
                key.iter().map(|(value, of)| (&**value as _, of.clone())).collect();
            params.push((&limit, Type::INT8));
            db.all(&table.select(after.is_some()), &params, |row| read(table, row)).await
        })
        .await
    }

    pub(crate) async fn last_row(&self, table: &'static Table) -> Answer<Option<Row>> {
        self.read((), move |db, _| async move {
            db.first(&table.select_last(), &[], |row| read(table, row)).await
        })
        .await
    }

    pub(crate) async fn begin_copy(
        &self,
        from: String,
        first: Vec<(&'static Table, Vec<Row>)>,
    ) -> Answer<()> {
        self.write((from, first), |db, args| async move {
            let (from, first) = &*args;
            for (table, rows) in first {
                db.run(&format!("DELETE FROM {}", table.name), &[]).await?;
                put(&db, table, rows).await?;
            }
            db.run("INSERT INTO meta (name, value) VALUES ($1, $2)", params![UNDER_WAY, from]).await.map(drop)
        })
        .await
    }

    pub(crate) async fn put_rows(&self, table: &'static Table, rows: Vec<Row>) -> Answer<()> {
        self.write(rows, move |db, rows: Arc<Vec<Row>>| async move { put(&db, table, &rows).await }).await
    }

    pub(crate) async fn last_number(&self, table: &'static Table) -> Answer<i64> {
        let number = self.read((), move |db, _| async move {
            let query = format!("SELECT pg_sequence_last_value({}::regclass)", sequence(table));
            db.first(&query, &[], |row| row.number(0)).await
        });
        Ok(number.await?.flatten().unwrap_or(0))
    }

    pub(crate) async fn settle(&self, numbers: Vec<(&'static Table, i64)>) -> Answer<()> {
        self.write(numbers, |db, numbers| async move {
            for (table, number) in &*numbers {
                let set = format!("SELECT setval({}::regclass, GREATEST($1, 1), $1 > 0)", sequence(table));
                db.first(&set, params![*number], |_| Ok(())).await?;
            }
            let recount = "UPDATE open_sessions SET count = CASE shard
                WHEN 0 THEN (SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL) ELSE 0 END";
            db.run(recount, &[]).await.map(drop)
        })
        .await
    }

    pub(crate) async fn end_copy(&self) -> Answer<()> {
        self.write((), |db, _| async move {
            db.run("DELETE FROM meta WHERE name = $1", params![UNDER_WAY]).await.map(drop)
        })
        .await
    }
}

/// The sequence that numbers a table's rows, as an expression.
fn sequence(table: &Table) -> String {
    format!("pg_get_serial_sequence('{}', '{}')", table.name, table.names(0..1))
}

/// Inserts rows in one statement, whose parameters are whole columns.
async fn put(db: &Db, table: &Table, rows: &[Row]) -> Result<()> {
    let width = table.columns.len();
    let insert = format!(
        "INSERT INTO {} ({}) SELECT * FROM unnest({})",
        table.name,
        table.names(0..width),
        placeholders(1, width)
    );
    let columns: Vec<_> =
        table.columns.iter().enumerate().map(|(place, column)| cells(column, place, rows)).collect();
    let params: Vec<Param<'_>> = columns.iter().map(|(values, of)| (&**values as _, of.clone())).collect();
    db.run(&insert, &params).await.map(drop)
}

type Cells = (Box<dyn ToSql + Sync + Send>, Type);

/// One value, as a parameter.
fn cell(value: &Value) -> Cells {
    match value {
        Value::Null => (Box::new(None::<i64>), Type::INT8),
        Value::Number(number) => (Box::new(*number), Type::INT8),
        Value::Flag(flag) => (Box::new(*flag), Type::BOOL),
        Value::Text(text) => (Box::new(text.clone()), Type::TEXT),
        Value::Bytes(bytes) => (Box::new(bytes.clone()), Type::BYTEA),
        Value::Session(session) => (Box::new(sql::id(*session)), Type::UUID),
    }
}

/// One column of many rows, as a parameter.
fn cells(column: &Column, place: usize, rows: &[Row]) -> Cells {
    fn column_of<T>(place: usize, rows: &[Row], take: impl Fn(&Value) -> Option<T>) -> Vec<Option<T>> {
        rows.iter().map(|row| row.get(place).and_then(&take)).collect()
    }
    match column.kind {
        Kind::Number => {
            let numbers = column_of(place, rows, |value| match value {
                Value::Number(number) => Some(*number),
                _ => None,
            });
            (Box::new(numbers), Type::INT8_ARRAY)
        }
        Kind::Flag => {
            let flags = column_of(place, rows, |value| match value {
                Value::Flag(flag) => Some(*flag),
                _ => None,
            });
            (Box::new(flags), Type::BOOL_ARRAY)
        }
        Kind::Text => {
            let texts = column_of(place, rows, |value| match value {
                Value::Text(text) => Some(text.clone()),
                _ => None,
            });
            (Box::new(texts), Type::TEXT_ARRAY)
        }
        Kind::Bytes => {
            let bytes = column_of(place, rows, |value| match value {
                Value::Bytes(bytes) => Some(bytes.clone()),
                _ => None,
            });
            (Box::new(bytes), Type::BYTEA_ARRAY)
        }
        Kind::Session => {
            let ids: Vec<Option<Uuid>> = column_of(place, rows, |value| match value {
                Value::Session(session) => Some(sql::id(*session)),
                _ => None,
            });
            (Box::new(ids), Type::UUID_ARRAY)
        }
    }
}

fn read(table: &Table, row: &tokio_postgres::Row) -> Answer<Row> {
    let cells = table.columns.iter().enumerate().map(|(place, column)| {
        let value = match column.kind {
            Kind::Number => row.number(place)?.map(Value::Number),
            Kind::Flag => Some(Value::Flag(row.flag(place)?)),
            Kind::Text => row.text(place)?.map(Value::text),
            Kind::Bytes => row.bytes(place)?.map(Value::Bytes),
            Kind::Session => row.id(place)?.map(Value::Session),
        };
        Ok(value.unwrap_or(Value::Null))
    });
    cells.collect()
}
