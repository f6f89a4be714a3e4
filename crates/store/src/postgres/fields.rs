//! The values of custom fields, by which users are found and which only one may have.

use std::collections::BTreeSet;

use countersign_core::UserId;
use countersign_core::fields::UserFields;
use serde_json::{Map, Value};

use super::Postgres;
use super::sql::{self, Db, Error, Fault, Result, params};
use crate::fields::{Entries, FieldKey, Standing, entries, keys};
use crate::row::Columns;
use crate::{EnteredPage, FieldHolder, StoreError};

impl Postgres {
    pub(crate) async fn field_page(
        &self,
        after: UserId,
        limit: u32,
    ) -> std::result::Result<Vec<FieldHolder>, StoreError> {
        self.read((after, limit), |db, args| async move { page(&db, args.0, args.1, "").await }).await
    }

    pub(crate) async fn enter_fields(
        &self,
        after: UserId,
        limit: u32,
    ) -> std::result::Result<EnteredPage, StoreError> {
        self.write((self.declared(), after, limit), |db, args| async move {
            let (declared, after, limit) = &*args;
            let users = page(&db, *after, *limit, " FOR UPDATE").await?;
            let is_full = users.len() >= usize::try_from(*limit).unwrap_or(usize::MAX);
            let next = users.last().map(|user| user.id);
            let standing = standing(&db, *after, next.unwrap_or(*after)).await?;
            let Entries { gone, new } = entries(declared, users, standing);
            remove_all(&db, &gone).await?;
            let refused = insert_all(&db, new).await?;
            let shared = refused.iter().map(|(user, key)| (*user, key.field.clone())).collect();
            let not_unique = |(user, key)| (user, FieldKey { is_unique: false, ..key });
            insert_all(&db, refused.into_iter().map(not_unique).collect()).await?;
            Ok(EnteredPage { shared, next: next.filter(|_| is_full) })
        })
        .await
    }
}

async fn page(db: &Db, after: UserId, limit: u32, locking: &str) -> Result<Vec<FieldHolder>> {
    let query = format!("SELECT id, username, fields FROM users WHERE id > $1 ORDER BY id LIMIT $2{locking}");
    db.all(&query, params![after.0, i64::from(limit)], |row| {
        Ok(FieldHolder {
            id: UserId(row.number_there(0)?),
            username: row.text_there(1)?,
            fields: row.object(2)?,
        })
    })
    .await
}

/// A unique field among these whose value another user has. To be asked before anything is changed.
pub(super) async fn taken(
    db: &Db,
    declared: &UserFields,
    user: Option<UserId>,
    fields: &Map<String, Value>,
) -> Result<Option<String>> {
    let nobody = UserId(0);
    for key in keys(declared, fields).into_iter().filter(|key| key.is_unique) {
        let query =
            "SELECT EXISTS (SELECT 1 FROM field_values WHERE field = $1 AND value = $2 AND user_id <> $3)";
        let params = params![key.field, &*sql::without_nul(&key.value), user.unwrap_or(nobody).0];
        if db.first(query, params, |row| row.flag(0)).await?.unwrap_or(false) {
            return Ok(Some(key.field));
        }
    }
    Ok(None)
}

/// Puts a user under the values of these fields, which have changed and weren't [`taken`].
pub(super) async fn keep(
    db: &Db,
    declared: &UserFields,
    user: UserId,
    changes: &Map<String, Value>,
) -> Result<()> {
    for field in changes.keys() {
        remove(db, user, field).await?;
    }
    for key in keys(declared, changes) {
        if !insert(db, user, &key).await? {
            // Somebody was faster by a moment. All is undone, and the next try sees it taken.
            let cause = StoreError::Unavailable("another user has just got the same value".to_owned());
            return Err(Error { cause, fault: Fault::Lost });
        }
    }
    Ok(())
}

/// Under which values the users of a page stand.
async fn standing(db: &Db, after: UserId, last: UserId) -> Result<Standing> {
    let query = "SELECT user_id, field, value, is_unique FROM field_values
        WHERE user_id > $1 AND user_id <= $2";
    let mut by_user = Standing::new();
    let read = |row: &tokio_postgres::Row| {
        let (field, value) = (row.text_there(1)?, row.text_there(2)?);
        Ok((UserId(row.number_there(0)?), FieldKey { field, value, is_unique: row.flag(3)? }))
    };
    for (user, key) in db.all(query, params![after.0, last.0], read).await? {
        by_user.entry(user).or_default().insert(key);
    }
    Ok(by_user)
}

/// `false`: it is unique, and another user's.
async fn insert(db: &Db, user: UserId, key: &FieldKey) -> Result<bool> {
    let insert = "INSERT INTO field_values (user_id, field, value, is_unique) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING";
    let params = params![user.0, key.field, &*sql::without_nul(&key.value), key.is_unique];
    Ok(db.run(insert, params).await? > 0)
}

async fn remove(db: &Db, user: UserId, field: &str) -> Result<()> {
    db.run("DELETE FROM field_values WHERE user_id = $1 AND field = $2", params![user.0, field]).await?;
    Ok(())
}

/// Puts users under values, many in one round trip; those that are unique and another user's.
async fn insert_all(db: &Db, new: Vec<(UserId, FieldKey)>) -> Result<Vec<(UserId, FieldKey)>> {
    if new.is_empty() {
        return Ok(new);
    }
    let insert = "INSERT INTO field_values (user_id, field, value, is_unique)
        SELECT * FROM unnest($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING user_id, field";
    let (users, fields) = named(&new);
    let values: Vec<String> = new.iter().map(|(_, key)| sql::without_nul(&key.value).into_owned()).collect();
    let unique: Vec<bool> = new.iter().map(|(_, key)| key.is_unique).collect();
    let read = |row: &tokio_postgres::Row| Ok((UserId(row.number_there(0)?), row.text_there(1)?));
    let inserted = db.all(insert, params![users, fields, values, unique], read).await?;
    let inserted: BTreeSet<(UserId, String)> = inserted.into_iter().collect();
    let is_refused = |(user, key): &(UserId, FieldKey)| !inserted.contains(&(*user, key.field.clone()));
    Ok(new.into_iter().filter(is_refused).collect())
}

async fn remove_all(db: &Db, gone: &[(UserId, FieldKey)]) -> Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    let delete = "DELETE FROM field_values WHERE (user_id, field) IN (SELECT * FROM unnest($1, $2))";
    let (users, fields) = named(gone);
    db.run(delete, params![users, fields]).await?;
    Ok(())
}

/// Whose fields, as two columns.
fn named(keys: &[(UserId, FieldKey)]) -> (Vec<i64>, Vec<String>) {
    keys.iter().map(|(user, key)| (user.0, key.field.clone())).unzip()
}
