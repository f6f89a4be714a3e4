//! The values of custom fields, by which users are found and which only one may have.

use countersign_core::UserId;
use countersign_core::fields::UserFields;
use rusqlite::Connection;
use serde_json::{Map, Value};

use super::Sqlite;
use super::sql::{self, Result};
use crate::fields::{Entries, FieldKey, Standing, entries, keys};
use crate::row::Columns;
use crate::{EnteredPage, FieldHolder};

impl Sqlite {
    pub(crate) async fn field_page(&self, after: UserId, limit: u32) -> Result<Vec<FieldHolder>> {
        self.read(move |db| page(db, after, limit)).await
    }

    pub(crate) async fn enter_fields(&self, after: UserId, limit: u32) -> Result<EnteredPage> {
        let declared = self.declared();
        self.write(move |db| {
            let users = page(db, after, limit)?;
            let is_full = users.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
            let next = users.last().map(|user| user.id);
            let standing = standing(db, after, next.unwrap_or(after))?;
            let Entries { gone, new } = entries(&declared, users, standing);
            for (user, key) in gone {
                remove(db, user, &key.field)?;
            }
            let mut shared = Vec::new();
            for (user, key) in new {
                if !insert(db, user, &key)? {
                    insert(db, user, &FieldKey { is_unique: false, ..key.clone() })?;
                    shared.push((user, key.field));
                }
            }
            Ok(EnteredPage { shared, next: next.filter(|_| is_full) })
        })
        .await
    }
}

fn page(db: &Connection, after: UserId, limit: u32) -> Result<Vec<FieldHolder>> {
    let query = "SELECT id, username, fields FROM users WHERE id > $1 ORDER BY id LIMIT $2";
    sql::all(db, query, (after.0, limit), |row| {
        Ok(FieldHolder { id: UserId(row.get(0)?), username: row.get(1)?, fields: row.object(2)? })
    })
}

/// A unique field among these whose value another user has. To be asked before anything is changed.
pub(super) fn taken(
    db: &Connection,
    declared: &UserFields,
    user: Option<UserId>,
    fields: &Map<String, Value>,
) -> Result<Option<String>> {
    let nobody = UserId(0);
    for key in keys(declared, fields).into_iter().filter(|key| key.is_unique) {
        let query =
            "SELECT EXISTS (SELECT 1 FROM field_values WHERE field = $1 AND value = $2 AND user_id <> $3)";
        if sql::value(db, query, (&key.field, &key.value, user.unwrap_or(nobody).0))? {
            return Ok(Some(key.field));
        }
    }
    Ok(None)
}

/// Puts a user under the values of these fields, which have changed and aren't [`taken`].
pub(super) fn keep(
    db: &Connection,
    declared: &UserFields,
    user: UserId,
    changes: &Map<String, Value>,
) -> Result<()> {
    for field in changes.keys() {
        remove(db, user, field)?;
    }
    for key in keys(declared, changes) {
        insert(db, user, &key)?;
    }
    Ok(())
}

/// Under which values the users of a page stand.
fn standing(db: &Connection, after: UserId, last: UserId) -> Result<Standing> {
    let query = "SELECT user_id, field, value, is_unique FROM field_values
        WHERE user_id > $1 AND user_id <= $2";
    let mut by_user = Standing::new();
    let rows = sql::all(db, query, (after.0, last.0), |row| {
        Ok((UserId(row.get(0)?), FieldKey { field: row.get(1)?, value: row.get(2)?, is_unique: row.get(3)? }))
    })?;
    for (user, key) in rows {
        by_user.entry(user).or_default().insert(key);
    }
    Ok(by_user)
}

/// `false`: it is unique, and another user's.
fn insert(db: &Connection, user: UserId, key: &FieldKey) -> Result<bool> {
    let insert = "INSERT INTO field_values (user_id, field, value, is_unique) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING";
    Ok(sql::run(db, insert, (user.0, &key.field, &key.value, key.is_unique))? > 0)
}

fn remove(db: &Connection, user: UserId, field: &str) -> Result<()> {
    sql::run(db, "DELETE FROM field_values WHERE user_id = $1 AND field = $2", (user.0, field))?;
    Ok(())
}
